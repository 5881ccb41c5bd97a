"""When a retraining is due: each trigger by itself, and none without a new outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from features.store.promotions import Champion, write_down
from features.store.states import DECISIONS
from features.store.tables import Disposition
from serving.artefact import LoadedModel
from tests.training.firms import START, Enquiry
from tests.training.test_retrain import AGREED, NOW, Firm, Row, clear, decided
from training.due import due, trained_as_of
from training.registry import load_champion
from training.standing import standing_of

QUIET = {"min_new_outcomes": 10_000, "max_age_days": 3650, "drift": 99.0, "calibration_off": 99.0}
LATER = NOW + timedelta(days=40)


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firm]:
    """A firm with a champion, and leads that came later, all busier and seldom won."""
    made = Firm(tmp_path_factory.mktemp("due"))
    made.export(clear)
    made.retrain()
    made.export(_other, first=700, rows=400, at=NOW + timedelta(days=30))
    yield made
    made.store.close()


def _other(e: Enquiry) -> Row:
    return decided(e, 0.03) | {"visits": 14 + e.visits % 7}


def said(
    firm: Firm, now: datetime = LATER, champion: LoadedModel | None = None, **rules: Any
) -> Any:
    section = AGREED.retrain.model_copy(update=QUIET | rules)
    agreement = AGREED.model_copy(update={"retrain": section})
    return due(firm.store, agreement, champion or load_champion(firm.home), now)


@pytest.fixture
def earlier(firm: Firm) -> LoadedModel:
    """The champion, as if its training had been a while before the newest leads."""
    model = load_champion(firm.home)
    as_of = START + timedelta(hours=14 * 700)
    facts = model.artefact.facts | {"as_of": as_of.isoformat()}
    return replace(model, artefact=replace(model.artefact, facts=facts))


def test_nothing_is_due_while_every_trigger_is_quiet(firm: Firm, earlier: LoadedModel) -> None:
    found = said(firm, champion=earlier)
    assert found.fired == ()
    assert len(found.quiet) == 4


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ({"min_new_outcomes": 5}, "new outcomes"),
        ({"max_age_days": 30}, "trained 39 days ago"),
        ({"drift": 0.25}, "PSI"),
        ({"calibration_off": 0.25}, "predicted"),
    ],
)
def test_each_trigger_fires_by_itself(
    firm: Firm, earlier: LoadedModel, rule: dict[str, Any], what: str
) -> None:
    found = said(firm, champion=earlier, **rule)
    assert len(found.fired) == 1
    assert what in found.fired[0]


def test_the_last_outcomes_that_a_champion_knew_are_counted_as_its_own(firm: Firm) -> None:
    champion = load_champion(firm.home)
    trained = trained_as_of(champion)
    known = select(func.count()).where(Disposition.at <= trained, Disposition.code.in_(DECISIONS))
    with firm.store.reading() as connection:
        decided = connection.execute(known).scalar_one()
    standing = standing_of(firm.store, champion, AGREED, LATER)
    assert standing.by_sales + standing.by_exports == decided


def test_a_home_without_champion_is_always_due(firm: Firm) -> None:
    assert due(firm.store, AGREED, None, NOW).fired == ("there is no champion yet",)


def test_a_step_back_does_not_make_a_model_young(firm: Firm, earlier: LoadedModel) -> None:
    for version in ("2", "1"):
        one = Champion(version, "digest")
        firm.store.write(lambda c, one=one: write_down(c, one, "rollback", "", "kim", LATER))
    told = said(firm, champion=earlier).quiet
    assert any("trained 39 days ago" in sentence for sentence in told)
