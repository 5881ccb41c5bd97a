"""Whether a retraining is due, by the triggers that both sides agreed on.

Everything counts from the last training that came to its end, so that a challenger that was refused
is not made again every night. Without a new outcome nothing fires: there is nothing new to learn.
An outcome is new where that training cannot have known it, not where it came to the store later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from features.agreement import Agreement
from features.leads import History, Leads
from features.store.database import Store
from features.store.dataset import new_outcomes, training_set
from features.store.jobs import last_done
from features.store.promotions import Champion, first_promoted
from serving.artefact import LoadedModel
from serving.scorer import Scorer
from training.intervals import rate_of
from training.labels import label, last_answer
from training.moved import drift

_MOST = 20_000
"""Leads of each side on which drift is looked for."""
_FEWEST = 50
"""Leads below which nothing is said of drift or calibration."""


@dataclass(frozen=True)
class Due:
    """What fired, and what was looked at besides."""

    fired: tuple[str, ...]
    quiet: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Say it in one line."""
        if self.fired:
            return f"due: {'; '.join(self.fired)}"
        return f"not due: {'; '.join(self.quiet)}"


def due(store: Store, agreement: Agreement, champion: LoadedModel | None, now: datetime) -> Due:
    """Say whether a retraining is due.

    Args:
        store: with the outcomes so far.
        agreement: its `[retrain]`.
        champion: the model that scores; None: then a first one is always due.
        now: this moment.

    """
    if champion is None:
        return Due(("there is no champion yet",), ())
    rules = agreement.retrain
    with store.reading() as connection:
        retrained = last_done(connection, "retrain")
        from_store = bool(champion.artefact.facts.get("from_store"))
        # `train` leaves no other mark of its time. A step back or a late promotion is no training.
        registered = Champion(champion.version, champion.digest)
        begun = None if from_store and retrained else first_promoted(connection, registered)
        since = max((moment for moment in (retrained, begun) if moment), default=None)
        from_export = since != retrained and not from_store
        learned_until = (trained_as_of(champion) or since) if from_export else None
        fresh = new_outcomes(connection, since, learned_until)
    told = f"{fresh:,} new outcomes" + (f" since {since:%Y-%m-%d}" if since else "")
    if not fresh:
        return Due((), (told,))
    found = [(fresh >= rules.min_new_outcomes, f"{told}, of {rules.min_new_outcomes:,} agreed")]
    if since is not None:
        age = now - since
        old = age >= timedelta(days=rules.max_age_days)
        found.append((old, f"trained {age.days} days ago, of {rules.max_age_days} agreed"))
    if not any(fires for fires, _ in found):
        with store.reading() as connection:
            history = training_set(connection, agreement, now)
        found += [_drifted(history, champion, agreement), _off(history, champion, agreement)]
    return Due(
        tuple(sentence for fires, sentence in found if fires),
        tuple(sentence for fires, sentence in found if not fires),
    )


def _drifted(history: History, champion: LoadedModel, agreement: Agreement) -> tuple[bool, str]:
    """Tell whether scores of leads that came since differ from those of leads learned from."""
    since, scorer = trained_as_of(champion), champion.artefact.scorer
    before, after = _parts(history.leads, since)
    if since is None or min(len(before), len(after)) < _FEWEST:
        return False, "too few leads to speak of drift"
    earlier, later = _said(scorer, history.leads, before), _said(scorer, history.leads, after)
    nobody = np.zeros(1, dtype=np.int8)
    moved = drift({"score": earlier}, {"score": later}, nobody, nobody).fields[0]
    value = moved.psi - moved.psi_by_chance
    return value >= agreement.retrain.drift, (
        f"scores moved by a PSI of {value:.2f} beyond chance, of {agreement.retrain.drift} agreed"
    )


def _off(history: History, champion: LoadedModel, agreement: Agreement) -> tuple[bool, str]:
    """Tell whether leads whose outcome came since were won less or more often than predicted."""
    labelled, since = label(history, agreement, last_answer(history)), trained_as_of(champion)
    _, rows = _parts(labelled.history.leads, _back(since, agreement))
    if since is None or len(rows) < _FEWEST:
        return False, "too few outcomes since to speak of calibration"
    won = rate_of(labelled.labels[rows], np.ones(len(rows)))
    predicted = float(np.mean(_said(champion.artefact.scorer, labelled.history.leads, rows)))
    ratio = predicted / won.value if won.value else float("inf")
    shown = not won.low <= predicted <= won.high
    bound = agreement.retrain.calibration_off
    fires = shown and not 1 / (1 + bound) <= ratio <= 1 + bound
    return fires, (
        f"predicted {predicted:.1%}, won {won.value:.1%} ({won.low:.1%} to {won.high:.1%}) of "
        f"{len(rows):,} leads since, {bound:.0%} off agreed"
    )


def trained_as_of(champion: LoadedModel) -> datetime | None:
    """Return the moment up to which outcomes were known when a model was trained."""
    text = champion.artefact.facts.get("as_of")
    return datetime.fromisoformat(text) if text else None


def _back(since: datetime | None, agreement: Agreement) -> datetime | None:
    """Return from when on leads had no known outcome when the champion was trained."""
    return since and since - timedelta(days=agreement.horizon_days)


def _parts(leads: Leads, since: datetime | None) -> tuple[list[int], list[int]]:
    """Return the rows of leads that came in before a moment, and of those that came later."""
    before: list[int] = []
    after: list[int] = []
    for i, created in enumerate(leads.created):
        if created is not None and since is not None:
            (before if created < since else after).append(i)
    return before, after


def _said(scorer: Scorer, leads: Leads, rows: list[int]) -> list[float]:
    """Return the probabilities of a regular part of the leads."""
    part = rows[:: -(-len(rows) // _MOST)]
    return [float(p) for p in scorer.probabilities(leads.take(part))]
