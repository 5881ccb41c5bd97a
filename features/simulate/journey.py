"""The sales side: who is worked, when each step happens, and how the lead ends."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.simulate.draw import (
    UNRECORDED,
    Codes,
    Floats,
    Mask,
    Table,
    Times,
    label,
    minutes,
    pick,
    stamp,
)
from features.simulate.people import STUDENT, Leads
from features.simulate.settings import Settings
from features.simulate.words import COUNTRIES, OWNERS, OWNERS_A_TEAM, TEAMS, TIMELINES

WON, LOST, UNQUALIFIED, NOT_READY, IN_CONTRACT, UNREACHABLE, WORKING, OPEN = range(8)
DISPOSITIONS = ("won", "lost", "unqualified", "not_ready", "in_contract", "unreachable")
STEPS = ("contacted", "accepted", "qualified", "opportunity")
OPPORTUNITY = 3
# Where a step lies between first contact (0) and closing (1).
STEP_PLACE = np.array([0.0, 0.06, 0.28, 0.55])
LATE_WIN = 0.12  # chance of a win after the horizon, as a multiple of the chance within it
LATE_GAP_DAYS = 7.0  # keeps late wins late whether days count from creation or from hand-off
HANDOFF_DAYS, CONTACT_DAYS = 4.0, 8.0  # longest waits for hand-off and for first contact
REASONS = (
    "Price", "Competitor chosen", "No decision", "No budget", "Missing feature", "Not a company",
    "Too small", "Student or research", "Wrong region", "Project postponed", "Budget next year",
)  # fmt: skip
REASON_CHANCES = np.zeros((8, len(REASONS)))
REASON_CHANCES[LOST, :5] = [30, 24, 24, 12, 10]
REASON_CHANCES[UNQUALIFIED, 3:9] = [20, 5, 20, 30, 10, 15]
REASON_CHANCES[NOT_READY, 9:] = [60, 40]


@dataclass(frozen=True)
class Journey:
    """What became of each lead (all arrays (leads,)).

    `state` is what the CRM shows at export: an ending, `WORKING` or `OPEN`. `outcome` is where
    a worked lead ends sooner or later; it is not to be shown before `closed`.
    """

    worked: Mask
    handoff: Times
    contact: Times
    closed: Times
    outcome: Codes
    state: Codes
    owner: Codes
    depth: Codes
    reason: Codes
    value: Floats
    until: Times


def choose(settings: Settings, leads: Leads, shape: Floats) -> Mask:
    """Which leads sales works: each month the best at a noisy look, as far as capacity goes."""
    rng, history = settings.stream("capacity"), leads.arrivals.history
    month = leads.arrivals.created[:history].astype("datetime64[M]").astype(np.int64)
    look = 0.6 * (shape / shape.std())[:history] + rng.normal(0.0, 1.0, history)
    order = np.lexsort((-look, month))
    rank = np.arange(history) - np.searchsorted(month[order], month[order])
    worked = np.zeros(len(shape), dtype=bool)
    worked[order] = rank < np.ceil(settings.capacity * settings.leads / settings.months)
    return worked


def follow_up(
    settings: Settings, leads: Leads, truth: Floats, worked: Mask, stream: str = "sales"
) -> Journey:
    """Hand over, contact, take the steps, and close; unworked leads get plans that never happen."""
    rng, size = settings.stream(stream), len(truth)
    handoff = leads.arrivals.created + minutes(_wait(rng, 0.25, HANDOFF_DAYS, size))
    contact = handoff + minutes(_wait(rng, 1.1, CONTACT_DAYS, size))
    ending = _endings(rng, settings, leads, truth)
    late = (ending == LOST) & (rng.random(size) < LATE_WIN * truth)
    limit = leads.arrivals.created + np.timedelta64(settings.horizon_days, "D")
    closed = contact + minutes(_days_to_close(rng, limit - contact, ending, late))
    outcome = np.where(late, WON, ending)
    return Journey(
        worked=worked,
        handoff=handoff,
        contact=contact,
        closed=closed,
        outcome=outcome,
        state=_state(settings, worked, contact, closed, outcome),
        owner=_owners(rng, leads),
        depth=_depth(rng, outcome),
        reason=_reasons(rng, outcome),
        value=_values(rng, leads),
        until=contact.astype("datetime64[D]") + _delay(rng, outcome),
    )


def _wait(rng: np.random.Generator, mean: float, longest: float, size: int) -> Floats:
    """Waits in days, most of them short."""
    waits: Floats = np.minimum(rng.exponential(mean, size), longest)
    return waits


def _endings(rng: np.random.Generator, settings: Settings, leads: Leads, truth: Floats) -> Codes:
    """How each lead would end within the horizon if worked.

    Recycling is drawn on its own, from recorded values alone: among the leads that are left,
    the win still has exactly its true probability.
    """
    size, student = len(truth), leads.contact.seniority == STUDENT
    won = rng.random(size) < truth
    unfit = rng.random(size) < np.where(student, 0.8, 0.35)
    worked_out = np.select([won, unfit], [WON, UNQUALIFIED], LOST)
    return np.where(_recycled(rng, settings, leads), _kinds(rng, leads), worked_out)


def _recycled(rng: np.random.Generator, settings: Settings, leads: Leads) -> Mask:
    """Which leads go back to marketing."""
    share = recycled_chance(settings, leads)
    recycled: Mask = rng.random(len(share)) < share
    return recycled


def recycled_chance(settings: Settings, leads: Leads) -> Floats:
    """How likely each goes back: a little more so in no hurry or without a phone."""
    tendency = np.where(_unhurried(leads), 1.3, 1.0) * np.where(_unlisted(leads), 1.2, 1.0)
    chance: Floats = settings.recycled_share * tendency / tendency.mean()
    return chance


def _kinds(rng: np.random.Generator, leads: Leads) -> Codes:
    """Why a lead would be recycled: not ready, in contract or unreachable."""
    chances = np.column_stack(
        [
            np.where(_unhurried(leads), 0.6, 0.3),
            np.where(leads.company.employees > 100, 0.4, 0.2),
            np.where(_unlisted(leads), 0.6, 0.3),
        ]
    )
    return NOT_READY + pick(rng, chances, len(chances))


def _unhurried(leads: Leads) -> Mask:
    hurry: Mask = leads.request.timeline >= TIMELINES.index("Next year")
    return hurry


def _unlisted(leads: Leads) -> Mask:
    unlisted: Mask = leads.contact.phone == UNRECORDED
    return unlisted


def _days_to_close(
    rng: np.random.Generator, left: NDArray[np.timedelta64], ending: Codes, late: Mask
) -> Floats:
    """Days from first contact to the ending, given the time `left` until the horizon.

    Wins and losses fall within it, most wins in its first two thirds; recycling shows at first
    contact or after a few tries; late wins follow after it.
    """
    span = left.astype("timedelta64[m]").astype(np.float64) / 1440
    skew = np.array([(1.7, 3.4), (1.5, 2.6), (1.0, 9.0)])[np.minimum(ending, UNQUALIFIED)]
    within = np.minimum(span * rng.beta(skew[:, 0], skew[:, 1]), span - 1 / 1440)
    tries = np.where(ending == UNREACHABLE, rng.uniform(1.0, 9.0, len(span)), 0.0)
    after = span + LATE_GAP_DAYS + rng.exponential(25.0, len(span))
    days: Floats = np.select([late, ending >= NOT_READY], [after, tries], within)
    return days


def _state(
    settings: Settings, worked: Mask, contact: Times, closed: Times, outcome: Codes
) -> Codes:
    known, touched = worked & (closed < settings.as_of), worked & (contact < settings.as_of)
    return np.select([known, touched], [outcome, np.full_like(outcome, WORKING)], OPEN)


def _owners(rng: np.random.Generator, leads: Leads) -> Codes:
    """A rep of the team that sells in the lead's country."""
    team = np.array([TEAMS.index(c.team) for c in COUNTRIES])[leads.company.country]
    owner: Codes = team * OWNERS_A_TEAM + rng.integers(0, OWNERS_A_TEAM, len(team))
    return owner


