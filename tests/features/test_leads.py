import math
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.errors import AgreementError
from features.leads import ROW_NUMBER, Fault, Faults, Lead, admit, admit_one

from .making import SMALLEST, a_file, an_agreement, history_of, nightly_of

HEADER = "id,created,status,closed,size\n"
GOOD = "1,2026-01-05T10:00,Won,2026-02-01,12\n"


def rejected(folder: Path, row: str, **sections: Any) -> tuple[str, str, str]:
    """Field, value and reason of the one row that is set aside after a good one."""
    path = a_file(folder, HEADER + GOOD + row)
    history, intake = history_of(path, an_agreement(**sections))
    assert history.leads.ids[0] == "1"
    (reject,) = intake.rejects
    assert reject[:2] == ("leads.csv", 3)
    return reject[2:5]


class TestHistory:
    def test_a_lead_has_what_was_known_and_what_became_of_it(self, tmp_path: Path) -> None:
        history, _ = history_of(a_file(tmp_path, HEADER + GOOD), an_agreement())
        assert history.leads.created == [datetime(2026, 1, 5, 10)]
        assert (history.dispositions, history.closed) == (["won"], [datetime(2026, 2, 1)])

    @pytest.mark.parametrize(
        ("word", "disposition"), [("WON ", "won"), ("l  ost", "lost"), ("", "open"), ("-", "open")]
    )
    def test_an_outcome_is_read_in_any_spelling(
        self, tmp_path: Path, word: str, disposition: str
    ) -> None:
        agreement = an_agreement(
            outcomes={"won": ["Won"], "lost": ["L Ost"]}, export={"missing": ["-"]}
        )
        path = a_file(tmp_path, f"{HEADER}1,2026-01-05,{word},,\n")
        assert history_of(path, agreement)[0].dispositions == [disposition]

    def test_a_placeholder_that_the_agreement_calls_lost_is_lost(self, tmp_path: Path) -> None:
        agreement = an_agreement(
            outcomes={"won": ["Won"], "lost": ["n/a"]}, export={"missing": ["N/A"]}
        )
        path = a_file(tmp_path, f"{HEADER}1,2026-01-05,N/A,,N/A\n")
        history, _ = history_of(path, agreement)
        assert (history.dispositions, history.leads.columns["size"]) == (["lost"], [None])

    def test_a_number_as_outcome_is_read_from_a_typed_file(self, tmp_path: Path) -> None:
        path = tmp_path / "leads.parquet"
        columns = {"id": [1, 2], "created": ["2026-01-05"] * 2, "status": [1.0, 0.0]}
        pq.write_table(pa.table({**columns, "closed": pa.nulls(2)}), path)
        agreement = an_agreement(outcomes={"won": ["1"], "lost": ["0"]})
        assert history_of(path, agreement)[0].dispositions == ["won", "lost"]

    def test_leads_of_one_day_may_be_closed_without_the_hour(self, tmp_path: Path) -> None:
        path = a_file(tmp_path, f"{HEADER}1,2026-01-05T18:00,Won,2026-01-05,\n")
        assert history_of(path, an_agreement())[1].rejects == []

    def test_a_serial_stands_in_for_the_time(self, tmp_path: Path) -> None:
        columns = {"id": "id", "outcome": "status", "serial": "size"}
        path = a_file(tmp_path, HEADER + GOOD)
        assert history_of(path, an_agreement(columns=columns))[0].serial == [12.0]

    def test_a_serial_follows_the_marks_of_the_file(self, tmp_path: Path) -> None:
        agreement = an_agreement(
            columns={"id": "id", "outcome": "status", "serial": "n"}, export={"decimal": ","}
        )
        path = a_file(tmp_path, "id;status;n\n1;Won;1.000.000\n2;Lost;999.999\n")
        assert history_of(path, agreement)[0].serial == [1_000_000.0, 999_999.0]

    def test_without_a_serial_there_is_none(self, tmp_path: Path) -> None:
        history, _ = history_of(a_file(tmp_path, HEADER + GOOD), an_agreement())
        assert math.isnan(history.serial[0])

    def test_rows_can_be_taken_in_another_order(self, tmp_path: Path) -> None:
        path = a_file(tmp_path, HEADER + GOOD + "2,2026-01-06,Lost,,7\n")
        turned = history_of(path, an_agreement())[0].take([1, 0])
        assert (turned.leads.ids, turned.dispositions) == (["2", "1"], ["lost", "won"])
        assert turned.leads.columns["size"] == ["7", "12"]

    def test_a_header_alone_gives_no_leads(self, tmp_path: Path) -> None:
        history, intake = history_of(a_file(tmp_path, HEADER), an_agreement())
        assert (len(history), intake.read, intake.accepted) == (0, 0, 0)

    def test_absent_columns_are_named_with_those_that_are_there(self, tmp_path: Path) -> None:
        with pytest.raises(AgreementError, match=r"does not have: status, closed; it has: id, cr"):
            history_of(a_file(tmp_path, "id,created\n1,2026-01-05\n"), an_agreement())


