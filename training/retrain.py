"""`leadq retrain`: a challenger from the store, held against the champion, promoted if it passes.

Both are judged on the same later leads, by fits that ended before these came in. The challenger's
is the one that `train` judges. A champion that was trained before the window began is judged as it
is registered. One that has seen the window is fitted anew by its own recipe, agreement and fields,
on what was known as long before the window as its training is ago now; so both are of the age that
they have today, and what a retraining is worth can be seen. Where too little was known then for a
fit as strong as the champion, it is fitted on the leads that the challenger's fit knows. The
verdict says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np

from features.agreement import Agreement
from features.home import Home
from features.leads import History
from features.reading import Intake
from features.store.audit import audit
from features.store.database import Store
from features.store.dataset import training_set
from features.store.jobs import Clock, Lease, lease
from features.store.promotions import Champion, first_promoted
from features.store.turned import turned_since
from serving.artefact import LoadedModel
from serving.scorer import Scorer
from training.censoring import label_as_of, moments
from training.due import Due, due, trained_as_of
from training.fit import Recipe
from training.gate import Verdict, contest, is_points, new_suspects
from training.promotion import catch_up, champion_now, make_champion
from training.registry import load_champion
from training.since import Since, known_outcomes, new_outcomes
from training.splits import Rows, as_place
from training.track import describe
from training.train import Training, enrol, train_on
from training.tune import PRESETS, Preset
from training.work import THE_STORE, Plan, Progress, Work

KIND = "retrain"
_MOVED = "another model was made champion meanwhile; retrain to hold one against that"
Outcome = Literal["not due", "first", "promoted", "refused"]


@dataclass(frozen=True)
class Retrained:
    """What `leadq retrain` tells its user."""

    outcome: Outcome
    why: str
    due: Due | None = None
    training: Training | None = None
    verdict: Verdict | None = None
    compared: str = ""
    """Which fits met, in a sentence."""
    before: str | None = None
    """The champion that was challenged."""


@dataclass(frozen=True)
class Retraining:
    """What the steps of a retraining share."""

    home: Home
    store: Store
    agreement: Agreement
    clock: Clock
    who: str
    progress: Progress

    def run(
        self,
        recipe: Recipe | None = None,
        preset: Preset | None = None,
        if_due: bool = False,
        worker: str = "",
    ) -> Retrained:
        """Retrain from the store as of now, under the lease.

        Args:
            recipe: which members the challenger has; None: as the champion.
            preset: how much is tried; None: as for the champion.
            if_due: do nothing unless the agreement's triggers say so.
            worker: this process, as others shall read it.

        Raises:
            HeldError: when another process is retraining.
            UsageError: when no lead of the store has a known outcome.

        """
        with lease(self.store, KIND, worker, self.clock) as held:
            now = self.clock()
            catch_up(self.home, self.store, now)
            champion = _champion(self.home)
            self.progress("reading the store")
            found = due(self.store, self.agreement, champion, now) if if_due else None
            if found and not found.fired:
                held.result = "not due"
                return Retrained("not due", found.sentence, found)
            with self.store.reading() as connection:
                history = training_set(connection, self.agreement, now)
            plan = plan_of(champion) if champion else Plan()
            plan = replace(plan, recipe=recipe or plan.recipe, preset=preset or plan.preset)
            done = self._challenge(history, champion, plan, held)
            return replace(done, due=found)

    def _challenge(
        self, history: History, champion: LoadedModel | None, plan: Plan, held: Lease
    ) -> Retrained:
        training = train_on(
            history,
            self.agreement,
            plan,
            self.progress,
            Intake(read=len(history)),
            THE_STORE,
        )
        if champion is None:
            return self._first(training, held)
        self.progress("champion and challenger on later leads")
        fitted, compared = champion_before(training, champion)
        if fitted:
            verdict = _meet(training, champion, fitted, self._since(training, champion))
        else:
            verdict = _unmet(compared)
        verdict = unless_moved(verdict, self.home, champion)
        self.progress("registering")
        held.renew()
        training = enrol(training, self.home, more=_tables(verdict, compared, champion))
        number = training.registered.version
        held.renew()
        verdict = unless_moved(verdict, self.home, champion)
        why = verdict.headline
        if verdict.promoted:
            now = self.clock()
            make_champion(self.home, self.store, number, "retrain", why, self.who, now)
        describe(self.home, number, {"verdict": why})
        self._note(f"version {number} against {champion.version}: {why}")
        outcome: Outcome = "promoted" if verdict.promoted else "refused"
        return Retrained(outcome, why, None, training, verdict, compared, champion.version)

    def _since(self, training: Training, champion: LoadedModel) -> Since:
        """Hold the outcomes that came since the champion was made against what was known then."""
        error, known = 1 - self.agreement.gate.sure, None
        with self.store.reading() as connection:
            made = first_promoted(connection, Champion(champion.version, champion.digest))
            if made:
                known = known_outcomes(turned_since(connection, made, self.clock()), error)
        scorer, trained = champion.artefact.scorer, trained_as_of(champion)
        begin = _begin(training)
        if is_points(scorer) or not (trained and begin):
            return Since(known)
        return Since(
            known,
            new_outcomes(
                training.work.history,
                begin,
                trained,
                (scorer, training.judged),
                error,
                training.work.plan.seed,
            ),
        )

    def _first(self, training: Training, held: Lease) -> Retrained:
        self.progress("registering")
        held.renew()
        training = enrol(training, self.home)
        why = f"there was no champion: {training.verdict.sentence}"
        champion = catch_up(self.home, self.store, self.clock(), "retrain", why, self.who)
        if champion and champion.model != training.registered.version:
            return Retrained("refused", _MOVED, None, training, before=champion.model)
        self._note(f"version {training.registered.version} met no champion")
        return Retrained("first", why, None, training)

    def _note(self, what: str) -> None:
        now = self.clock()
        self.store.write(lambda c: audit(c, KIND, what, self.who, now))


def unless_moved(verdict: Verdict, home: Home, champion: LoadedModel) -> Verdict:
    """Return the verdict, or a refusal where another model was made champion meanwhile."""
    if not verdict.promoted or champion_now(home) == Champion(champion.version, champion.digest):
        return verdict
    return verdict.refused("champion", "still the one that was challenged", _MOVED)


def champion_before(training: Training, champion: LoadedModel) -> tuple[Scorer | None, str]:
    """Return a fit of the champion that ended before the later leads, and what it is in words.

    None where there is none, with the reason: a champion that has seen the leads is no measure, and
    neither are points in its place.
    """
    scorer = champion.artefact.scorer
    trained = trained_as_of(champion)
    begin = _begin(training)
    if trained and begin and trained <= begin:
        return scorer, (
            f"version {champion.version} as it is registered: it was trained on what was known on "
            f"{trained.date()}, before these leads came in"
        )
    work, taught = _as_taught(training.work, champion)
    rows, when = _known_to_it(training, champion, work, taught)
    seen = "may have seen" if begin is None else "was trained after the first of"
    if is_points(scorer):
        fitted = work.rules(rows)
    elif work.can_fit(rows):
        fitted = work.fit(rows, "what the champion knew").scorer
    else:
        return None, (
            f"version {champion.version} {seen} these leads, and too few before them were won or "
            "lost to fit its recipe anew, so nothing can be compared; wait for more, or promote by "
            "hand"
        )
    return fitted, (
        f"version {champion.version} {seen} these leads, so its recipe was fitted anew on {when}"
        f"{_apart(work.agreement, training.work.agreement)}"
    )


def _known_to_it(
    training: Training, champion: LoadedModel, work: Work, taught: Rows
) -> tuple[Rows, str]:
    """Return the rows for a fit that stands for the champion, and what they are in words.

    What was known so long before the window as its training is ago now; but where that has less
    than half of the wins that it learned from, a fit on it would be weaker than the champion is,
    and too easy to beat. Then like is held against like.
    """
    earlier = np.intersect1d(work.split.earlier, taught)
    begin = _begin(training)
    if not (trained_as_of(champion) and begin and training.labelled.as_of) or work.place is None:
        return earlier, "the earlier leads"
    until = begin - _age(training, champion)
    gap = work.agreement.horizon_days if _has_gap(training.work, begin) else 0
    place = work.place[taught]
    older = taught[(place <= as_place(until) - gap) & (place < as_place(begin))]
    won, learned = int(work.labels(older).sum()), int(work.labels(earlier).sum())
    enough = min(champion.artefact.facts.get("won", learned), learned) / 2
    if won >= enough and work.can_fit(older):
        return older, f"what was known on {until.date()}, as old then as it is now"
    return earlier, (
        f"the earlier leads, as the challenger's fit was: {won:,} wins known on {until.date()} are "
        "too few to stand for it, so its age cannot show, only recipe, fields and agreement"
    )


def _as_taught(work: Work, champion: LoadedModel) -> tuple[Work, Rows]:
    """Return the work as the champion was taught, and the rows with a label by its agreement."""
    scorer, labelled, plan = champion.artefact.scorer, work.labelled, plan_of(champion)
    history, agreed = labelled.history, scorer.agreement
    told = label_as_of(
        moments(history.leads.created),
        moments(history.closed),
        history.dispositions,
        labelled.as_of,
        agreed.horizon_days,
        agreed.learning,
    )
    names = [f.field for f in scorer.encoder.fields if f.field in history.leads.columns]
    tuned = champion.artefact.facts.get("tuned", {})
    own = replace(
        work,
        labelled=replace(labelled, labels=told.labels),
        agreement=agreed,
        fields={name: agreed.fields[name] for name in names},
        plan=plan,
        effort=replace(PRESETS[plan.preset], tuned=tuple(sorted(tuned.items()))),
    )
    return own, np.flatnonzero(told.weight)


def _has_gap(work: Work, begin: datetime) -> bool:
    """Tell whether the challenger's fit did without outcomes not yet known when the window began.

    In a short history it does not, and the champion's must not either.
    """
    if work.place is None:
        return False
    latest = as_place(begin) - work.agreement.horizon_days
    return bool((work.place[work.split.earlier] <= latest).all())


def _apart(own: Agreement, agreed: Agreement) -> str:
    """Say that a champion was taught what is another outcome than today's, if so."""
    if (own.horizon_days, own.learning) == (agreed.horizon_days, agreed.learning):
        return ""
    return ", by the horizon and the learning of its own agreement"


