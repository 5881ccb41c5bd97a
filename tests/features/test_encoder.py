import csv
import inspect
import json
import math
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.agreement import Agreement, FieldUse
from features.cells import Cell, cell
from features.coded import CodedCells, Times
from features.encoder import (
    MAX_LEVELS,
    MAX_TOKENS,
    MIN_COUNT,
    CategoryEncoder,
    DateEncoder,
    Encoder,
    NumberEncoder,
    TokensEncoder,
    split_tokens,
)
from features.fields import KEPT, FieldEncoder, Matrix
from features.leads import Leads, admit

from .making import an_agreement, nightly_of

CREATED = datetime(2026, 1, 5)
KINDS = {
    "size": "number",
    "source": "category",
    "seen": "date",
    "products": "options",
    "note": "text",
    "mail": "email",
    "phone": "phone",
}
FIELDS = {
    name: FieldUse(use="yes", kind=kind, separator="|")  # type: ignore[arg-type]
    for name, kind in KINDS.items()
}
AGREEMENT: Agreement = an_agreement()


def leads_of(**columns: list[Any]) -> Leads:
    cells = {name: [cell(value) for value in values] for name, values in columns.items()}
    rows = len(next(iter(cells.values())))
    ids: list[Cell] = [str(i) for i in range(rows)]
    created: list[Cell] = [CREATED.isoformat()] * rows
    whole = {"created": created, **cells, "id": ids}
    return admit(whole, AGREEMENT, {}, need_created=False)


def fitted(kind: str, values: list[Any], separator: str = ";") -> Encoder:
    use = FieldUse(use="yes", kind=kind, separator=separator)  # type: ignore[arg-type]
    return Encoder.fit(leads_of(x=values), AGREEMENT, {"x": use})


def codes(encoder: Encoder, *values: Any) -> list[list[float]]:
    found: list[list[float]] = encoder.encode(leads_of(x=list(values))).tolist()
    return found


FULL = Encoder.fit(
    leads_of(
        size=[1] * 40,
        source=["Web Form", "Fair", "Call", "1"] * 10,
        seen=["2026-01-01"] * 40,
        products=["crm|erp", "CRM", "hr | crm", None] * 10,
        note=["please call me", "Urgent! call", "price?", None] * 10,
        mail=["a@gmail.com", "b@acme.de", "c@mit.edu", "x"] * 10,
        phone=["+49 30 1234567", "030 123456", "+1 212 555 0100", "?"] * 10,
    ),
    AGREEMENT,
    FIELDS,
)

ROWS = st.fixed_dictionaries(
    {
        "size": st.none() | st.floats(allow_nan=False, width=64) | st.integers(-(10**20), 10**20),
        "source": st.none() | st.sampled_from(["Web form", " FAIR ", "1", "New", "ß"]),
        "seen": st.none() | st.datetimes(datetime(1901, 1, 1), datetime(2198, 1, 1)),
        "products": st.none() | st.lists(st.sampled_from(["CRM", "erp", "hr", "new one"])),
        "note": st.none() | st.text("call price! Äß,\n\"", max_size=12),
        "mail": st.none() | st.sampled_from(["a@gmail.com", "b@ACME.de", "nobody"]),
        "phone": st.none() | st.sampled_from(["+49 30 1234567", "+1 212 555 0100", "030 123456"]),
    }
)  # fmt: skip


def as_json(row: dict[str, Any]) -> dict[str, Any]:
    sent = {n: v.isoformat() if isinstance(v, datetime) else v for n, v in row.items()}
    found: dict[str, Any] = json.loads(json.dumps(sent))
    return found


def as_text(value: Any) -> str:
    if isinstance(value, list):
        return "|".join(value)
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def remark(field: FieldEncoder, value: Cell) -> str | None:
    return field.remark(value, field.encode(value, CREATED))


def kept_by(encoder: Encoder) -> set[Cell]:
    """Return the cells of leads alone whose codes an encoder keeps."""
    assert encoder.common == {cell for familiar in encoder._familiar for cell in familiar}
    return encoder.common


