"""What an older service left as it was is found and drawn anew."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, delete, event, insert, select, update

from features.store.database import Store
from features.store.drawn import HandoffState, LeadState, Worklist
from features.store.mended import mend
from features.store.tables import Disposition, Handoff, Lead, Score, Snapshot
from tests.features.store.making import hand, lost, say
from tests.features.store.past import drawn
from tests.features.store.test_handoff_states import lines as handoff_lines
from tests.features.store.test_lead_states import lines, live_through

WRITES = (Lead, Snapshot, Handoff, Score, Disposition)


def listed(store: Store) -> list[Any]:
    with store.reading() as connection:
        rows = select(Worklist.lead, Worklist.handed, Worklist.touched, Worklist.step)
        return list(connection.execute(rows.order_by(Worklist.lead)).all())


def all_lines(store: Store) -> tuple[Any, ...]:
    return lines(store), handoff_lines(store), listed(store)


@pytest.mark.parametrize("seed", range(2))
def test_what_a_writer_wrote_that_knows_no_lines_is_drawn(
    store: Store, seed: int, monkeypatch
) -> None:
    monkeypatch.setattr("features.store.mended._WRITTEN_AT_ONCE", 50)
    past = drawn(seed, leads=120)
    past.keep(store)
    wanted = all_lines(store)
    for table in (Worklist, HandoffState, LeadState):
        store.write(lambda c, table=table: c.execute(delete(table)))
    assert mend(store) == 120
    assert all_lines(store) == wanted
    assert mend(store) == 0


def test_only_leads_whose_lines_are_stale_are_drawn(store: Store) -> None:
    live_through(store)
    wanted = all_lines(store)
    assert mend(store) == 0
    store.write(lambda c: c.execute(update(LeadState).where(LeadState.lead == 1).values(code="x")))
    other = max(line["lead"] for line in wanted[1])
    store.write(lambda c: c.execute(delete(HandoffState).where(HandoffState.lead == other)))
    assert mend(store) == 2
    assert all_lines(store) == wanted


def test_a_word_of_an_older_service_reaches_the_queue(store: Store) -> None:
    hand(store, "a", "b")
    say(store, lost("b"))
    with store.reading() as connection:
        (word,) = connection.execute(select(Disposition.__table__)).mappings().all()
    row = {**word, "key": word["key"] + 1, "lead": 1, "code": "won", "digest": "other"}
    store.write(lambda c: c.execute(insert(Disposition), [row]))
    assert [lead for lead, *_ in listed(store)] == [1]

    assert mend(store) == 1
    assert (listed(store), lines(store)[0]["code"]) == ([], "won")


def test_the_statements_are_as_many_for_few_leads_as_for_many(store: Store) -> None:
    hand(store, "a")
    few = _statements(store)
    hand(store, *(f"l{n}" for n in range(40)))
    assert _statements(store) == few < 20


def _statements(store: Store) -> int:
    """How many statements it takes to find that nothing is stale."""
    said: list[str] = []

    def note(*told: Any) -> None:
        said.append(told[2])

    event.listen(Engine, "before_cursor_execute", note)
    assert mend(store) == 0
    event.remove(Engine, "before_cursor_execute", note)
    return len(said)
