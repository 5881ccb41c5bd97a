"""Campaign figures, recomputed from the raw rows by another route: plain Python, lead by lead."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, insert, select

from features.cells import key_of
from features.store.database import Store, open_store
from features.store.tables import Disposition, Lead, Note, Score, Spend
from serving.api import build
from serving.campaign_desk import CampaignDesk
from serving.campaign_figures import Campaign, Campaigns
from serving.campaign_lines import COLUMNS, campaign_lines, rows
from serving.campaign_names import NOT_GIVEN
from serving.outlook import Range
from tests.features.store.making import agreed, hand
from tests.features.store.simulated import filled
from tests.serving.recount.rows import campaign_of
from tests.serving.test_intake import NO_MODEL, PROBLEM, backing

NOW = datetime(2026, 11, 1)
DAYS, HORIZON = 180, 90
STEPS = ("contacted", "accepted", "qualified", "opportunity")
ORDER = ("open", "unreachable", "not_ready", "in_contract", "unqualified", "lost", "won")


@dataclass
class Counted:
    """What the rows say of a campaign."""

    leads: int = 0
    won: int = 0
    late: int = 0
    accepted: int = 0
    answered: int = 0
    value: float = 0.0
    by_now: float = 0.0
    last: float = 0.0
    before: float = 0.0
    grades: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('campaigns') / 'store.db'}")
    filled(store)
    note = {"campaign": "x", "text": "nobody answers", "by": "kim", "at": NOW - timedelta(days=1)}
    with store.reading() as connection:
        largest = connection.execute(select(Lead.campaign).limit(1)).scalar_one()
    store.write(lambda c: c.execute(insert(Note), [note | {"campaign": largest}]))
    return store


@pytest.fixture(scope="module")
def figures(opened: Store) -> Campaigns:
    return CampaignDesk().figures(opened, agreed(), None, NOW, DAYS)


def counted(store: Store) -> dict[str, Counted]:
    """Walk through all rows of the store, lead by lead."""
    with store.reading() as connection:
        leads = connection.execute(select(Lead)).all()
        scores = connection.execute(select(Score).order_by(Score.at.desc(), Score.key.desc())).all()
        words = connection.execute(select(Disposition)).all()
    first = {score.lead: score for score in scores}
    said: dict[int, list[Any]] = defaultdict(list)
    for word in words:
        if word.at < NOW:
            said[word.lead].append(word)
    found: dict[str, Counted] = defaultdict(Counted)
    for lead in leads:
        if NOW - timedelta(days=DAYS) <= lead.created < NOW:
            _count(found[campaign_of(lead.campaign)], lead, first.get(lead.key), said[lead.key])
    return found


def _count(one: Counted, lead: Any, score: Any, said: list[Any]) -> None:
    endings = [word for word in said if word.code not in STEPS]
    last = max(endings, key=lambda word: (word.at, ORDER.index(word.code)), default=None)
    code = last.code if last else "open"
    in_time = last is not None and last.at < lead.created + timedelta(days=HORIZON)
    accepted = code == "won" or any(word.code in STEPS[1:] for word in said)
    one.leads += 1
    one.won += code == "won" and in_time
    one.late += code == "won" and not in_time
    one.accepted += accepted
    one.answered += accepted or code != "open"
    if code == "won":
        one.value += last.value
    elif code != "open":
        one.reasons[code, key_of(last.reason)] += 1
    if score:
        age = (NOW - lead.created) / timedelta(days=1)
        one.grades[score.grade] += 1
        one.by_now += score.probability * min(1.0, age / HORIZON)
        one.last += score.probability if age < 28 else 0.0
        one.before += score.probability if 28 <= age < 56 else 0.0


def by_key(figures: Campaigns) -> dict[str, Campaign]:
    return {"" if c.name == NOT_GIVEN else campaign_of(c.name): c for c in figures.campaigns}


def test_the_figures_are_those_that_the_rows_say(opened: Store, figures: Campaigns) -> None:
    wanted, found = counted(opened), by_key(figures)
    assert {key for key, c in found.items() if c.leads} == set(wanted)
    for key, one in wanted.items():
        c = found[key]
        assert (c.leads, c.won, c.won_late) == (one.leads, one.won, one.late)
        assert (c.accepted, c.answered) == (one.accepted, one.answered)
        assert {grade: n for grade, n in c.grades.items() if n} == dict(one.grades)
        assert c.value == pytest.approx(one.value)
        assert sum(r.leads for r in c.reasons) == one.reasons.total()
        assert (c.trend.now, c.trend.before) == (
            pytest.approx(one.last, rel=1e-6),
            pytest.approx(one.before, rel=1e-6),
        )


def test_what_was_expected_by_now_is_that_of_single_leads_but_for_their_days(
    opened: Store, figures: Campaigns
) -> None:
    wanted = counted(opened)
    for key, c in by_key(figures).items():
        if c.by_now is not None:
            assert c.by_now.value == pytest.approx(wanted[key].by_now, rel=0.05, abs=0.3)


def test_costs_are_those_of_the_days_that_are_counted(opened: Store, figures: Campaigns) -> None:
    wanted: dict[str, float] = defaultdict(float)
    with opened.reading() as connection:
        for row in connection.execute(select(Spend)):
            if NOW - timedelta(days=DAYS) <= datetime.combine(row.date, datetime.min.time()) <= NOW:
                wanted[campaign_of(row.campaign)] += row.amount
    found = {key: c.cost for key, c in by_key(figures).items() if c.cost is not None}
    assert found == {key: pytest.approx(cost, abs=0.01) for key, cost in wanted.items()}


def test_all_together_are_the_sum_of_the_campaigns(figures: Campaigns) -> None:
    for name in ("leads", "scored", "won", "won_late", "accepted", "answered", "value"):
        parts = sum(getattr(c, name) for c in figures.campaigns)
        assert getattr(figures.total, name) == pytest.approx(parts)
    assert figures.total.cost == pytest.approx(sum(c.cost or 0 for c in figures.campaigns))


def test_intervals_hold_their_figures_and_what_has_come_already(figures: Campaigns) -> None:
    for c in figures.campaigns:
        if c.wins is not None:
            assert c.won <= c.wins.low <= c.wins.high
            assert c.won <= c.wins.value
        if c.revenue is not None:
            assert c.value <= c.revenue.low <= c.revenue.value <= c.revenue.high


def test_those_whose_budget_surely_matters_stand_first(figures: Campaigns) -> None:
    sure = [c.budget in ("more", "less") for c in figures.campaigns]
    assert sure == sorted(sure, reverse=True)
    assert any(sure)


def test_notes_stand_beside_their_campaign(figures: Campaigns) -> None:
    told = [note.text for c in figures.campaigns for note in c.notes]
    assert told == ["nobody answers"]


def test_the_statements_are_as_many_for_few_leads_as_for_many(opened: Store) -> None:
    counts = []
    for days in (3, DAYS):
        statements: list[Any] = []

        def listen(*told: Any, into: list[Any] = statements) -> None:
            into.append(told[2])

        event.listen(opened._engine, "before_cursor_execute", listen)
        CampaignDesk().figures(opened, agreed(), None, NOW, days)
        event.remove(opened._engine, "before_cursor_execute", listen)
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 8


def test_a_second_look_counts_no_leads_again_but_reads_costs(opened: Store) -> None:
    desk, statements = CampaignDesk(), list[str]()
    desk.figures(opened, agreed(), None, NOW, DAYS)

    def listen(*told: Any) -> None:
        statements.append(told[2])

    event.listen(opened._engine, "before_cursor_execute", listen)
    desk.figures(opened, agreed(), None, NOW + timedelta(seconds=5), DAYS)
    desk.figures(opened, agreed(), None, NOW + timedelta(minutes=5), DAYS)
    event.remove(opened._engine, "before_cursor_execute", listen)
    assert not any("row_number" in text for text in statements)
    assert sum("FROM spend" in text for text in statements) == 2


def test_leads_are_counted_again_once_something_has_happened(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    filled(store, leads=200, months=6)
    desk = CampaignDesk()
    before = desk.figures(store, agreed(), None, NOW, DAYS).total
    hand(store, "x", created=(NOW - timedelta(days=1)).isoformat())
    after = desk.figures(store, agreed(), None, NOW + timedelta(seconds=11), DAYS).total
    store.close()
    assert after.leads == before.leads + 1


def test_a_store_without_leads_has_figures_of_nothing(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    found = CampaignDesk().figures(store, agreed(), None, NOW)
    store.close()
    assert (found.campaigns, found.total.leads, found.total.wins) == ([], 0, None)
    assert "no lead was created" in "".join(campaign_lines(found, 20))


def test_no_interval_is_told_where_nothing_more_is_to_come(figures: Campaigns) -> None:
    wins = Range(9.0, 9.0, 9.0), Range(9.0, 8.0, 11.0)
    both = [figures.campaigns[0].model_copy(update={"wins": each}) for each in wins]
    told = list(campaign_lines(figures.model_copy(update={"campaigns": both}), 20))
    assert ", 9 expected" in told[1]
    assert ", 9.0 (8 to 11) expected" in told[2]


def test_rows_have_a_cell_for_each_column(figures: Campaigns) -> None:
    assert {len(row) for row in rows(figures)} == {len(COLUMNS)}


def test_sources_are_counted_as_campaigns_are_but_have_no_costs(opened: Store) -> None:
    found = CampaignDesk().figures(opened, agreed(), None, NOW, DAYS, "source")
    assert found.total.leads == sum(one.leads for one in counted(opened).values())
    assert all(c.cost is None for c in found.campaigns)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    store = open_store(url)
    filled(store, leads=300, months=3)
    store.close()
    with TestClient(build(NO_MODEL, backing(lambda: open_store(url), agreed()))) as client:
        yield client


def test_the_same_figures_are_given_over_rest(client: TestClient) -> None:
    reply = client.get("/v1/campaigns", params={"days": 3000})
    assert reply.status_code == 200
    assert reply.json()["total"]["leads"] == 300
    assert reply.json()["campaigns"][0]["wins"]["low"] >= 0


@pytest.mark.parametrize(
    ("asked", "status"), [({"by": "email"}, 404), ({"days": 0}, 422), ({"days": "x"}, 422)]
)
def test_what_cannot_be_asked_for_is_a_problem(
    client: TestClient, asked: dict[str, Any], status: int
) -> None:
    reply = client.get("/v1/campaigns", params=asked)
    assert (reply.status_code, reply.headers["content-type"]) == (status, PROBLEM)