class TestDoors:
    """One lead encodes alike to the last bit, whichever way it came in."""

    @settings(max_examples=150, deadline=None)
    @given(st.lists(ROWS, min_size=1, max_size=6))
    def test_a_lead_alone_equals_the_same_lead_among_others(
        self, rows: list[dict[str, Any]]
    ) -> None:
        leads = leads_of(**{n: [row[n] for row in rows] for n in KINDS})
        cells = [{n: leads.columns[n][i] for n in KINDS} for i in range(len(rows))]
        # Twice: what was kept of the first time says the same.
        alone = [FULL.alone(of_one, CREATED) for of_one in cells * 2]
        assert np.array([row for row, _ in alone[: len(rows)]]).tobytes() == (
            FULL.encode(leads).tobytes()
        )
        assert repr(alone[: len(rows)]) == repr(alone[len(rows) :])

    @settings(max_examples=50, deadline=None)
    @given(ROWS)
    def test_what_is_odd_about_a_lead_alone_is_what_its_fields_say(
        self, row: dict[str, Any]
    ) -> None:
        cells = {name: cell(value) for name, value in row.items()}
        _, odd = FULL.alone(cells, CREATED)
        said = {field.field: remark(field, cells[field.field]) for field in FULL.fields}
        assert odd == {name: remark for name, remark in said.items() if remark}

    def test_of_what_may_tell_of_a_person_nothing_is_kept(self) -> None:
        encoder = Encoder(FULL.fields)
        told = {"note": "call Anna", "mail": "anna@acme.de", "phone": "030 123456", "source": "An"}
        encoder.alone({**told, "size": 7.0}, CREATED)
        kept = kept_by(encoder)
        assert 7.0 in kept
        assert kept.isdisjoint(told.values())

    def test_of_options_those_alone_are_kept_that_are_all_known(self) -> None:
        encoder = fitted("options", ["crm; erp"] * MIN_COUNT)
        for chosen in ("erp", "crm;CRM", "crm;Ann Smith", "Ann Smith"):
            encoder.alone({"x": chosen}, CREATED)
        assert kept_by(encoder) == {None, "erp", "crm;CRM"}
        assert not hasattr(encoder.fields[0].reader, "cache_info")

    def test_long_cells_are_not_kept(self) -> None:
        number, options = fitted("number", [1.0]), fitted("options", ["crm; erp"] * MIN_COUNT)
        number.alone({"x": "0" * 100 + "7"}, CREATED)
        options.alone({"x": ";" * 100 + "crm"}, CREATED)
        assert kept_by(number) == kept_by(options) == {None}

    def test_the_cells_that_came_first_leave_when_there_are_too_many(self) -> None:
        encoder = fitted("number", [1.0])
        rows = [encoder.alone({"x": float(n)}, CREATED)[0] for n in range(KEPT + 5)]
        assert rows == [[float(n)] for n in range(KEPT + 5)]
        assert kept_by(encoder) >= {None, KEPT + 4.0}
        assert 0.0 not in kept_by(encoder)

    def test_cells_that_leave_disturb_no_other_thread(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("features.encoder.KEPT", 2)  # so that they leave all the time
        encoder = fitted("number", [1.0])
        usual = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            with ThreadPoolExecutor(1) as pool:
                filling = pool.submit(
                    lambda: [encoder.alone({"x": n / 7}, CREATED) for n in range(10_000)]
                )
                while not filling.done():
                    assert math.isnan(encoder.alone({}, CREATED)[0][0])
                filling.result()
        finally:
            sys.setswitchinterval(usual)

    def test_an_encoder_is_sent_elsewhere_without_the_cells_that_came_by(self) -> None:
        encoder = Encoder(FULL.fields)
        row, _ = encoder.alone({"size": 12345.5}, CREATED)
        again = pickle.loads(pickle.dumps(encoder))
        assert 12345.5 in kept_by(encoder)
        assert 12345.5 not in kept_by(again)
        assert repr(again.alone({"size": 12345.5}, CREATED)[0]) == repr(row)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(ROWS, min_size=1, max_size=6))
    def test_json_and_csv_encode_alike(self, tmp_path: Path, rows: list[dict[str, Any]]) -> None:
        path = tmp_path / "leads.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter=";", quoting=csv.QUOTE_ALL)
            writer.writerow(["id", "created", *KINDS])
            for i, row in enumerate(rows):
                writer.writerow([i, CREATED.isoformat(), *(as_text(row[n]) for n in KINDS)])
        sent = [as_json(row) for row in rows]
        typed = FULL.encode(leads_of(**{n: [row[n] for row in sent] for n in KINDS}))
        ((read,), _) = nightly_of(path, an_agreement(export={"delimiter": ";"}))
        assert FULL.encode(read).tobytes() == typed.tobytes()

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(ROWS, min_size=1, max_size=6))
    def test_json_and_parquet_encode_alike(
        self, tmp_path: Path, rows: list[dict[str, Any]]
    ) -> None:
        typed = [
            {**row, "size": None if row["size"] is None else float(row["size"])} for row in rows
        ]
        columns = {n: [row[n] for row in typed] for n in KINDS}
        types = {
            "size": pa.float64(),
            "seen": pa.timestamp("us"),
            "products": pa.list_(pa.string()),
        }
        arrays = {n: pa.array(v, types.get(n, pa.string())) for n, v in columns.items()}
        pq.write_table(
            pa.table({"id": range(len(rows)), "created": [CREATED] * len(rows), **arrays}),
            tmp_path / "leads.parquet",
        )
        sent = [as_json(row) for row in typed]
        expected = FULL.encode(leads_of(**{n: [row[n] for row in sent] for n in KINDS}))
        ((read,), _) = nightly_of(tmp_path / "leads.parquet", AGREEMENT)
        assert FULL.encode(read).tobytes() == expected.tobytes()

    @settings(max_examples=60, deadline=None)
    @given(st.lists(ROWS, min_size=1, max_size=4))
    def test_the_state_goes_through_json(self, rows: list[dict[str, Any]]) -> None:
        again = Encoder.from_dict(json.loads(json.dumps(FULL.as_dict())))
        leads = leads_of(**{n: [row[n] for row in rows] for n in KINDS})
        assert again.encode(leads).tobytes() == FULL.encode(leads).tobytes()
        assert (again.columns, again.as_dict()) == (FULL.columns, FULL.as_dict())

    def test_the_sign_of_zero_does_not_depend_on_the_neighbours(self) -> None:
        encoder = fitted("number", [1.0])
        together = encoder.encode(leads_of(x=[0.0, -0.0, "-0"]))
        assert not np.signbit(together).any()


