"""`leadq train`: from an export and an agreement to a registered, judged model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from features.agreement import Agreement
from features.encoder import Encoder
from features.errors import UsageError
from features.files import open_table
from features.home import Home
from features.leads import History, Leads
from features.reading import Intake, read_history
from features.store.hindsight import Hindsight
from serving.members import Vector
from serving.scorer import Scorer
from serving.spread import Spread
from training.choose import Choice, choose_fields
from training.evaluate import Evaluation, judge
from training.fit import Parameters, Recipe
from training.further import Further, judge_further, with_further
from training.growth import ONLY_A_PART_JUDGES, ORDER_IS_SHOWN, how_many_more
from training.judged import days_of
from training.labels import Labelled, label, last_answer
from training.moved import Drift, drift
from training.page import page
from training.past import keep_in_parts, known_at, need_past, said_since
from training.propensity import propensity_of
from training.record import artefact_of, record_of
from training.rolling import Origin, roll
from training.score_interval import fit_interval
from training.shown import Verdict, rules_alone, takes_over
from training.splits import (
    MOST_JUDGED,
    Rows,
    Split,
    judged_part,
    order,
    origins,
    regular,
    split,
)
from training.spread import Held, fit_spread, held
from training.track import Registered, register
from training.tune import PRESETS, Preset, Tuned, tune
from training.views import caution, judged_rows
from training.work import THE_STORE, Plan, Progress, Work

_MOST_LOOKED_AT = 5_000


@dataclass(frozen=True)
class Training:
    """What `leadq train` tells its user."""

    intake: Intake
    labelled: Labelled
    split: Split
    choice: Choice
    work: Work
    """The leads and the plan, for further fits on the same."""
    judged: Scorer
    """What was judged: fitted on the earlier leads alone."""
    verdict: Verdict
    growth: str
    """About how many more outcomes would do; empty where the model scores."""
    evaluation: Evaluation | None
    """Of what is registered, model or rules, on later leads; None where they cannot judge."""
    caution: str
    """What a reader of its probabilities must know; empty where there is nothing."""
    drift: Drift | None
    """None where leads have no order in time."""
    further: Further
    origins: list[Origin]
    """How the recipe would have done at several moments of the past."""
    scorer: Scorer
    parameters: Parameters
    tuned: Tuned | None
    later: JudgedLeads
    registered: Registered
    hindsight: Hindsight | None = None
    """What it says of the leads since its day; None where that is no past one."""


@dataclass(frozen=True)
class JudgedLeads:
    """The later leads with their outcomes and what was said of them."""

    leads: Leads
    labels: Any
    probability: Vector
    data_digest: str
    judged_digest: str


def train(
    path: Path,
    agreement: Agreement,
    home: Home,
    name: str | None = None,
    recipe: Recipe = "blend",
    seed: int = 0,
    promote: bool = False,
    progress: Progress = lambda _: None,
    preset: Preset = "default",
    seconds: float = 300.0,
    trials: int | None = None,
    keep: Callable[[History], None] = lambda _: None,
    as_of: datetime | None = None,
) -> Training:
    """Train, judge and register a model.

    The figures come from a fit on earlier leads, judged on later ones. The model that is
    registered is then fitted anew on all of them. Where later leads do not show the model to be
    better than chance and than the agreed points, the points are registered in its place.

    Args:
        path: the export with outcomes.
        agreement: what both sides agreed.
        home: where runs and models are kept.
        name: of the run; None: that of the recipe.
        recipe: which members the model has.
        seed: the same seed gives the same model.
        promote: whether to make it champion.
        progress: told what is being done.
        preset: how much is tried.
        seconds: for the search of preset `best`.
        trials: of that search; given, the clock plays no part.
        keep: what else is done with the leads, told a chunk at a time, such as storing them.
            Of a past moment it is done only once there is a model.
        as_of: train as if it were this moment of the past; None: on all that the export knows.

    Raises:
        UsageError: when the export does not fit the agreement.

    """
    intake = Intake()
    progress("reading the export")
    at_once = keep if as_of is None else lambda _: None
    history = read_history(open_table(path, agreement.export), agreement, intake, at_once)
    plan = Plan(recipe, seed, preset, seconds, trials, as_of)
    training = train_on(history, agreement, plan, progress, intake, str(path))
    if as_of is not None:
        keep_in_parts(history, keep)
        said = said_since(history, training.scorer, as_of)
        training = replace(training, hindsight=said)
    progress("registering")
    return enrol(training, home, name, promote)


def train_on(
    history: History,
    agreement: Agreement,
    plan: Plan,
    progress: Progress,
    intake: Intake,
    source: str,
) -> Training:
    """Train and judge a model on leads, wherever they come from; nothing is registered yet.

    Args:
        history: leads with what became of them.
        agreement: what both sides agreed.
        plan: how the model is made.
        progress: told what is being done.
        intake: the account of the reading.
        source: where the leads come from, for errors.

    Raises:
        UsageError: when no lead has a known outcome.

    """
    until = last_answer(history) if source == THE_STORE else None
    labelled = label(history, agreement, until)
    everything = labelled, history  # leaks are looked for in all that is known of fields
    if plan.as_of is not None:
        need_past(history, agreement, plan.as_of)
        history = known_at(history, agreement.horizon_days, plan.as_of)
        labelled = label(history, agreement, plan.as_of)
        source += f", as of {plan.as_of:%Y-%m-%d}"
    if not len(labelled.labels):
        account = "; ".join(f"{n} {why}" for why, n in labelled.unlabelled.items())
        raise UsageError(
            f"{source}: no lead has a known outcome ({account or 'there are no leads'}). Bring a "
            "longer history, or check [outcomes] and horizon_days in the agreement"
        )
    progress("looking for leaks")
    choice = choose_fields(*everything, agreement)
    parts = judged_part(split(labelled.history, labelled.labels, agreement, plan.seed))
    place = order(labelled.history, agreement)
    effort = PRESETS[plan.preset]
    chosen = propensity_of(labelled.history.leads, agreement)
    work = Work(
        labelled,
        history,
        agreement,
        parts,
        place,
        choice.fields,
        plan,
        effort,
        progress,
        chosen,
        source,
    )
    tuned = None
    if plan.preset == "best" and work.can_fit(parts.earlier):
        tuned = _tuned(work)
        work = replace(work, effort=tuned.effort)
    return _trained(work, choice, intake, tuned)


def enrol(
    training: Training,
    home: Home,
    name: str | None = None,
    promote: bool = False,
    more: Mapping[str, Any] | None = None,
) -> Training:
    """Keep a training as a run, and register its model.

    Args:
        training: as `train_on` gives it.
        home: where runs and models are kept.
        name: of the run; None: that of the recipe.
        promote: whether to make it champion.
        more: further tables of the run, by file name.

    """
    scored_by_model = training.verdict.scorer == "model"
    name = name or (training.work.plan.recipe if scored_by_model else "points")
    record = record_of(training, name, page(training, name))
    record = replace(record, tables={**record.tables, **(more or {})})
    registered = register(home, artefact_of(training), record, promote)
    return replace(training, registered=registered)


def _tuned(work: Work) -> Tuned:
    rows = work.split.earlier
    return tune(
        work.leads(rows),
        work.labels(rows),
        work.weight(rows),
        work.agreement,
        work.fields,
        work.places(rows),
        work.plan.seed,
        work.plan.seconds,
        work.plan.trials,
        work.progress,
    )


def _trained(work: Work, choice: Choice, intake: Intake, tuned: Tuned | None) -> Training:
    earlier, later = work.split.earlier, work.split.later
    labels = work.labels(later)
    later_leads = work.leads(later)
    rules = work.rules(regular(earlier, MOST_JUDGED))
    model = work.fit(earlier, "earlier leads").scorer if work.can_fit(earlier) else rules
    said, by_rules = model.probabilities(later_leads), rules.probabilities(later_leads)
    days = days_of(later_leads)
    clusters = None if days is None else np.array(days)
    if work.can_fit(earlier):
        verdict = takes_over(labels, said, by_rules, clusters, work.plan.seed)
    else:
        verdict = rules_alone(
            labels, by_rules, work.why_no_model(earlier), clusters, work.plan.seed
        )
    judged = model if verdict.scorer == "model" else rules
    probability = said if verdict.scorer == "model" else by_rules
    work.progress("judging on later leads")
    tested = verdict.model if verdict.scorer == "model" else verdict.rules
    evaluation = _evaluated(work, labels, probability)
    if evaluation is not None and tested is not None:
        # One test decides who scores and what is said of the order.
        evaluation = replace(evaluation, sorts=tested.sorts)
    growth = "" if verdict.scorer == "model" else _growth(work, verdict)
    work.progress("value and time to conversion")
    past, sums = _past(work) if verdict.scorer == "model" else ([], [])
    sums += [held(judged, later_leads, labels)]
    further = judge_further(work.labelled, work.history, judged, work.split, work.plan.seed)
    final, parameters = _final(work, verdict)
    final = replace(final, spread=_spread(sums))
    final = with_further(final, work.labelled, work.history, further, work.plan.seed)
    told = JudgedLeads(
        later_leads,
        labels,
        probability,
        work.labelled.digest(np.arange(len(work.labelled.labels))),
        work.labelled.digest(later),
    )
    return Training(
        intake=intake,
        labelled=work.labelled,
        split=work.split,
        choice=choice,
        work=work,
        judged=judged,
        verdict=verdict,
        growth=growth,
        evaluation=evaluation,
        caution=caution(evaluation, past),
        drift=None if evaluation is None or work.place is None else _drift(work),
        further=further,
        origins=past,
        scorer=final,
        parameters={**parameters, "preset": work.plan.preset},
        tuned=tuned,
        later=told,
        registered=Registered("", "", "", False),
    )


def _evaluated(work: Work, labels: npt.NDArray[np.int8], said: Vector) -> Evaluation | None:
    """Judge what was said of the later leads; None where these have one outcome only."""
    if not 0 < labels.sum() < len(labels):
        return None
    history, later = work.labelled.history, work.split.later
    view = judged_rows(history, later, labels, said, work.agreement)
    return judge(view, work.agreement, work.plan.seed, work.split.share)


def _growth(work: Work, verdict: Verdict) -> str:
    """Say about how many more outcomes would show a model to be better."""
    if verdict.model is not None and verdict.model.sorts:
        return ORDER_IS_SHOWN
    if not work.fields:
        return "no field is left to predict from: look at [fields] of the agreement"
    if work.split.share < 1:
        return ONLY_A_PART_JUDGES
    earlier, later = regular(work.split.earlier, MOST_JUDGED), work.split.later
    encoder = Encoder.fit(work.leads(earlier), work.agreement, work.fields)
    return how_many_more(
        encoder.encode(work.leads(earlier)),
        work.labels(earlier),
        encoder.encode(work.leads(later)),
        work.labels(later),
        encoder.columns,
        work.plan.seed,
    ).sentence


def _past(work: Work) -> tuple[list[Origin], list[Held | None]]:
    """Judge the recipe, with little effort, at several moments of the past."""
    quick = replace(work, effort=PRESETS["fast"], progress=lambda _: None)
    splits = origins(work.labelled.history, work.labelled.labels, work.agreement)
    judged_already = set(work.split.all_later.tolist())
    sums: list[Held | None] = []

    def said(earlier: Rows, later: Rows) -> Vector:
        work.progress("looking back at earlier moments")
        scorer, leads = quick.fit(earlier, "").scorer, work.leads(later)
        # No win may count twice in how far sums are off.
        if judged_already.isdisjoint(later.tolist()):
            sums.append(held(scorer, leads, work.labels(later)))
        return scorer.probabilities(leads)

    thinned = [_thinned(part) for part in splits]
    days = days_of(work.labelled.history.leads)
    return roll(thinned, work.labelled.labels, said, work.plan.seed, days), sums


def _spread(sums: list[Held | None]) -> Spread | None:
    """Return how far sums over campaigns may be off; None where there are no campaigns."""
    parts = [part for part in sums if part is not None]
    return fit_spread(parts) if parts else None


def _thinned(part: Split) -> Split:
    """Return a regular part of many rows: a look back need not be exact to the last lead."""
    earlier, later = (
        rows[:: max(1, len(rows) // _MOST_LOOKED_AT)] for rows in (part.earlier, part.later)
    )
    return Split(earlier, later, part.method)


def _drift(work: Work) -> Drift:
    earlier, later = regular(work.split.earlier, MOST_JUDGED), work.split.later
    before, after = work.leads(earlier), work.leads(later)
    return drift(
        {name: before.column(name) for name in work.fields},
        {name: after.column(name) for name in work.fields},
        work.labels(earlier),
        work.labels(later),
        work.agreement.export.decimal,
    )


def _final(work: Work, verdict: Verdict) -> tuple[Scorer, Parameters]:
    """Fit what was shown to be better on all leads, and the interval of a score beside it."""
    rows = np.arange(len(work.labelled.labels))
    if verdict.scorer == "rules":
        rows = regular(rows, MOST_JUDGED)
        scorer = work.rules(rows)
        log_odds = scorer.blend.log_odds(scorer.encoder.encode(work.leads(rows)))
        interval = fit_interval(log_odds, work.labels(rows), work.weight(rows))
        parameters: Parameters = {"recipe": "points", "seed": work.plan.seed}
        if len(rows) < len(work.labelled.labels):
            parameters["learned_from"] = len(rows)
        return replace(scorer, interval=interval), parameters
    fitted = work.fit(rows, "all leads")
    unseen = fitted.unseen
    interval = fit_interval(unseen.log_odds, work.labels(rows)[unseen.rows], unseen.weight)
    return replace(fitted.scorer, interval=interval), fitted.parameters