def _unmet(why: str) -> Verdict:
    nothing = Verdict(False, "", "no leads were judged", ())
    return nothing.refused("champion", "a fit that ended before the leads that judge", why)


def _begin(training: Training) -> datetime | None:
    """Return when the first of the later leads came in; None where no time is known."""
    return min((moment for moment in training.later.leads.created if moment), default=None)


def _meet(training: Training, champion: LoadedModel, fitted: Scorer, since: Since) -> Verdict:
    labelled, rows = training.labelled, training.split.later
    window = replace(
        labelled, history=labelled.history.take(rows.tolist()), labels=labelled.labels[rows]
    )
    suspects = new_suspects(
        training.choice.findings,
        training.choice.fields,
        champion.artefact.facts.get("doubted", {}),
    )
    return contest(
        fitted,
        training.judged,
        window,
        suspects,
        came_in=_came_in(training),
        seed=training.work.plan.seed,
        age_days=_age(training, champion) / timedelta(days=1),
        since=since,
    )


def _age(training: Training, champion: LoadedModel) -> timedelta:
    """Return how much longer the challenger could learn than the champion."""
    as_of, trained = training.labelled.as_of, trained_as_of(champion)
    return max(as_of - trained, timedelta(0)) if as_of and trained else timedelta(0)


def _came_in(training: Training) -> int | None:
    """Return how many leads came in on the days of the window, with an outcome or without."""
    known = [moment for moment in training.later.leads.created if moment]
    if not known:
        return None
    first, last = min(known), max(known)
    every = training.work.history.leads.created
    return sum(first <= moment <= last for moment in every if moment)


def _champion(home: Home) -> LoadedModel | None:
    """Return the champion, or None where there is none yet; a broken one is an error."""
    return None if champion_now(home) is None else load_champion(home)


def plan_of(champion: LoadedModel) -> Plan:
    """Return the plan by which a model was made; points say nothing of one."""
    found: Mapping[str, Any] = champion.artefact.facts.get("parameters", {})
    if found.get("recipe", "points") == "points":
        return Plan(preset=found.get("preset", "default"))
    return Plan(found["recipe"], int(found["seed"]), found.get("preset", "default"))


def _tables(verdict: Verdict, compared: str, champion: LoadedModel) -> dict[str, Any]:
    """Return the verdict as the run keeps it."""
    told = {"champion": champion.version, "champion_fit": compared}
    return {"verdict.json": verdict.as_dict() | told}
