"""What campaigns bring, from the raw rows by another route: spellings, undo, values, reasons."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest

from features.store import campaigns
from features.store.database import Store
from tests.features.store.past import START, Past, Row, drawn
from tests.serving.raw_rows import ACCEPTED, Raw

HORIZON = 90
SINCE, AS_OF = START + timedelta(weeks=4), START + timedelta(weeks=40)
EVER = datetime.max


def counted(past: Past) -> list[tuple[Row, Row | None, bool]]:
    """Leads of the stretch, each with the word that counts, and whether sales accepted it."""
    raw, found = Raw(past, EVER), []
    for key, lead in raw.leads.items():
        created = lead["created"] or lead["added"]
        if lead["erased"] or not SINCE <= created < AS_OF:
            continue
        word = raw.last_word(key)
        accepted = any(w["code"] in ACCEPTED and w["code"] != "won" for w in raw.said[key])
        found.append((lead, word, accepted))
    return found


def state_of(lead: Row, word: Row | None) -> str:
    if word is None:
        return "open"
    closed = word["closed"] if word["origin"] == "export" else None
    over = (lead["created"] or lead["added"]) + timedelta(days=HORIZON)
    is_late = word["code"] == "won" and (closed or word["at"]) >= over
    return "won late" if is_late else word["code"]


@pytest.mark.parametrize("seed", range(4))
def test_leads_are_counted_as_the_raw_rows_say(store: Store, seed: int) -> None:
    past = drawn(seed)
    past.keep(store)
    with store.reading() as connection:
        groups = campaigns.lead_groups(connection, SINCE, AS_OF, HORIZON)

    leads: Counter[tuple[str | None, str, bool]] = Counter()
    for group in groups:
        leads[group.name, group.state, group.accepted] += group.leads
    wanted = Counter(
        (lead["campaign"], state_of(lead, word), accepted or state_of(lead, word)[:3] == "won")
        for lead, word, accepted in counted(past)
    )
    assert leads == wanted
    assert len(wanted) > 20


@pytest.mark.parametrize("seed", range(4))
def test_first_scores_and_values_are_summed_as_the_raw_rows_say(store: Store, seed: int) -> None:
    past = drawn(seed)
    past.keep(store)
    with store.reading() as connection:
        groups = campaigns.lead_groups(connection, SINCE, AS_OF, HORIZON)

    raw, chance, value = Raw(past, EVER), 0.0, 0.0
    grades: Counter[str | None] = Counter()
    for lead, word, _ in counted(past):
        first = min(raw.scores[lead["key"]], key=lambda row: row["at"], default=None)
        grades[first and first["grade"]] += 1
        chance += first["probability"] if first else 0.0
        if word and word["code"] == "won":
            value += word["value"]
    assert sum(group.probability for group in groups) == pytest.approx(chance)
    assert sum(group.value for group in groups) == pytest.approx(value)
    for grade, leads in grades.items():
        assert sum(group.leads for group in groups if group.grade == grade) == leads


@pytest.mark.parametrize("seed", range(4))
def test_leads_stand_at_their_age_in_whole_weeks(store: Store, seed: int) -> None:
    past, as_of = drawn(seed), START + timedelta(weeks=20, hours=7)
    past.keep(store)
    with store.reading() as connection:
        groups = campaigns.lead_groups(connection, START, as_of, HORIZON)

    bounds = campaigns.age_bounds(HORIZON)
    wanted: Counter[int] = Counter()
    for lead in past.leads:
        created = lead["created"] or lead["added"]
        if lead["erased"] is None and START <= created < as_of:
            days = (as_of - created) / timedelta(days=1)
            wanted[max(n for n, bound in enumerate(bounds) if n == 0 or days >= bound)] += 1
    found: Counter[int] = Counter()
    for group in groups:
        found[group.ages] += group.leads
    assert found == wanted


@pytest.mark.parametrize("seed", range(4))
def test_reasons_and_costs_are_those_of_the_raw_rows(store: Store, seed: int) -> None:
    past = drawn(seed)
    past.keep(store)
    with store.reading() as connection:
        reasons = campaigns.reasons_of(connection, SINCE, AS_OF)
        costs = campaigns.costs(connection, SINCE.date(), AS_OF.date())

    wanted = Counter(
        (lead["campaign"], word["code"], word["reason"])
        for lead, word, _ in counted(past)
        if word and word["code"] not in ("won", "open")
    )
    assert {(r.name, r.code, r.reason): r.leads for r in reasons} == wanted
    days = [row for row in past.spend if SINCE.date() <= row["date"] <= AS_OF.date()]
    for cost in costs:
        own = [row for row in days if row["campaign"] == cost.name]
        told = [row["visits"] for row in own if row["visits"] is not None]
        assert cost.amount == pytest.approx(sum(row["amount"] for row in own))
        assert cost.visits == (sum(told) if told else None)
    assert {cost.name for cost in costs} == {row["campaign"] for row in days}
