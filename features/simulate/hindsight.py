"""What sales filled in by the export: status, endings, and the fields that give endings away."""

from collections.abc import Sequence

import numpy as np

from features.simulate.draw import Codes, Floats, Mask, Table, Times, label, pick, stamp, whole
from features.simulate.journey import (
    IN_CONTRACT,
    OPEN,
    OPPORTUNITY,
    REASONS,
    WON,
    WORKING,
    Journey,
    step_times,
)
from features.simulate.people import Leads
from features.simulate.settings import Settings

STATUS = (
    "Closed Won", "Closed Lost", "Disqualified", "Nurture - not ready",
    "In contract with competitor", "No answer", "Working", "Open",
)  # fmt: skip
TAGS = (
    "Will revert after reading the mail", "Ringing", "Interested in other product", "Busy",
    "Wants demo", "Lost to competitor", "Not interested", "Invalid number", "Contract sent",
)  # fmt: skip
TAG_CHANCES = np.array(
    [  # rows: won, lost, unqualified, not ready, in contract, unreachable, working, open
        [62, 0, 2, 2, 14, 0, 0, 0, 20],
        [10, 14, 14, 10, 8, 28, 14, 2, 0],
        [4, 8, 30, 4, 0, 0, 40, 14, 0],
        [14, 10, 10, 40, 6, 0, 20, 0, 0],
        [4, 6, 20, 10, 0, 40, 20, 0, 0],
        [0, 60, 0, 10, 0, 0, 0, 30, 0],
        [34, 28, 6, 18, 14, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 1, 1, 1],
    ]
)
RATINGS = ("Hot", "Warm", "Cold")
RATING_CHANCES = np.array(
    [[6, 3, 1], [2, 4, 4], [0, 2, 8], [1, 5, 4], [1, 4, 5], [0, 3, 7], [3, 5, 2], [1, 1, 1]]
)
ACTIVITIES = ("Mail opened", "Call", "Call - no answer", "Meeting held", "Contract", "Unsubscribed")
ACTIVITY_CHANCES = np.array(
    [
        [20, 15, 2, 40, 23, 0],
        [34, 30, 12, 14, 0, 10],
        [30, 36, 14, 2, 0, 18],
        [40, 42, 10, 6, 0, 2],
        [30, 58, 6, 4, 0, 2],
        [10, 0, 88, 0, 0, 2],
        [36, 32, 14, 18, 0, 0],
        [1, 1, 1, 1, 1, 1],
    ]
)
CALL_MINUTES = np.array([55.0, 26.0, 7.0, 11.0, 9.0, 1.0, 16.0, 1.0])


def endings(leads: Leads, journey: Journey) -> Table:
    """Status and closing time as of the export; the last night has neither."""
    known = journey.state < WORKING
    status = label(STATUS, journey.state)
    status[leads.arrivals.history :] = ""
    return {"status": status.tolist(), "closed_at": stamp(_shown(journey.closed, known))}


def _shown(times: Times, known: Mask) -> Times:
    return np.where(known, times, np.datetime64("NaT"))


def sales_fields(settings: Settings, journey: Journey) -> Table:
    """What sales filled in by the export, from the state then: never from what is still to come."""
    rng, state = settings.stream("sales fields"), journey.state
    size, touched = len(state), state != OPEN
    talked = CALL_MINUTES[state] * rng.gamma(1.6, 1 / 1.6, size)
    quote = np.round(journey.value * rng.lognormal(0.08, 0.15, size), -1)
    quoted = touched & (journey.depth > OPPORTUNITY)
    quoted &= step_times(journey, OPPORTUNITY) < settings.as_of
    contract = (state == IN_CONTRACT) & (rng.random(size) < 0.93)
    return {
        "tag": _filled(rng, TAGS, TAG_CHANCES[state], touched, 0.7),
        "lead_rating": _filled(rng, RATINGS, RATING_CHANCES[state], touched, 0.6),
        "last_activity": _filled(rng, ACTIVITIES, ACTIVITY_CHANCES[state], touched, 0.95),
        "call_minutes": whole(_kept(talked, touched & (rng.random(size) < 0.9))),
        "quote_amount": whole(_kept(quote, quoted & (rng.random(size) < 0.9))),
        "close_reason": _close_reasons(rng, journey),
        "contract_until": stamp(_shown(journey.until, contract)),
        "deal_value": whole(_kept(journey.value, state == WON)),
    }


def _filled(
    rng: np.random.Generator, words: Sequence[str], chances: Codes, touched: Mask, share: float
) -> list[str]:
    """Words drawn by state, given for a share of the leads that sales touched."""
    size = len(touched)
    given = touched & (rng.random(size) < share)
    return list(label(words, np.where(given, pick(rng, chances, size), -1)).tolist())


def _kept(numbers: Floats, given: Mask) -> Floats:
    return np.where(given, numbers, np.nan)


def _close_reasons(rng: np.random.Generator, journey: Journey) -> list[str]:
    signed = np.where(journey.state == WON, len(REASONS), journey.reason)
    given = (journey.state < WORKING) & (rng.random(len(signed)) < 0.85)
    return list(label([*REASONS, "Signed"], np.where(given, signed, -1)).tolist())
