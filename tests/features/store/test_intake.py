"""Files of hand-offs and feedback: whatever is in them, every row is accounted for."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from features.agreement import Agreement
from features.errors import UsageError
from features.files import Reject, open_table
from features.leads import Fault, Faults
from features.store import intake
from features.store.database import Store
from features.store.handoffs import told_by_items
from features.store.intake import Account, take_feedback, take_handoffs
from features.store.said import Reader, Said
from features.store.tables import Disposition, Handoff, Lead, Snapshot
from tests.features.making import a_file
from tests.features.store.making import MONDAY, NOW, agreed, hand

FEEDBACK = """id,at,disposition,by,value,reason,until
a,2026-03-03,contacted,kim,,,
a,2026-03-05,lost,kim,,no budget,
b,2026-03-05,in_contract,kim,,bound,2026-12-31
c,2026-03-05,won,kim,900,,
a,2026-03-05,lost,kim,,no budget,
a,2026-03-06,lost,kim,12,,
a,2025-03-06,lost,kim,,,
a,2026-03-06,sold,kim,,,
a,22/11/2026,lost,kim,,,
a,2026-03-06,lost,kim
"""


def take(store: Store, path: Path, what=take_feedback, **sections: Any) -> tuple[Account, list]:
    rejects: list[Reject] = []
    agreement: Agreement = agreed(**sections)
    table = open_table(path, agreement.export)
    return what(store, table, agreement, NOW, rejects.append), rejects


def rows_of(store: Store, table: type) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_every_row_of_a_file_is_accounted_for(store: Store, tmp_path: Path) -> None:
    hand(store, "a", "b")

    account, rejects = take(store, a_file(tmp_path, FEEDBACK))

    assert account.read == 10
    assert (account.stored, account.repeated, account.waiting, account.refused) == (3, 1, 2, 4)
    assert account.early == 1
    assert [(r.line, r.field) for r in rejects] == [
        (11, ""), (7, "value"), (9, "disposition"), (10, "at"),
    ]  # fmt: skip


def test_a_file_taken_again_adds_nothing(store: Store, tmp_path: Path) -> None:
    hand(store, "a", "b")
    take(store, a_file(tmp_path, FEEDBACK))
    before = rows_of(store, Disposition)

    account, _ = take(store, a_file(tmp_path, FEEDBACK))

    assert (account.stored, account.repeated, account.waiting) == (0, 4, 2)
    assert rows_of(store, Disposition) == before


def test_a_run_that_was_stopped_leaves_whole_chunks_and_is_done_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "CHUNK", 10)
    hand(store, *(f"l{i}" for i in range(45)))
    lines = "".join(f"l{i},2026-03-05,lost\n" for i in range(45))
    file = a_file(tmp_path, "id,at,code\n" + lines)

    def stop(rows: int) -> None:
        if rows == 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take_feedback(store, open_table(file), agreed(), NOW, lambda _: None, stop)
    assert rows_of(store, Disposition) == 30

    account, _ = take(store, file)
    assert (account.stored, account.repeated) == (15, 30)


def test_dates_of_two_meanings_are_told_where_the_file_holds_both_orders(
    store: Store, tmp_path: Path
) -> None:
    hand(store, "a")
    lines = "id,at,code\na,03/04/2026,lost\na,03/25/2026,won\na,25/03/2026,contacted\n"
    account, rejects = take(store, a_file(tmp_path, lines))

    assert (account.stored, account.refused) == (1, 2)
    assert [r.value for r in rejects] == ["03/04/2026", "25/03/2026"]
    assert "in both orders" in rejects[0].reason


def test_the_fields_of_a_hand_off_become_its_snapshot(store: Store, tmp_path: Path) -> None:
    lines = "Id,At,Owner,Team,campaign,visits,created\na,2026-03-02,kim,north,Fair,3,2026-03-01\n"
    account, _ = take(store, a_file(tmp_path, lines), take_handoffs)

    with store.reading() as connection:
        lead = connection.execute(select(Lead.campaign, Lead.created)).one()
        handoff = connection.execute(select(Handoff.owner, Handoff.team, Handoff.at)).one()
        fields = connection.execute(select(Snapshot.fields)).scalar_one()
    assert account.stored == 1
    assert tuple(lead) == ("Fair", datetime(2026, 3, 1))
    assert tuple(handoff) == ("kim", "north", datetime(2026, 3, 2))
    assert fields == '{"campaign": "Fair", "created": "2026-03-01", "visits": "3"}'


def test_a_lead_handed_over_again_later_has_a_snapshot_of_its_own(
    store: Store, tmp_path: Path
) -> None:
    lines = "id,at,visits\na,2026-03-02,3\na,2026-05-02,3\na,2026-03-02,3\na,,3\n"
    account, _ = take(store, a_file(tmp_path, lines), take_handoffs)

    assert (account.stored, account.repeated) == (3, 1)
    assert rows_of(store, Lead) == 1
    assert rows_of(store, Handoff) == rows_of(store, Snapshot) == 3


def test_a_hand_off_that_cannot_be_is_told_and_its_neighbours_are_kept(
    store: Store, tmp_path: Path
) -> None:
    late, long = "2030-01-01", "x" * 201
    lines = (
        f"id,at,owner,created\n,2026-03-02,,\na,{late},,\nb,soon,,\nc,2026-03-02,,2026-05-01\n"
        f"{long},2026-03-02,,\nd,2026-03-02,{long},\ne,2026-03-02,,soon\nf,2026-03-02,,\n"
    )
    account, rejects = take(store, a_file(tmp_path, lines), take_handoffs)

    assert (account.read, account.stored, account.refused) == (8, 1, 7)
    fields = [r.field for r in rejects]
    assert fields == ["id", "at", "at", "at", "id", "owner", "created"]


def test_a_lead_without_an_owner_goes_where_the_agreement_routes_it(
    store: Store, tmp_path: Path
) -> None:
    routes = [
        {"owner": "ida", "team": "large", "all": [{"field": "visits", "at_least": 10.0}]},
        {"owner": "eve"},
    ]
    lines = "id,owner,visits\na,,12\nb,kim,12\nc,,3\n"
    take(store, a_file(tmp_path, lines), take_handoffs, routes=routes)

    with store.reading() as connection:
        query = select(Lead.id, Handoff.owner, Handoff.team).join(Handoff).order_by(Lead.id)
        rows = [tuple(row) for row in connection.execute(query)]
    assert rows == [("a", "ida", "large"), ("b", "kim", None), ("c", "eve", None)]


def test_what_was_not_known_of_a_lead_is_filled_in_and_what_was_known_stays(store: Store) -> None:
    hand(store, "a", campaign=None)
    hand(store, "a", at=MONDAY.replace(day=3), campaign="Fair")
    hand(store, "a", at=MONDAY.replace(day=4), campaign="Other")

    with store.reading() as connection:
        assert connection.execute(select(Lead.campaign)).scalar_one() == "Fair"


def test_dates_of_hand_offs_in_both_orders_are_told_as_those_of_feedback_are(
    store: Store, tmp_path: Path
) -> None:
    lines = "id,at\na,03/13/2026\nb,04/05/2026\nc,2026-03-02\n"
    account, rejects = take(
        store, a_file(tmp_path, lines), take_handoffs, export={"day_first": True}
    )
    assert (account.stored, account.refused) == (1, 2)
    assert [(r.line, r.field) for r in rejects] == [(2, "at"), (3, "at")]


def test_a_rounded_id_is_no_lead_to_hand_over_and_a_placeholder_no_owner(
    store: Store, tmp_path: Path
) -> None:
    lines = "id,at,owner\n4.71E+12,2026-03-02,kim\nb,2026-03-02,N/A\n"
    account, (reject,) = take(
        store, a_file(tmp_path, lines), take_handoffs, export={"missing": ["N/A"]}
    )
    assert account.stored == 1
    assert "rounded" in reject.reason
    with store.reading() as connection:
        assert connection.execute(select(Handoff.owner)).scalars().all() == [None]


def test_reasons_are_counted_without_the_values(store: Store, tmp_path: Path) -> None:
    lines = "id,at,created\n" + "".join(f"l{i},2026-03-02,Ann {i}\n" for i in range(5))
    account, _ = take(store, a_file(tmp_path, lines), take_handoffs)
    assert account.reasons == {"created: is not a time": 5}


def test_a_text_that_is_too_long_is_not_set_aside_with_the_row(
    store: Store, tmp_path: Path
) -> None:
    hand(store, "a")
    lines = f"id,at,code,reason\na,2026-03-05,lost,{'Zaphod ' * 400}\n"
    _, (reject,) = take(store, a_file(tmp_path, lines))
    assert (reject.field, reject.value) == ("reason", "")


FIELDS = {"visits": {"use": "yes", "kind": "number"}}


@pytest.mark.parametrize("heading", ["id,at,code,by", "id,at,Disposition,visits"])
def test_a_file_of_feedback_is_not_taken_for_hand_offs(
    store: Store, tmp_path: Path, heading: str
) -> None:
    with pytest.raises(UsageError, match=r"is one of feedback.*leadq feedback"):
        take(store, a_file(tmp_path, f"{heading}\na,2026-03-02,lost,3\n"), take_handoffs)
    assert rows_of(store, Handoff) == 0


@pytest.mark.parametrize("heading", ["id,at,status,by", "id,at,colour,shape"])
def test_a_file_that_tells_nothing_agreed_of_its_leads_is_no_file_of_hand_offs(
    store: Store, tmp_path: Path, heading: str
) -> None:
    file = a_file(tmp_path, f"{heading}\na,2026-03-02,Won,kim\n")
    with pytest.raises(UsageError, match=r"is a field of the agreement.*leadq feedback"):
        take(store, file, take_handoffs, fields=FIELDS)
    assert rows_of(store, Handoff) == 0


@pytest.mark.parametrize("heading", ["id,at,owner,team", "id,visits,status,colour"])
def test_hand_offs_may_tell_nothing_of_their_leads_or_more_than_is_agreed(
    store: Store, tmp_path: Path, heading: str
) -> None:
    account, _ = take(store, a_file(tmp_path, f"{heading}\na,,,\n"), take_handoffs, fields=FIELDS)
    assert account.stored == 1


def test_a_row_that_is_refused_names_its_lead(store: Store, tmp_path: Path) -> None:
    hand(store, "a", "b")
    words = "id,at,code,value\na,2026-03-05,lost,12\nb,soon,lost,\nb,2026-03-05,lost\n"
    _, said = take(store, a_file(tmp_path, words))
    _, handed = take(store, a_file(tmp_path, "id,at,visits\nc,soon,3\n"), take_handoffs)
    assert [(r.line, r.id) for r in [*said, *handed]] == [(4, ""), (2, "a"), (3, "b"), (2, "c")]


def test_hand_offs_without_a_time_are_known_as_such(store: Store, tmp_path: Path) -> None:
    dated, _ = take(store, a_file(tmp_path, "id,at\na,2026-03-02\n"), take_handoffs)
    undated, _ = take(store, a_file(tmp_path, "id,owner\na,kim\n"), take_handoffs)
    assert (dated.is_undated, undated.is_undated) == (False, True)


@pytest.mark.parametrize("what", [take_feedback, take_handoffs], ids=["feedback", "hand-offs"])
def test_a_part_that_is_a_list_costs_its_row_alone(store: Store, tmp_path: Path, what) -> None:
    hand(store, "a", "b", "a;b")
    lines = [
        {"id": "a", "at": "2026-03-05", "code": "lost"},
        {"id": ["a", "b"], "at": "2026-03-05", "code": "lost"},
        {"id": "b", "at": ["2026-03-05"], "code": "lost"},
        {"id": [], "at": "2026-03-05", "code": "lost"},
    ]
    if what is take_handoffs:
        lines = [{name: line[name] for name in ("id", "at")} for line in lines]
    file = a_file(tmp_path, "\n".join(map(json.dumps, lines)), "words.jsonl")

    account, rejects = take(store, file, what)

    assert (account.stored, account.refused) == (1, 3)
    assert [(r.line, r.field) for r in rejects] == [(2, "id"), (3, "at"), (4, "id")]
    assert ["is a list" in r.reason for r in rejects] == [True, True, False]


def test_lists_in_items_of_a_request_are_refused_but_for_free_text() -> None:
    faults: Faults = {}
    told_by_items([{"id": ["a", "b"]}, {"id": "a", "owner": ["kim"]}, {"id": "a"}], faults)
    assert {i: fault.field for i, fault in faults.items()} == {0: "id", 1: "owner"}
    reader = Reader(agreed())
    said = {"id": "a", "at": "2026-03-05", "code": "lost"}
    refused = reader.item({**said, "id": ["a", "b"]})
    assert isinstance(refused, Fault)
    assert "is a list" in refused.reason
    kept = reader.item({**said, "reason": ["price", "timing"]})
    assert isinstance(kept, Said)
    assert kept.reason == "price;timing"