class TestNumbers:
    def test_a_number_is_itself_and_missing_is_nan(self) -> None:
        ((first,), (second,)) = codes(fitted("number", [1]), "1,250.5", None)
        assert (first, math.isnan(second)) == (1250.5, True)

    @pytest.mark.parametrize("odd", ["many", math.inf, "1e999", True])
    def test_what_is_no_number_is_missing_and_remarked_on(self, odd: Any) -> None:
        encoder = fitted("number", [1])
        assert math.isnan(codes(encoder, odd)[0][0])
        assert remark(encoder.fields[0], cell(odd)) == "is not a number and counts as missing"
        assert encoder.fields[0].shown(cell(odd)) is None

    def test_the_agreed_decimal_mark_is_kept(self) -> None:
        agreement = an_agreement(export={"decimal": ","})
        use = FieldUse(use="yes", kind="number")
        encoder = Encoder.fit(leads_of(x=["1,5"]), agreement, {"x": use})
        assert codes(Encoder.from_dict(encoder.as_dict()), "1.250,5") == [[1250.5]]

    def test_a_whole_number_is_shown_without_zeros(self) -> None:
        assert NumberEncoder("x").shown(12.0) == "12"


class TestCategories:
    def test_codes_follow_frequency_and_ties_the_alphabet(self) -> None:
        encoder = fitted("category", ["b"] * 10 + ["c"] * 12 + ["a"] * 10)
        assert encoder.columns[0].levels == ("other", "c", "a", "b")

    def test_spellings_are_one_category_under_the_commonest(self) -> None:
        encoder = fitted("category", ["web form"] * 5 + ["Web Form"] * 6 + ["WEB  form "])
        assert encoder.columns[0].levels == ("other", "Web Form")
        assert codes(encoder, "WEB FORM", "web  form") == [[1.0], [1.0]]

    def test_what_fewer_leads_have_is_written_nowhere(self) -> None:
        encoder = fitted("category", ["A. Person"] * (MIN_COUNT - 1) + ["Acme"] * MIN_COUNT)
        assert "Person" not in json.dumps(encoder.as_dict())
        assert codes(encoder, "A. Person", "Acme") == [[0.0], [1.0]]

    def test_rare_and_unseen_are_remarked_on_and_missing_is_not(self) -> None:
        field = fitted("category", ["a"] * 10).fields[0]
        remarks = [remark(field, value) for value in ("a", "b", None)]
        assert remarks == [None, "was rare or absent in training", None]

    def test_missing_is_nan_and_not_other(self) -> None:
        assert math.isnan(codes(fitted("category", ["a"] * 10), None)[0][0])

    @pytest.mark.parametrize("typed", [7, 7.0, "7", "7.0", " 7 "])
    def test_a_number_as_category_has_one_code_whatever_its_type(self, typed: Any) -> None:
        assert codes(fitted("category", ["7"] * 10), typed) == [[1.0]]

    def test_only_the_most_frequent_have_a_code(self) -> None:
        values = [f"c{i}" for i in range(MAX_LEVELS + 5) for _ in range(MIN_COUNT)]
        assert len(fitted("category", values).columns[0].levels or ()) == MAX_LEVELS + 1

    def test_of_an_address_only_the_kind_of_its_domain_is_read_and_shown(self) -> None:
        encoder = fitted("email", [f"p{i}@gmail.com" for i in range(10)])
        assert encoder.columns[0].levels == ("other", "free")
        assert encoder.fields[0].shown("kim@gmail.com") == "free (kind of domain)"

    def test_of_a_phone_number_only_its_region_is_read_and_shown(self) -> None:
        encoder = fitted("phone", [f"+49 30 123456{i}" for i in range(10)])
        assert (encoder.columns[0].name, encoder.columns[0].levels) == (
            "x (region)",
            ("other", "DE"),
        )
        assert encoder.fields[0].shown("+49 30 7654321") == "DE (region)"


