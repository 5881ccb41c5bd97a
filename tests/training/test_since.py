"""Outcomes that are no longer those of their leads do not make a champion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import numpy as np
import pytest

from features.store.turned import Turned
from tests.training.firms import Enquiry, enquiries
from tests.training.test_retrain import Firm, Row, clear
from training.gate_checks import Check
from training.retrain import Retrained
from training.since import known_outcomes, promised_auc

FIRST, THEN = 700, 900


def shuffled(share: float, first: int, rows: int) -> Callable[[Enquiry], Row]:
    """Give a share of the leads each other's outcomes, as a column that was sorted alone does."""
    random, some = Random(1), enquiries(first + rows)[first:]
    said = {e.number: clear(e) for e in some}
    mixed = [number for number in said if random.random() < share]
    others = random.sample(mixed, len(mixed))
    outcomes = {a: said[b]["status"] for a, b in zip(mixed, others, strict=True)}
    return lambda e: clear(e) | {"status": outcomes.get(e.number, clear(e)["status"])}


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[Firm]:
    """A firm with a champion, some months on."""
    made = Firm(tmp_path)
    made.export(clear, rows=FIRST)
    made.retrain()
    made.now += timedelta(days=100)
    yield made
    made.store.close()


def later(firm: Firm, row: Callable[[Enquiry], Row], first: int, rows: int) -> Retrained:
    """Retrain after one more export."""
    firm.export(row, first, rows, firm.now - timedelta(days=1))
    return firm.retrain()


def check(result: Retrained, name: str) -> Check:
    assert result.verdict is not None
    return next(check for check in result.verdict.checks if check.name == name)


@pytest.mark.parametrize("share", [0.3, 0.5, 1.0])
def test_shuffled_outcomes_of_known_leads_are_refused_with_the_figure(
    firm: Firm, share: float
) -> None:
    result = later(firm, shuffled(share, 0, FIRST), 0, FIRST)

    assert (result.outcome, firm.champion) == ("refused", "1")
    assert result.why.startswith(
        "refused: the outcomes of leads that were known have changed: of 700 leads decided before "
        "the champion was made "
    )
    assert "agreement 0." in result.why
    assert "at least 0.9 agreed" in result.why
    assert "if what they say is right, promote by hand" in result.why
    assert check(result, "known outcomes").figure == pytest.approx(1 - share, abs=0.1)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_shuffled_outcomes_of_new_leads_are_refused_with_the_figure(
    firm: Firm, share: float
) -> None:
    result = later(firm, shuffled(share, FIRST, THEN), FIRST, THEN)

    assert (result.outcome, firm.champion) == ("refused", "1")
    assert result.why.startswith("refused: the new outcomes fit neither what was known before nor")
    assert "by the champion as it is registered" in result.why
    assert check(result, "known outcomes").figure == 1


def test_shuffled_outcomes_of_half_of_the_newer_known_leads_alone_are_refused(firm: Firm) -> None:
    result = later(firm, shuffled(0.5, FIRST // 2, FIRST - FIRST // 2), 0, FIRST)

    assert not check(result, "known outcomes").passed, result.why


def test_honest_wins_that_come_late_are_no_reason_to_doubt(firm: Firm) -> None:
    last = firm.now - timedelta(days=2)

    def won_late(e: Enquiry) -> Row:
        row = clear(e)
        late = row["status"] == "Lost" and e.number % 6 == 0
        return row | ({"status": "Won", "closed": f"{last:%Y-%m-%d}"} if late else {})

    result = later(firm, won_late, 0, FIRST + THEN)

    assert check(result, "known outcomes").figure == 1


def test_a_refusal_stays_until_somebody_promotes_by_hand(firm: Firm) -> None:
    later(firm, shuffled(1, 0, FIRST), 0, FIRST)

    assert not check(firm.retrain(), "known outcomes").passed


def test_honest_outcomes_agree_with_what_was_known_and_keep_the_order(firm: Firm) -> None:
    result = later(firm, clear, 0, FIRST + THEN)

    assert result.outcome == "promoted", result.why
    assert check(result, "known outcomes").figure == 1
    kept = check(result, "new outcomes")
    assert kept.figure is not None
    assert kept.figure > 0.8


def test_a_few_corrections_do_not_stop_a_challenger() -> None:
    few = known_outcomes(Turned(110, 2, 3, 885), error=0.05)

    assert few is not None
    assert (few.leads, few.turned) == (1000, 5)
    assert few.kappa.value > 0.9


def test_of_few_leads_nothing_is_shown() -> None:
    one = known_outcomes(Turned(2, 1, 0, 7), error=0.05)

    assert one is not None
    assert one.kappa.value < 0.9 < one.kappa.high


@pytest.mark.parametrize("turned", [Turned(0, 0, 0, 0), Turned(0, 0, 0, 9), Turned(9, 0, 0, 0)])
def test_where_all_ended_alike_agreement_says_nothing(turned: Turned) -> None:
    assert known_outcomes(turned, error=0.05) is None


def test_the_promised_order_is_the_one_that_comes_about_by_these_chances() -> None:
    random = np.random.default_rng(1)
    chances = random.beta(1, 6, 800)
    seen = []
    for _ in range(200):
        won = random.random(800) < chances
        seen.append(np.mean(chances[won][:, None] > chances[~won]))

    assert promised_auc(chances) == pytest.approx(np.mean(seen), abs=0.005)