def _depth(rng: np.random.Generator, outcome: Codes) -> Codes:
    """Steps that a lead takes before it ends: none if unreachable, all four if won."""
    lost = 1 + pick(rng, [0, 55, 25, 20], len(outcome))
    steps = np.array([4, 0, 1, 1, 1, 0])[outcome]
    return np.where(outcome == LOST, lost, steps)


def _reasons(rng: np.random.Generator, outcome: Codes) -> Codes:
    """Why the lead ended (a code into `REASONS`), -1 where nobody gives a reason."""
    chances = REASON_CHANCES[outcome]
    given = chances.sum(axis=1) > 0
    return np.where(given, pick(rng, chances + 1e-9, len(outcome)), -1)


def _values(rng: np.random.Generator, leads: Leads) -> Floats:
    """What the deal is worth in euros, should it be won: it follows size and budget."""
    size = np.nan_to_num(leads.company.employees, nan=100.0)
    usual = 4000.0 * size**0.35 * (1.0 + np.maximum(leads.request.budget, 0))
    value: Floats = np.round(usual * rng.lognormal(0.0, 0.5, len(size)), -1)
    return value


def _delay(rng: np.random.Generator, outcome: Codes) -> Times:
    """Days until a recycled lead is worth another call; not-a-time for all others."""
    days = rng.integers(45, 400, len(outcome)).astype("timedelta64[D]")
    waits = (outcome == NOT_READY) | (outcome == IN_CONTRACT)
    return np.where(waits, days, np.timedelta64("NaT", "D"))