class TestDates:
    def test_a_date_is_days_after_creation_and_negative_before(self) -> None:
        found = codes(fitted("date", [None]), "2026-01-06T12:00", "2026-01-04")
        assert found == [[1.5], [-1.0]]

    def test_without_a_creation_time_a_date_says_nothing(self) -> None:
        assert math.isnan(DateEncoder("x").encode("2026-01-05", None)[0])

    def test_zones_are_reckoned_in(self) -> None:
        assert DateEncoder("x").encode("2026-01-05T01:00+01:00", CREATED) == (0.0,)

    def test_the_agreed_order_of_day_and_month_is_kept(self) -> None:
        agreement = an_agreement(export={"day_first": True})
        use = FieldUse(use="yes", kind="date")
        encoder = Encoder.fit(leads_of(x=[None]), agreement, {"x": use})
        assert codes(Encoder.from_dict(encoder.as_dict()), "06/01/2026") == [[1.0]]

    @pytest.mark.parametrize("odd", ["soon", "9999-12-31T23:59:59-05:00", 3.0])
    def test_what_is_no_date_is_missing_and_remarked_on(self, odd: Cell) -> None:
        field = DateEncoder("x")
        assert math.isnan(field.encode(odd, CREATED)[0])
        assert remark(field, odd) == "is not a date and counts as missing"
        assert (field.shown(odd), field.shown("2026-01-05")) == (None, "2026-01-05")


