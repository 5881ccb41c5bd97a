"""How much `leadq train` tries: the presets, and the search that `best` adds to the default.

The search looks for one more shape of trees, and asks not which is best alone but which adds most
to the blend: it minimises the log loss of the blend, out of fold, on the very folds of the fit.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from features.agreement import Agreement, FieldUse
from features.encoder import Encoder
from features.leads import Leads
from serving.members import Vector
from training.fit import (
    DEFAULT,
    FAST,
    MOST_CHOSEN,
    USUAL_OF_TREES,
    Data,
    Effort,
    Progress,
    blend_weights,
    candidates_on,
    in_time,
    log_loss_of,
    offered,
    trees_out_of_fold,
)
from training.labels import Labels
from training.track import Trial

if TYPE_CHECKING:
    from optuna import Study
    from optuna import Trial as Attempt
    from optuna.trial import FrozenTrial

Preset = Literal["fast", "default", "best"]
PRESETS: dict[Preset, Effort] = {"fast": FAST, "default": DEFAULT, "best": Effort(seeds=3)}
"""`best` is what the search starts from; see `tune`."""
_PATIENCE = 40
"""Trials without a better one after which the search ends."""
_ERRORS = 2.0
"""Standard errors by which the best must better the blend, row by row, to join it: the best of
dozens betters it by one through chance alone."""


@dataclass(frozen=True)
class Tuned:
    """What a search found."""

    effort: Effort
    """For `fit`."""
    tried: tuple[Trial, ...]
    """The blend without one more shape, then each trial in turn."""
    sentence: str
    """What was tried and what came of it."""


def tune(
    leads: Leads,
    labels: Labels,
    weight: Vector,
    agreement: Agreement,
    fields: dict[str, FieldUse],
    place: Vector | None,
    seed: int,
    seconds: float,
    trials: int | None = None,
    progress: Progress = lambda _: None,
) -> Tuned:
    """Search for LightGBM parameters of one more shape of trees that adds to the blend.

    Sources: tree-structured Parzen estimators, Bergstra et al. 2011; pruning by the median,
    Golovin et al. 2017, both as optuna has them.

    Args:
        leads: the leads, n of them; the earlier ones, where later ones are to judge.
        labels: 1 won, 0 not, shape (n,).
        weight: how much each row counts, shape (n,).
        agreement: says how fields are read.
        fields: the fields to predict from.
        place: each lead's place in time, shape (n,); None where there is no order.
        seed: decides folds, trees and trials.
        seconds: the time for all of this; the fold that is growing when it ends is finished.
        trials: search so many times whatever the clock says. Then the same seed gives the same
            bits; with a time budget a faster machine tries more.
        progress: told what is being done.

    """
    ends = time.monotonic() + seconds if trials is None else math.inf
    encoder = Encoder.fit(leads, agreement, fields)
    order = None if place is None else in_time(place)
    data = Data(encoder.encode(leads), labels, weight, encoder.columns, order, seed)
    search = _Search(data.sampled(MOST_CHOSEN), ends, progress)
    tried = search.run(trials)
    best = [min(tried, key=_loss_of)] if tried else []
    joins = [tuple(sorted(trial.params.items())) for trial in best if _is_shown(trial)]
    effort = replace(PRESETS["best"], tuned=joins[0] if joins else ())
    without = Trial("without", {}, {"log_loss": search.without})
    return Tuned(effort, (without, *map(_as_trial, tried)), _told(tried, search, bool(joins)))


class _Search:
    """Trials on one sample: each is a set of parameters, its trees grown fold by fold."""

    def __init__(self, data: Data, ends: float, progress: Progress) -> None:
        effort = PRESETS["best"]
        self._data = data
        self._ends = ends
        self._progress = progress
        candidates = list(candidates_on(data, "blend", effort, {}, progress))
        self._members, self._usual = offered(candidates)
        self._folds = data.folds(effort.folds)
        self._plain = _blended(self._members, self._usual, data)
        self.without = log_loss_of(self._plain, data)
        """Log loss out of fold of the blend as it is by default."""
        self.stale = False
        """Whether the search ended because nothing better came."""

    def run(self, trials: int | None) -> list[FrozenTrial]:
        """Try until the time is over, so many are tried, or nothing better comes."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=self._data.seed, multivariate=True)
        study = optuna.create_study(sampler=sampler, pruner=optuna.pruners.MedianPruner())
        left = None if trials is not None else max(0.0, self._ends - time.monotonic())
        study.optimize(self._loss, trials, left, callbacks=[self._stop_when_stale])
        return study.trials

    def _loss(self, attempt: Attempt) -> float:
        """Return the log loss out of fold of the blend with these trees in it.

        Raises:
            TrialPruned: when the first folds are worse than the median's, or the time is over.

        """
        from optuna import TrialPruned

        self._progress(f"tuning: trial {attempt.number + 1}")
        unseen, seen = np.empty(len(self._data.labels)), np.empty(0, dtype=np.intp)
        grown = trees_out_of_fold("trees", _suggested(attempt), self._data, self._folds)
        for fold, (rest, log_odds, _) in enumerate(grown, start=1):
            unseen[rest] = log_odds
            seen = np.append(seen, rest)
            part = self._data.take(seen)
            members = [member[seen] for member in (*self._members, unseen)]
            blend = _blended(members, [*self._usual, USUAL_OF_TREES], part)
            attempt.report(log_loss_of(blend, part), fold)
            late = time.monotonic() > self._ends
            if fold < len(self._folds) and (late or attempt.should_prune()):
                raise TrialPruned
        gain, error = _gain(self._plain[seen], blend, part)
        attempt.set_user_attr("gain", gain)
        attempt.set_user_attr("gain_error", error)
        return log_loss_of(blend, part)

    def _stop_when_stale(self, study: Study, last: FrozenTrial) -> None:
        best = min(study.trials, key=_loss_of).number
        self.stale = last.number - best >= _PATIENCE
        if self.stale:
            study.stop()