def step_times(journey: Journey, step: int) -> Times:
    """When each lead reaches a step, were it worked and came that far."""
    times: Times = journey.contact + (journey.closed - journey.contact) * STEP_PLACE[step]
    return times


def handoffs(settings: Settings, ids: list[str], journey: Journey) -> Table:
    """The leads of the history that marketing handed to sales, in order of hand-off."""
    given = np.flatnonzero(journey.handoff[: settings.leads] < settings.as_of)
    order = given[np.argsort(journey.handoff[given], kind="stable")]
    owner = journey.owner[order]
    return {
        "id": [ids[place] for place in order],
        "at": stamp(journey.handoff[order]),
        "owner": label(OWNERS, owner).tolist(),
        "team": label(TEAMS, owner // OWNERS_A_TEAM).tolist(),
    }


def feedback(settings: Settings, ids: list[str], journey: Journey) -> Table:
    """Every disposition that sales gave before the export, in order of time.

    The columns value, reason and until belong to the ending and stay empty for the steps.
    """
    lead, at, word = _events(journey)
    kept = np.flatnonzero(journey.worked[lead] & (at < settings.as_of))
    order = kept[np.lexsort((word[kept], lead[kept], at[kept]))]
    lead, word = lead[order], word[order]
    ends = word >= len(STEPS)
    won = ends & (journey.outcome[lead] == WON)
    return {
        "id": [ids[place] for place in lead],
        "at": stamp(at[order]),
        "disposition": label(STEPS + DISPOSITIONS, word).tolist(),
        "by": label(OWNERS, journey.owner[lead]).tolist(),
        "value": [f"{v:.0f}" if w else "" for v, w in zip(journey.value[lead], won, strict=True)],
        "reason": label(REASONS, np.where(ends, journey.reason[lead], -1)).tolist(),
        "until": stamp(np.where(ends, journey.until[lead], np.datetime64("NaT", "D"))),
    }


def _events(journey: Journey) -> tuple[Codes, Times, Codes]:
    """Lead, time and word (steps first, then endings) of every step and ending to come."""
    everyone = np.arange(len(journey.outcome))
    taken = [np.flatnonzero(journey.depth > step) for step in range(len(STEPS))]
    lead = np.concatenate([*taken, everyone])
    steps = [step_times(journey, step)[who] for step, who in enumerate(taken)]
    words = [np.full(len(who), step) for step, who in enumerate(taken)]
    at = np.concatenate([*steps, journey.closed])
    return lead, at, np.concatenate([*words, len(STEPS) + journey.outcome])