class TestTokens:
    def test_each_option_has_a_column_and_their_number_another(self) -> None:
        encoder = fitted("options", ["crm; ERP", "CRM"] * 10)
        names = [column.name for column in encoder.columns]
        assert names == ["x: crm", "x: erp", "x (number of options)"]
        assert codes(encoder, "erp;new", "crm;crm; ") == [[0, 1, 2], [1, 0, 1]]

    @pytest.mark.parametrize("separator", [";", "|", ",", "/"])
    def test_a_list_and_a_text_of_options_are_alike(self, separator: str) -> None:
        encoder = fitted("options", [f"crm{separator}erp"] * 10, separator)
        assert codes(encoder, ["CRM", "erp"], f"crm {separator} ERP") == [[1, 1, 2]] * 2

    def test_the_words_of_a_text_are_letters_only(self) -> None:
        assert split_tokens("Call-back: 24h, s'il vous plaît!", "") == {
            *("call", "back", "h", "s", "il", "vous", "plaît")
        }

    def test_missing_is_nan_in_every_column(self) -> None:
        assert all(map(math.isnan, codes(fitted("text", ["call me"] * 10), None)[0]))

    def test_rare_words_are_neither_kept_nor_shown(self) -> None:
        encoder = fitted("text", ["call Kim"] * 9 + ["call"])
        assert encoder.as_dict()[0]["tokens"] == ["call"]
        shown = [encoder.fields[0].shown(text) for text in ("call Kim", "Kim", None)]
        assert shown == ["call", "(none known)", None]

    def test_only_the_most_frequent_have_a_column(self) -> None:
        text = " ".join(chr(97 + i) * 3 for i in range(MAX_TOKENS - 5))
        more = " ".join(chr(97 + i) * 2 for i in range(10))
        encoder = fitted("text", [f"{text} {more}"] * 10)
        assert len(encoder.columns) == MAX_TOKENS + 1

    def test_free_choice_is_never_remarked_on(self) -> None:
        assert remark(TokensEncoder("x", ("a",), ";"), "b") is None


class TestEncoder:
    def test_a_field_that_the_leads_do_not_have_is_missing(self) -> None:
        leads = admit({"id": ["1"]}, AGREEMENT, {}, need_created=False)
        assert np.isnan(FULL.encode(leads)).all()

    def test_a_field_that_training_did_not_have_can_be_fitted(self) -> None:
        encoder = Encoder.fit(leads_of(other=["a"]), AGREEMENT, FIELDS)
        assert np.isnan(encoder.encode(leads_of(other=["a"]))).all()

    def test_no_leads_give_an_empty_matrix_of_full_width(self) -> None:
        assert FULL.encode(leads_of(x=[])).shape == (0, len(FULL.columns))

    def test_the_order_of_leads_does_not_change_what_is_learned(self) -> None:
        values = ["a"] * 12 + ["B"] * 12 + ["b"] * 12
        assert fitted("category", values).as_dict() == fitted("category", values[::-1]).as_dict()

    def test_times_of_creation_are_laid_out_once_for_all_dates(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use = FieldUse(use="yes", kind="date")
        leads = leads_of(asked=["2026-01-06"], seen=["2026-01-04"])
        encoder = Encoder.fit(leads, AGREEMENT, {"asked": use, "seen": use})
        by_row, laid_out = DateEncoder.by_row, []

        def noted(self: DateEncoder, cells: CodedCells, created: Times) -> Matrix:
            laid_out.append(created)
            return by_row(self, cells, created)

        monkeypatch.setattr(DateEncoder, "by_row", noted)
        assert encoder.encode(leads).tolist() == [[1.0, -1.0]]
        first, second = laid_out
        assert first is second

    def test_columns_name_their_field(self) -> None:
        assert {column.field for column in FULL.columns} == set(KINDS)

    def test_equal_states_are_equal_encoders(self) -> None:
        assert CategoryEncoder("x", ("a",)) == CategoryEncoder("x", ("a",))


def test_readings_of_persons_are_not_kept_in_memory() -> None:
    leads = leads_of(note=["call Ann Smith"] * 20, size=["7"] * 20)
    words = TokensEncoder.fit("note", FieldUse(use="yes", kind="text"), leads, AGREEMENT)
    assert not hasattr(words.reader, "cache_info")
    assert hasattr(NumberEncoder("size").reader, "cache_info")


def test_what_is_derived_from_a_person_is_kept_without_the_person() -> None:
    read = CategoryEncoder("mail", ("free",), "email").reader
    assert read("ann.smith@gmail.com") == read("ann.smith@gmail.com") == "free"
    kept = inspect.getclosurevars(read).nonlocals["known"]
    assert hash("ann.smith@gmail.com") in kept
    assert "ann" not in repr(kept)