class TestRejects:
    @pytest.mark.parametrize("missing", ["", " ", "n/a"])
    def test_a_missing_id(self, tmp_path: Path, missing: str) -> None:
        row = f"{missing},2026-01-05,Won,,\n"
        found = rejected(tmp_path, row, export={"missing": ["N/A"]})
        assert found == ("id", "", "the id is missing")

    def test_a_missing_time(self, tmp_path: Path) -> None:
        assert rejected(tmp_path, "2,,Won,,\n") == ("created", "", "the time is missing")

    def test_an_unreadable_time(self, tmp_path: Path) -> None:
        assert rejected(tmp_path, "2,soon,Won,,\n") == ("created", "soon", "'soon' is not a time")

    def test_an_unreadable_closing_time(self, tmp_path: Path) -> None:
        found = rejected(tmp_path, "2,2026-01-05,Won,2026-02-30,\n")
        assert found == ("closed", "2026-02-30", "'2026-02-30' is not a time")

    def test_closed_before_created(self, tmp_path: Path) -> None:
        found = rejected(tmp_path, "2,2026-01-05,Won,2026-01-03,\n")
        assert found[:2] == ("closed", "2026-01-03")
        assert found[2] == "closed before the lead was created (2026-01-05T00:00:00)"

    def test_an_unknown_outcome(self, tmp_path: Path) -> None:
        field, value, reason = rejected(tmp_path, "2,2026-01-05,Maybe,,\n")
        assert (field, value) == ("status", "Maybe")
        assert reason == "unknown outcome; put it under its disposition in [outcomes]"

    @pytest.mark.parametrize(("serial", "reason"), [("", "the serial is missing"), ("x", "'x' is")])
    def test_a_lead_without_a_serial(self, tmp_path: Path, serial: str, reason: str) -> None:
        columns = {"id": "id", "outcome": "status", "serial": "size"}
        found = rejected(tmp_path, f"2,,Won,,{serial}\n", columns=columns)
        assert found[0] == "size"
        assert found[2].startswith(reason)

    def test_a_row_that_comes_again(self, tmp_path: Path) -> None:
        assert rejected(tmp_path, GOOD) == ("id", "1", "repeats line 2")

    @pytest.mark.parametrize("again", ["1", "1.0", " 1 "])
    def test_an_id_that_comes_again_with_other_values(self, tmp_path: Path, again: str) -> None:
        found = rejected(tmp_path, f"{again},2026-01-05,Lost,,\n")
        assert found == (
            "id",
            again.strip().removesuffix(".0"),
            "the same id with other values as line 2",
        )

    def test_only_the_first_fault_of_a_row_is_told(self, tmp_path: Path) -> None:
        assert rejected(tmp_path, ",soon,Maybe,later,\n")[0] == "id"

    def test_a_faulty_row_does_not_hold_its_id_against_a_good_one(self, tmp_path: Path) -> None:
        rows = "2,2026-01-05,Maybe,,\n2,2026-01-05,Won,,\n"
        history, intake = history_of(a_file(tmp_path, HEADER + rows), an_agreement())
        assert (history.leads.ids, [r.line for r in intake.rejects]) == (["2"], [2])


class TestFolders:
    def two_files(self, folder: Path, second: str) -> Path:
        a_file(folder, HEADER + GOOD, "a.csv")
        a_file(folder, second, "b.csv")
        return folder

    def test_an_id_on_the_same_line_of_two_files_comes_again(self, tmp_path: Path) -> None:
        folder = self.two_files(tmp_path, HEADER + "1,2026-01-09,Lost,,\n")
        (reject,) = history_of(folder, an_agreement())[1].rejects
        assert reject[:2] == ("b.csv", 2)
        assert reject.reason == "the same id with other values as line 2 of a.csv"

    def test_the_order_of_columns_makes_no_other_values(self, tmp_path: Path) -> None:
        turned = "size,closed,status,created,id\n12,2026-02-01,Won,2026-01-05T10:00,1\n"
        (reject,) = history_of(self.two_files(tmp_path, turned), an_agreement())[1].rejects
        assert reject.reason == "repeats line 2 of a.csv"

    def test_rows_without_an_id_are_numbered_by_file(self, tmp_path: Path) -> None:
        folder = self.two_files(tmp_path, HEADER + GOOD)
        columns = {**SMALLEST["columns"], "id": ROW_NUMBER}
        history, intake = history_of(folder, an_agreement(columns=columns))
        assert (history.leads.ids, intake.rejects) == (["a.csv:2", "b.csv:2"], [])


