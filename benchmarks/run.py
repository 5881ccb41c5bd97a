"""Contenders on a set: every one trains and is judged on the same rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks import measures
from benchmarks.autogluon_rival import autogluon, build
from benchmarks.measures import Ends, Floats, Labels
from benchmarks.ours import leadq
from benchmarks.rivals import RIVALS, Rival, prepared
from benchmarks.sets import Rows, Set
from features.cells import key_of

CONTENDERS = ("leadq", *RIVALS, "autogluon")
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Figures:
    """How one contender did on one set."""

    auc: float
    log_loss: float
    lift_at_10: float
    ece: float
    seconds: float
    """Wall time to fit and score once; the mean over the folds where there are folds."""
    ece_by_chance: float
    """95 % quantile of the ECE if its probabilities were true."""
    mae_true: float | None = None
    """Mean absolute error to the true probability, where it is known."""
    campaigns_inside: float | None = None
    """Share of campaigns with their wins inside the 90 % interval, where there are campaigns."""

    def as_dict(self) -> dict[str, float]:
        """Return the figures that there are."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass
class Outcome:
    """What came of a set."""

    labels: Labels
    """Of the judged rows."""
    base_rate_moved: float
    """Share won among the judged rows less that among the rows to train on."""
    probability: dict[str, Floats] = field(default_factory=dict)
    figures: dict[str, Figures] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    stated: dict[str, Ends] = field(default_factory=dict)
    """leadq's own intervals of the wins of campaigns; without folds alone, where sums are whole."""


def run(data: Set, names: list[str], seed: int, seconds: int, progress: Progress) -> Outcome:
    """Let the named contenders meet a set; one that fails is noted and the others go on."""
    splits = list(data.splits(seed))
    judged = np.concatenate([test for _, test in splits])
    trained = np.concatenate([train for train, _ in splits])
    labels = data.labels
    outcome = Outcome(labels[judged], float(labels[judged].mean() - labels[trained].mean()))
    frame = prepared(data.raw)
    for name in names:
        progress(f"{data.name}: {name}")
        try:
            predict = _predictor(name, data, frame, seed, seconds, outcome)
            start = time.perf_counter()
            with threadpool_limits(1):
                parts = [predict(train, test) for train, test in splits]
            outcome.probability[name] = _checked(np.concatenate(parts), len(judged))
        except Exception as error:  # whatever a rival may raise must not end the run
            outcome.errors[name] = f"{type(error).__name__}: {error}"
            progress(f"{data.name}: {name} failed: {outcome.errors[name]}")
            continue
        spent = (time.perf_counter() - start) / len(splits)
        stated = outcome.stated if name == "leadq" else {}
        chance = outcome.probability[name]
        outcome.figures[name] = _figures(data, judged, chance, spent, seed, stated)
    return outcome


def _predictor(
    name: str, data: Set, frame: pd.DataFrame, seed: int, seconds: int, outcome: Outcome
) -> Callable[[Rows, Rows], Floats]:
    if name == "leadq":
        return lambda train, test: _ours(data, train, test, seed, outcome)
    if name == "autogluon":
        rival: Rival = partial(autogluon, build(), seconds)
    else:
        rival = RIVALS[name]
    return lambda train, test: rival(
        frame.iloc[train].reset_index(drop=True),
        data.labels[train],
        frame.iloc[test].reset_index(drop=True),
        seed,
    )


def _ours(data: Set, train: Rows, test: Rows, seed: int, outcome: Outcome) -> Floats:
    made = leadq(data, train, test, seed)
    left_out = [f"leadq leaves out {name}: {why}" for name, why in made.left_out.items()]
    aside = [f"leadq set {made.set_aside} test rows aside"] if made.set_aside else []
    outcome.notes += [note for note in (*left_out, *aside) if note not in outcome.notes]
    outcome.stated = made.wins if data.place is not None else {}
    return made.probability


def _checked(probability: Floats, rows: int) -> Floats:
    if probability.shape != (rows,) or not np.isfinite(probability).all():
        raise ValueError(f"{rows} probabilities were due; got shape {probability.shape} or NaN")
    return probability


def _figures(
    data: Set,
    judged: Rows,
    probability: Floats,
    seconds: float,
    seed: int,
    stated: dict[str, Ends],
) -> Figures:
    labels = data.labels[judged]
    truth = None if data.truth is None else np.abs(data.truth[judged] - probability).mean()
    names = [key_of(data.campaigns[row]) for row in judged] if data.campaigns else []
    return Figures(
        auc=measures.auc(labels, probability),
        log_loss=measures.loss(labels, probability),
        lift_at_10=measures.lift_at_10(labels, probability),
        ece=measures.ece(labels, probability),
        seconds=seconds,
        ece_by_chance=measures.ece_by_chance(probability, seed),
        mae_true=None if truth is None else float(truth),
        campaigns_inside=measures.campaigns_inside(labels, probability, names, seed, stated),
    )
