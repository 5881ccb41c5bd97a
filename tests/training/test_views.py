"""What every reader of a probability must know, and when nothing needs to be said."""

from __future__ import annotations

import numpy as np

from training.evaluate import Evaluation, judge
from training.judged import Judged
from training.rolling import Origin
from training.splits import Split
from training.views import caution

ROWS = 2000
NONE = np.zeros(0, dtype=np.intp)
MANY = "do not add these probabilities up or plan money by them. On the judged leads: "


def evaluation(said: float, won: float = 0.2) -> Evaluation:
    """All leads with one probability, of which a share was won."""
    y = (np.arange(ROWS) < won * ROWS).astype(np.int8)
    return judge(Judged(y, np.full(ROWS, said)))


def moments(*said: float) -> list[Origin]:
    """Earlier moments at which a fifth was won and so much was said."""
    found = [evaluation(p) for p in said]
    return [Origin(Split(NONE, NONE, ""), np.zeros(0, np.int8), np.zeros(0), e) for e in found]


def test_probabilities_that_came_true_need_no_caution() -> None:
    assert caution(evaluation(0.2), moments(0.19, 0.2, 0.21)) == ""


def test_leads_that_are_off_are_told_as_the_one_set_that_they_are() -> None:
    told = caution(evaluation(0.3), [])

    assert told.startswith(MANY + "it predicts 30 % where 20 % won")
    assert "That is one set of leads; others were not looked at." in told


def test_moments_that_were_not_off_alike_are_told_beside() -> None:
    told = caution(evaluation(0.3), moments(0.15, 0.2, 0.3))

    assert "at 3 moments of the past quick refits are not shown to be off alike" in told


def test_moments_that_were_off_alike_are_told_with_their_interval() -> None:
    told = caution(evaluation(0.3), moments(0.28, 0.3, 0.32))

    assert "At 3 moments of the past quick refits predicted 150% of the wins that came" in told
    assert "each moment taken as one independent figure" in told


def test_moments_alone_call_for_caution_where_the_judged_leads_do_not() -> None:
    told = caution(evaluation(0.2), moments(0.28, 0.3, 0.32))

    assert told.startswith(MANY + "it predicts 20 %, and 20 % won")
    assert "At 3 moments of the past" in told


def test_without_both_outcomes_it_says_that_nothing_was_checked() -> None:
    assert caution(None, []).startswith("too few judged leads")