class TestNightly:
    def test_it_needs_no_outcome_and_no_time(self, tmp_path: Path) -> None:
        ((leads,), intake) = nightly_of(a_file(tmp_path, "id,size\n1,2\n"), an_agreement())
        assert (leads.ids, leads.created, intake.accepted) == (["1"], [None], 1)

    def test_a_missing_time_is_no_fault_but_an_unreadable_one_is(self, tmp_path: Path) -> None:
        path = a_file(tmp_path, "id,created\n1,\n2,soon\n")
        ((leads,), intake) = nightly_of(path, an_agreement())
        assert (leads.ids, [(r.value, r.id) for r in intake.rejects]) == (["1"], [("soon", "2")])

    def test_without_the_id_it_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(AgreementError, match="does not have: id; it has: lead, size"):
            nightly_of(a_file(tmp_path, "lead,size\n1,2\n"), an_agreement())

    def test_a_header_that_stands_there_again_is_no_lead(self, tmp_path: Path) -> None:
        path = a_file(tmp_path, "id,size,town\n1,2,a\nid,size,town\nid,,town\nid,2,a\nid2,size,a\n")
        ((leads,), intake) = nightly_of(path, an_agreement())
        assert leads.ids == ["1", "id", "id2"]
        assert [(r.line, r.reason) for r in intake.rejects] == [
            (3, "repeats the header, and is no lead"),
            (4, "repeats the header, and is no lead"),
        ]
        alone = admit_one({"id": "id", "size": "size"}, an_agreement())
        assert isinstance(alone, Fault)
        assert isinstance(admit_one({"id": "id", "size": "2"}, an_agreement()), Lead)

    def test_a_file_without_any_agreed_column_is_refused_where_rows_are_known_by_number(
        self, tmp_path: Path
    ) -> None:
        agreement = an_agreement(
            columns={**SMALLEST["columns"], "id": ROW_NUMBER},
            fields={"size": {"use": "yes", "kind": "number"}},
        )
        wrapped = '{"total": 2, "data": [{"size": 1}, {"size": 2}], "next": null}\n'
        with pytest.raises(AgreementError, match=r"not have: size; it has: total.*jq -c"):
            nightly_of(a_file(tmp_path, wrapped, "leads.json"), agreement)
        ((leads,), _) = nightly_of(a_file(tmp_path, "size,x\n1,2\n"), agreement)
        assert len(leads) == 1

    def test_the_row_number_is_the_id_where_that_is_agreed(self, tmp_path: Path) -> None:
        columns = {**SMALLEST["columns"], "id": ROW_NUMBER}
        path = a_file(tmp_path, "lead,size\n1,2\n1,2\n")
        ((leads,), _) = nightly_of(path, an_agreement(columns=columns))
        assert leads.ids == ["2", "3"]

    def test_a_repeat_is_found_in_a_later_chunk(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("features.table.CHUNK_ROWS", 2)
        path = a_file(tmp_path, "id,size\n1,2\n2,2\n3,2\n1,2\n")
        parts, intake = nightly_of(path, an_agreement())
        assert ([part.ids for part in parts], intake.rejects[0].line) == ([["1", "2"], ["3"]], 5)


def test_a_field_that_the_leads_do_not_have_is_missing_throughout() -> None:
    leads = admit({"id": ["1", "2"]}, an_agreement(), {}, need_created=False)
    assert leads.column("size") == [None, None]


def test_cells_of_a_request_are_judged_like_those_of_a_file() -> None:
    faults: Faults = {}
    columns = {"id": [7.0, None], "created": [1767609000.0, 5.0], "size": ["select", 3.0]}
    leads = admit(columns, an_agreement(export={"missing": ["Select"]}), faults, need_created=False)
    assert (leads.ids[0], leads.created[0]) == ("7", datetime(2026, 1, 5, 10, 30))
    assert (leads.columns["size"], list(faults)) == ([None, 3.0], [1])


CELLS = {
    "id": st.sampled_from(["1", "2", "3", "4", "", "n/a"]),
    "created": st.sampled_from(["2026-01-05", "5.1.2026", "", "soon"]),
    "status": st.sampled_from(["Won", "lost", "", "Maybe", "n/a"]),
    "closed": st.sampled_from(["2026-02-01", "2025-01-01", "", "x"]),
    "size": st.sampled_from(["1", "a,b", '"', "\u00e9"]),
}


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.tuples(*CELLS.values()), max_size=12))
def test_every_row_is_a_lead_or_among_the_rejects(
    tmp_path: Path, rows: list[tuple[str, ...]]
) -> None:
    path = a_file(tmp_path, HEADER + "".join(",".join(row) + "\n" for row in rows))
    history, intake = history_of(path, an_agreement(export={"missing": ["N/A"], "delimiter": ","}))
    assert len(history) + len(intake.rejects) == intake.read
    assert len(set(history.leads.ids)) == len(history)


@pytest.mark.parametrize("id_", ["1", 2.0, None, "1.0"])
@pytest.mark.parametrize("created", ["2026-01-05T10:00+01:00", None, "soon", 1712011500.0])
def test_a_lead_alone_is_admitted_as_among_others(id_: Any, created: Any) -> None:
    cells = {"id": id_, "created": created, "size": 3.0}
    faults: Faults = {}
    leads = admit({n: [cell] for n, cell in cells.items()}, an_agreement(), faults, False)

    found = admit_one(cells, an_agreement())

    if isinstance(found, Fault):
        assert faults == {0: found}
    else:
        assert (faults, found.cells) == ({}, cells)
        assert (leads.ids, leads.created) == ([found.id], [found.created])