def _blended(members: list[Vector], usual: list[float], data: Data) -> Vector:
    """Return the log-odds of the best blend of members on the same rows."""
    return np.asarray(np.column_stack(members) @ blend_weights(members, usual, data))


def _gain(plain: Vector, blend: Vector, data: Data) -> tuple[float, float]:
    """Return by how much the log loss fell, row by row in pairs, and its standard error."""
    share = data.weight / data.weight.sum()
    fell = np.logaddexp(0, plain) - np.logaddexp(0, blend) - data.labels * (plain - blend)
    mean = float(share @ fell)
    return mean, float(np.sqrt(np.sum((share * (fell - mean)) ** 2)))


def _suggested(attempt: Attempt) -> dict[str, Any]:
    return {
        "num_leaves": attempt.suggest_int("num_leaves", 3, 63, log=True),
        "max_depth": attempt.suggest_int("max_depth", 2, 12),
        "min_data_in_leaf": attempt.suggest_int("min_data_in_leaf", 5, 100, log=True),
        "feature_fraction": attempt.suggest_float("feature_fraction", 0.2, 1.0),
        "bagging_fraction": attempt.suggest_float("bagging_fraction", 0.4, 1.0),
        "lambda_l2": attempt.suggest_float("lambda_l2", 0.1, 50.0, log=True),
        "learning_rate": attempt.suggest_float("learning_rate", 0.02, 0.15, log=True),
        "cat_smooth": attempt.suggest_float("cat_smooth", 1.0, 100.0, log=True),
        "extra_trees": attempt.suggest_categorical("extra_trees", [False, True]),
    }


def _loss_of(trial: FrozenTrial) -> float:
    """Return the loss of a trial that saw all folds; infinite for one that was cut short."""
    # optuna gives the latter a value too: that of the folds it saw.
    return float(trial.value or 0.0) if trial.state.name == "COMPLETE" else math.inf


def _is_shown(best: FrozenTrial) -> bool:
    found = best.user_attrs
    return bool(found) and found["gain"] > _ERRORS * found["gain_error"]


def _as_trial(trial: FrozenTrial) -> Trial:
    """Return it as it is tracked; one that was cut short has the loss of the folds it saw."""
    folds = max(trial.intermediate_values, default=0)
    metrics = {"folds": float(folds), **trial.user_attrs}
    if folds:
        metrics["log_loss"] = trial.intermediate_values[folds]
    return Trial(f"trial {trial.number + 1}", trial.params, metrics)


def _told(tried: list[FrozenTrial], search: _Search, joins: bool) -> str:
    losses = [_loss_of(trial) for trial in tried if not math.isinf(_loss_of(trial))]
    if not losses:
        return (
            f"the time was too short to try one set of parameters ({len(tried)} begun): the "
            "default members, each shape grown three times; give more seconds"
        )
    sets, best = ("1 set", "it") if len(tried) == 1 else (f"{len(tried)} sets", "the best of them")
    whole = "" if len(losses) == len(tried) else f", {len(losses)} of them on all folds"
    count = f"{sets} of parameters tried{whole}"
    ended = ", until nothing better came" if search.stale else ""
    verdict = "it joins the blend" if joins else "chance could have given that, so it stays out"
    found = f"{search.without:.4f} without, {min(losses):.4f} with {best}"
    return f"{count}{ended}; log loss out of fold {found}: {verdict}"
