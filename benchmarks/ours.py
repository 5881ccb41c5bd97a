"""leadq as a contender, through its own doors: raw CSV in, proposed agreement, fit, score."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from benchmarks.measures import Ends, Floats
from benchmarks.sets import Rows, Set
from features.agreement import Agreement, FieldUse
from features.files import open_table
from features.reading import Intake, admit_nightly, read_history
from serving.scorer import Scorer
from serving.spread import learned
from serving.sums import Sums, campaign_sums
from training.fit import Recipe, fit, recency_weights
from training.labels import label
from training.leaks import BECAUSE
from training.propose import propose
from training.roles import Told
from training.splits import order, split
from training.spread import fit_spread, held

_DAY = 86_400.0
_YOUNGEST = 0.02
"""Rows of the last day at most, as a share, where dates enter as they are."""
_ID, _PLACE, _OUTCOME = "benchmark_id", "benchmark_place", "benchmark_outcome"


@dataclass(frozen=True)
class Ours:
    """What leadq made of one split."""

    probability: Floats
    left_out: dict[str, str] = field(default_factory=dict)
    """Fields that leadq did not use, with its reason."""
    set_aside: int = 0
    """Test rows that leadq would not read; they get the share won of the rows to train on."""
    wins: dict[str, Ends] = field(default_factory=dict)
    """The 90 % interval of each campaign's wins, where sums over campaigns are judged."""


def leadq(data: Set, train: Rows, test: Rows, seed: int) -> Ours:
    """Propose an agreement, fit and score, as a user of leadq would who knows the leaks.

    - The rows get numbers of their own as ids, because ids of real sets repeat. Where the set has
      no time they are no serial numbers either: nothing is known of the order of its rows.
    - A date enters as it is, with a horizon of one day and no closing time, since in these sets
      every outcome is known; leadq then reads other dates by their distance from it. Any other
      time enters as the rank of each row, and so does a date that is the last one of many rows:
      leadq takes a rank for a serial number, and leaves no row unlabelled for being young.
    - The set's owner has named the leaks in `exclude` already. What leadq suspects beyond them is
      declared honest, as the owner would in the agreement, and fields by which leadq will not
      judge a person are used here, because all rivals read them; what it leaves out for other
      reasons stays out.
    """
    with TemporaryDirectory() as folder:
        earlier, later = Path(folder) / "earlier.csv", Path(folder) / "later.csv"
        _table(data, train, with_outcome=True).to_csv(earlier, index=False)
        _table(data, test, with_outcome=False).to_csv(later, index=False)
        agreement = _agreed(propose(earlier, _told(data)).agreement, data)
        scorer = _fitted(earlier, agreement, seed, bool(data.campaigns))
        known, wins = _scored(later, scorer)
    base = float(data.labels[train].mean())
    left_out = {n: use.because for n, use in agreement.fields.items() if use.use != "yes"}
    probability = np.array([known.get(str(row), base) for row in test])
    return Ours(probability, left_out, len(test) - len(known), wins)


def _table(data: Set, rows: Rows, with_outcome: bool) -> pd.DataFrame:
    table = data.raw.iloc[rows].copy()
    table.insert(0, _ID, rows)
    if data.place is not None:
        table[_PLACE] = _times(data)[rows]
    if with_outcome:
        table[_OUTCOME] = data.outcome.iloc[rows]
    return table


def _times(data: Set) -> np.ndarray:
    """Return what stands for each row's time: its date, or its rank."""
    assert data.place is not None
    if _by_date(data):
        dates = data.place.astype("datetime64[s]")
        return np.datetime_as_string(dates)
    return np.searchsorted(np.unique(data.place), data.place) + 1


def _by_date(data: Set) -> bool:
    """Whether the dates are fine enough for few rows to be too young to be labelled."""
    if not data.is_dated or data.place is None:
        return False
    in_time, last = np.sort(data.place), int((1 - _YOUNGEST) * len(data.place))
    return bool(in_time[last] < in_time[-1] - _DAY)


def _told(data: Set) -> Told:
    won = data.labels == 1
    return Told(
        id=_ID,
        created=None if data.place is None else _PLACE,
        outcome=_OUTCOME,
        won=sorted(set(data.outcome[won])),
        lost=sorted(set(data.outcome[~won])),
    )


def _agreed(proposed: Agreement, data: Set) -> Agreement:
    """Declare suspected leaks honest, and take no column but the owner's for the time."""
    suspected = (*BECAUSE.values(), "protected")
    honest = {"use": "yes", "why": "the owner of the set has named its leaks"}
    fields = {
        name: use.model_copy(update=honest)
        if use.use == "decide" or use.because.startswith(suspected)
        else use
        for name, use in proposed.fields.items()
    }
    columns, roles = proposed.columns, ["closed"] if _by_date(data) else []
    if data.place is None:
        roles = ["created", "closed"]
    dates = [name for role in roles if (name := getattr(columns, role))]
    fields |= {name: FieldUse(use="yes", kind="date", why=honest["why"]) for name in dates}
    no_order = [] if data.place is not None else ["serial"]
    columns = columns.model_copy(update=dict.fromkeys([*roles, *no_order]))
    horizon = {"horizon_days": 1} if _by_date(data) else {}
    return proposed.model_copy(update={"fields": fields, "columns": columns, **horizon})


def _fitted(path: Path, agreement: Agreement, seed: int, sums: bool) -> Scorer:
    history = read_history(open_table(path, agreement.export), agreement, Intake())
    labelled = label(history, agreement)
    place = order(labelled.history, agreement)
    fields = {name: use for name, use in agreement.fields.items() if use.use == "yes"}

    def on(rows: Rows, recipe: Recipe) -> Scorer:
        there = None if place is None else place[rows]
        return fit(
            leads=labelled.history.leads.take(rows.tolist()),
            labels=labelled.labels[rows],
            weight=recency_weights(there, len(rows)),
            agreement=agreement,
            fields=fields,
            recipe=recipe,
            seed=seed,
            place=there,
        ).scorer

    scorer = on(np.arange(len(labelled.labels)), "blend")
    if not sums:
        return scorer
    # How far sums are off is told by a fit on the earlier of these rows, judged on their later
    # ones; one of its members alone is off about as far as all of them, in a fraction of the time.
    parts = split(labelled.history, labelled.labels, agreement, seed)
    later = labelled.history.leads.take(parts.later.tolist())
    part = held(on(parts.earlier, "logistic"), later, labelled.labels[parts.later])
    return replace(scorer, spread=fit_spread([part] if part else []))


def _scored(path: Path, scorer: Scorer) -> tuple[dict[str, float], dict[str, Ends]]:
    """Return the probability of each lead, and the interval of the wins of each campaign."""
    agreement = scorer.agreement
    campaign = agreement.columns.campaign or ""
    sums, known = Sums(learned(scorer.encoder, campaign)), dict[str, float]()
    for chunk in open_table(path, agreement.export).chunks([].append):
        leads = admit_nightly(chunk, agreement, several=False).batch
        chance = scorer.probabilities(leads)
        known |= dict(zip(leads.ids, chance.tolist(), strict=True))
        sums.add(leads.column(campaign), chance)
    if scorer.spread is None:
        return known, {}
    expected = campaign_sums(list(sums.by_key.values()), scorer.spread)
    return known, {key: (c.low, c.high) for key, c in zip(sums.by_key, expected, strict=True)}
