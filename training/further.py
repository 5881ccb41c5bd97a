"""What a score is worth beyond its probability: the value of a win, and when it comes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from features.leads import History
from serving.scorer import Scorer
from training.labels import Labelled
from training.maturing import MaturingEvaluation, evaluate_maturing
from training.past import known_at
from training.splits import Split
from training.timing import TimingEvaluation, evaluate_timing, fit_timing
from training.value import ValueEvaluation, evaluate_value, fit_value

_MOST_ROWS = 50_000


@dataclass(frozen=True)
class Further:
    """What later leads say of value and time; None where that could not be judged."""

    has_value: bool
    has_timing: bool
    value: ValueEvaluation | None = None
    timing: TimingEvaluation | None = None
    maturing: MaturingEvaluation | None = None
    on_value: tuple[str, ...] = ()
    """Sentences; also why there is none."""
    on_timing: tuple[str, ...] = ()

    @property
    def value_in_short(self) -> tuple[str, ...]:
        """Whether ordering by value finds more revenue."""
        return () if self.value is None else (self.value.verdict,)

    @property
    def timing_in_short(self) -> tuple[str, ...]:
        """When wins come."""
        return self.on_timing[:1] if self.has_timing else ()

    def as_metrics(self) -> dict[str, float]:
        """Return the figures by name."""
        found: dict[str, float] = {}
        for part in (self.value, self.timing, self.maturing):
            found |= {} if part is None else part.as_metrics()
        return found


def judge_further(
    labelled: Labelled, history: History, scorer: Scorer, split: Split, seed: int
) -> Further:
    """Fit value and time on what was known before the later leads, and judge them on those.

    Args:
        labelled: the leads with labels.
        history: all leads, for those still open.
        scorer: fitted on the earlier leads.
        split: says which are earlier and which later.
        seed: of the draws.

    """
    labelled, history, split = _part(labelled, history, split)
    value = fit_value(labelled, scorer, split.earlier, seed)
    of_value = None
    if value.model is not None:
        of_value = evaluate_value(labelled, replace(scorer, value=value.model), split.later, seed)
    found = Further(
        has_value=value.model is not None,
        has_timing=False,
        value=of_value,
        on_value=(*value.sentences(), *(() if of_value is None else of_value.sentences())),
    )
    created = [labelled.history.leads.created[i] for i in split.later.tolist()]
    since = min((moment for moment in created if moment), default=None)
    as_of = labelled.as_of
    if as_of is None or since is None:
        return replace(found, on_timing=tuple(fit_timing(history, scorer, as_of, seed).sentences()))
    horizon = scorer.agreement.horizon_days
    timing = fit_timing(known_at(history, horizon, since), scorer, since, seed)
    if timing.model is None:
        return replace(found, on_timing=tuple(timing.sentences()))
    timed = replace(scorer, timing=timing.model)
    of_timing = evaluate_timing(history, timed, as_of, since)
    maturing = evaluate_maturing(history, timed, as_of, since)
    sentences = timing.sentences()
    sentences += [] if of_timing is None else of_timing.sentences()
    sentences += [] if maturing is None else maturing.sentences()
    return replace(
        found,
        has_timing=True,
        timing=of_timing,
        maturing=maturing,
        on_timing=tuple(sentences),
    )


def with_further(
    scorer: Scorer, labelled: Labelled, history: History, judged: Further, seed: int
) -> Scorer:
    """Return a scorer with value and time fitted on all leads, where the earlier ones did."""
    nothing = np.zeros(0, dtype=np.intp)
    labelled, history, _ = _part(labelled, history, Split(nothing, nothing, ""))
    if judged.has_value:
        rows = np.arange(len(labelled.labels))
        scorer = replace(scorer, value=fit_value(labelled, scorer, rows, seed).model)
    if judged.has_timing:
        timing = fit_timing(history, scorer, labelled.as_of, seed).model
        if timing is not None and judged.maturing is not None:
            timing = replace(timing, spread=max(timing.spread, judged.maturing.spread))
        scorer = replace(scorer, timing=timing)
    return scorer


def _part(labelled: Labelled, history: History, split: Split) -> tuple[Labelled, History, Split]:
    """Return a regular part of very many leads: more would not move a value or a day."""
    step = -(-len(labelled.labels) // _MOST_ROWS)
    if step <= 1:
        return labelled, history, split
    kept = np.arange(0, len(labelled.labels), step)
    earlier, later = (
        np.flatnonzero(np.isin(kept, rows)) for rows in (split.earlier, split.all_later)
    )
    part = replace(labelled, history=labelled.history.take(kept), labels=labelled.labels[kept])
    every = history.take(range(0, len(history), step))
    return part, every, Split(earlier, later, split.method)
