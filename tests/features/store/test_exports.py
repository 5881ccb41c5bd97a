"""Exports and scores come into the store: changes alone are added, and nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from features.leads import ROW_NUMBER, History
from features.store.database import Store
from features.store.exports import keep_export
from features.store.scores import Given, keep_scores
from features.store.tables import Disposition, Lead, Score, Snapshot
from tests.features.store.making import MONDAY, NOW, agreed, lost, say, some_leads

WEEK = timedelta(days=7)
VALUED = agreed(columns={"id": "id", "outcome": "status", "created": "created", "value": "value"})


def an_export(codes: Sequence[str], closed: datetime | None = MONDAY, **fields: Any) -> History:
    """Leads a, b, c … with what an export says of them."""
    leads = some_leads(*"abcdefg"[: len(codes)], **fields)
    dates = [None if code == "open" else closed for code in codes]
    return History(leads, list(codes), dates, [float("nan")] * len(codes))  # type: ignore[arg-type]


def words(store: Store) -> list[tuple[str, str, datetime, datetime | None]]:
    rows = select(Lead.id, Disposition.code, Disposition.at, Disposition.closed)
    with store.reading() as connection:
        joined = rows.join(Lead, Lead.key == Disposition.lead).order_by(Disposition.key)
        return [tuple(row) for row in connection.execute(joined)]


def count(store: Store, table: type) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_an_export_is_kept_as_leads_snapshots_and_outcomes(store: Store) -> None:
    keep_export(store, an_export(["won", "lost", "open"]), agreed(), NOW)
    assert count(store, Lead) == count(store, Snapshot) == 3
    assert words(store) == [("a", "won", MONDAY, MONDAY), ("b", "lost", MONDAY, MONDAY)]


def test_the_same_export_again_adds_nothing(store: Store) -> None:
    for moment in (NOW, NOW + WEEK):
        keep_export(store, an_export(["won", "open"], None), agreed(), moment)
    assert count(store, Lead) == count(store, Snapshot) == 2
    assert words(store) == [("a", "won", NOW, None)]


def test_a_newer_export_adds_what_changed_at_the_moment_of_reading(store: Store) -> None:
    keep_export(store, an_export(["won", "open"]), agreed(), NOW)
    keep_export(store, an_export(["lost", "won"]), agreed(), NOW + WEEK)
    keep_export(store, an_export(["won", "won"]), agreed(), NOW + 2 * WEEK)
    assert words(store)[1:] == [
        ("a", "lost", NOW + WEEK, MONDAY),
        ("b", "won", MONDAY, MONDAY),
        ("a", "won", NOW + 2 * WEEK, MONDAY),
    ]


def test_a_field_that_changed_is_a_new_snapshot(store: Store) -> None:
    keep_export(store, an_export(["open"]), agreed(), NOW)
    keep_export(store, an_export(["open"], visits="4"), agreed(), NOW + WEEK)
    assert (count(store, Lead), count(store, Snapshot)) == (1, 2)


def test_the_sum_of_a_win_is_kept_and_that_of_a_lost_lead_is_not(store: Store) -> None:
    keep_export(store, an_export(["won", "lost"], value="1200.50"), VALUED, NOW)
    with store.reading() as connection:
        rows = select(Disposition.value).order_by(Disposition.key)
        assert connection.execute(rows).scalars().all() == [1200.5, None]


def test_the_word_of_the_crm_is_kept_as_the_agreement_spells_it(store: Store) -> None:
    keep_export(store, an_export(["won", "lost"], status=" LOST "), agreed(), NOW)
    with store.reading() as connection:
        rows = select(Disposition.told).order_by(Disposition.key)
        assert connection.execute(rows).scalars().all() == ["Lost", "Lost"]


def test_what_sales_said_before_the_lead_came_is_applied(store: Store) -> None:
    say(store, lost("a"))
    keep_export(store, an_export(["open"]), agreed(), NOW)
    assert [(id_, code) for id_, code, *_ in words(store)] == [("a", "lost")]


def test_scores_stand_beside_their_leads_and_snapshots(store: Store) -> None:
    given = Given("7", [0.25, 0.5], ["C", "A"], propensity=[0.05, None], lane=["explore", None])
    for _ in range(2):
        keep_scores(store, some_leads("a", "b"), given, agreed(), NOW)
    with store.reading() as connection:
        rows = connection.execute(
            select(Score.model, Score.probability, Score.grade, Score.lane, Score.propensity)
            .where(Score.snapshot.is_not(None))
            .order_by(Score.key)
        ).all()
    assert rows == [("7", 0.25, "C", "explore", 0.05), ("7", 0.5, "A", None, None)]
    assert count(store, Snapshot) == 2


def test_leads_without_an_id_of_their_own_are_not_kept(store: Store) -> None:
    numbered = agreed(columns={"id": ROW_NUMBER, "outcome": "status", "created": "created"})
    export = an_export(["won", "lost"])
    keep_export(store, export, numbered, NOW)
    keep_scores(store, export.leads, Given("1", [0.5, 0.1], ["A", "D"]), numbered, NOW)
    assert (count(store, Lead), count(store, Score)) == (0, 0)
