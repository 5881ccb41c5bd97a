"""What the champion knows and does not know, for its page: told from its artefact and the store."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from features.store.database import Store
from features.store.promotions import Past, past
from features.store.proposed import STEP, Scored, counted_by_score, first_scores
from serving.artefact import LoadedModel
from serving.charts import Dots, Line, Plot
from serving.document import Number, Section, Table
from serving.rates import wilson
from serving.shown import day, percent, plain
from serving.watch import FieldSeen

NOT_KNOWN = "Not known: this model was trained by a leadq that did not keep it. Retrain to see it."
_LOOKED_BACK = timedelta(days=182)
_FEWEST = 20
_MOST_DRIVERS = 15
_MOVED = 0.25
"""A PSI from which on a field is said to have moved."""


@dataclass(frozen=True)
class Matured:
    """Leads whose horizon is over, by the first score that this model gave them."""

    scored: tuple[Scored, ...]

    @property
    def leads(self) -> int:
        """How many there are."""
        return sum(s.leads for s in self.scored)

    @property
    def decided(self) -> int:
        """How many of them sales decided."""
        return sum(s.decided for s in self.scored)

    @property
    def won(self) -> int:
        """How many of these were won."""
        return sum(s.won for s in self.scored)

    @property
    def expected(self) -> float:
        """Wins that the scores of decided leads said, to half a thousandth each."""
        return sum(s.decided * (s.at_least + STEP / 2) for s in self.scored)

    def roc_auc(self) -> tuple[float, float, float] | None:
        """Return the chance that a won lead stood above another, with its 95 % interval.

        Hanley & McNeil 1982 (Radiology 143). None with few leads of either outcome.
        """
        won, other = self.won, self.decided - self.won
        if min(won, other) < _FEWEST:
            return None
        below, pairs = 0, 0.0
        for s in sorted(self.scored):
            lost = s.decided - s.won
            pairs += s.won * (below + lost / 2)
            below += lost
        auc = pairs / (won * other)
        q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
        spread = (won - 1) * (q1 - auc**2) + (other - 1) * (q2 - auc**2)
        reach = 1.96 * math.sqrt(max(auc * (1 - auc) + spread, 0.0) / (won * other))
        return auc, max(auc - reach, 0.0), min(auc + reach, 1.0)


def matured(store: Store, model: LoadedModel, now: datetime) -> tuple[Matured, list[Past]]:
    """Read what became of the leads that a model scored, and who was champion."""
    until = now - timedelta(days=model.artefact.scorer.agreement.horizon_days)
    with store.reading() as connection:
        found = first_scores(connection, until - _LOOKED_BACK, until, now, model.version)
        return Matured(tuple(counted_by_score(found))), past(connection)


def told(
    model: LoadedModel,
    found: Matured,
    history: Sequence[Past],
    fields: Sequence[FieldSeen] | None,
) -> list[Section]:
    """Return what a model knows, in words, tables and charts.

    Args:
        model: the champion, or one before it.
        found: what became of the leads that it scored.
        history: who was champion.
        fields: how recent leads differ from those it learned from; None: that is not looked at.

    """
    facts = model.artefact.facts
    shown: Mapping[str, Any] = facts.get("shown") or {}
    return [
        _scorecard(facts, found),
        _curves(shown),
        _drivers(shown),
        _leaks(shown),
        *([] if fields is None else [_drift(fields)]),
        _data(facts, found),
        _history(history),
    ]


def _scorecard(facts: Mapping[str, Any], found: Matured) -> Section:
    backtest: Mapping[str, float] = facts.get("evaluation") or {}
    says = list(_in_plain_words(backtest))
    if caution := facts.get("caution"):
        says.append(f"{_tight(caution[:1].upper() + caution[1:])}.")
    auc, rows = found.roc_auc(), list[tuple[str, str, str]]()
    promised = _figure(backtest, "roc_auc", "{:.3f}")
    came = "–" if auc is None else "{:.3f} ({:.3f} to {:.3f})".format(*auc)
    rows.append(("a won lead stands above another (ROC AUC)", promised, came))
    was = f"{found.expected:,.0f} said, {found.won:,} won" if found.decided else "–"
    ratio = _figure(backtest, "actual_to_predicted", "{:.0%}")
    rows.append(("wins, of those that it said", ratio, was))
    share = "–"
    if found.decided:
        rate = wilson(found.won, found.decided)
        share = f"{rate.value:.1%} ({rate.low:.1%} to {rate.high:.1%})"
    rows.append(("share won", _figure(backtest, "mean_actual", "{:.1%}"), share))
    lift = _figure(backtest, "lift_top_tenth", "{:.2f}")
    rows.append(("wins in the best tenth, times chance (lift)", lift, _lift(found)))
    if not found.decided:
        says.append("No lead that this version scored is old enough to judge it by yet.")
    columns = ("figure", "backtest", "matured scores")
    note = (
        "Backtest: later leads that its fit had not seen. Matured scores: the first that this "
        "version gave a lead, of leads whose horizon is over and that sales decided. In brackets: "
        "95% intervals."
    )
    numbers = (
        Number(f"{facts.get('leads', 0):,}", "leads learned from", f"{facts.get('won', 0):,} won"),
        Number(f"{found.decided:,}", "matured scores", f"{found.won:,} won"),
    )
    table = Table("Promise and truth", columns, tuple(rows), note, words=columns[1:])
    return Section("What it is worth", tuple(says), (table,), numbers=numbers)


def _in_plain_words(backtest: Mapping[str, float]) -> Iterator[str]:
    if "lift_top_tenth" in backtest:
        lift = _figure(backtest, "lift_top_tenth", "{:.1f}")
        yield (
            f"Called in its order, the best tenth of later leads held {lift} times as many wins "
            "as a tenth picked at random."
        )
    if "actual_to_predicted" in backtest:
        came = _figure(backtest, "actual_to_predicted", "{:.0%}")
        yield f"Of the wins that it predicted for them, {came} came."


def _tight(text: str) -> str:
    """Set per cent signs as the pages do."""
    return text.replace(" %", "%")


def _figure(figures: Mapping[str, float], name: str, how: str) -> str:
    if name not in figures:
        return "not known"
    ends = [figures.get(f"{name}_{end}") for end in ("low", "high")]
    value = how.format(figures[name])
    if None in ends:
        return value
    return f"{value} ({how.format(ends[0])} to {how.format(ends[1])})"


def _lift(found: Matured) -> str:
    """Return how many times more wins the best tenth holds; ties count in parts."""
    if min(found.won, found.decided - found.won) < _FEWEST:
        return "–"
    left, held = found.decided / 10, 0.0
    for s in sorted(found.scored, reverse=True):
        if s.decided and left > 0:
            part = min(1.0, left / s.decided)
            held, left = held + part * s.won, left - part * s.decided
    return f"{held / found.won * 10:.2f}"


def _curves(shown: Mapping[str, Any]) -> Section:
    figures = []
    if gain := shown.get("gain"):
        x, y, low, high = gain
        line = Line("by the model", x, y, low, high)
        chance = Line("at random", (0.0, 1.0), (0.0, 1.0), is_reference=True)
        says = "Share of the wins found by share of the leads called, the best first."
        figures.append(
            Plot(
                "Wins found, the best leads called first",
                says,
                "leads called",
                "wins found",
                (line, chance),
            )
        )
    if bins := shown.get("calibration"):
        said, was, low, high, _ = zip(*bins, strict=True)
        top = max([*said, *high])
        right = Line("as said", (0.0, top), (0.0, top), is_reference=True)
        dots = Dots("leads of like scores", said, was, low, high)
        says = "Share won by the probability said; on the line it is as said."
        title = "What it said, and what was won"
        figures.append(Plot(title, says, "probability said", "won", (right,), (dots,)))
    return Section("On later leads", () if figures else (NOT_KNOWN,), (), tuple(figures))


def _drivers(shown: Mapping[str, Any]) -> Section:
    if "drivers" not in shown:
        return Section("What drives it", (NOT_KNOWN,))
    drivers: Mapping[str, float] = shown["drivers"]
    whole = sum(drivers.values()) or 1.0
    named = list(drivers.items())[:_MOST_DRIVERS]
    rows = tuple((plain(name), percent(by / whole)) for name, by in named)
    columns = ("field", "part of all that moves scores")
    note = "On the average of all leads, up or down, in log-odds."
    return Section("What drives it", (), (Table("Fields that move scores", columns, rows, note),))


def _leaks(shown: Mapping[str, Any]) -> Section:
    if "leaks" not in shown:
        return Section("Leaks", (NOT_KNOWN,))
    rows = tuple(sorted(shown["leaks"].items(), key=lambda item: (item[1], item[0])))
    if not rows:
        return Section("Leaks", ("No field looks as if it were written once the end is known.",))
    says = "Blocked and suspect fields are left out unless the agreement gives a reason."
    columns = ("field", "verdict")
    told = tuple((plain(name), verdict) for name, verdict in rows)
    return Section("Leaks", (says,), (Table("Fields in doubt", columns, told, words=("verdict",)),))


def _drift(fields: Sequence[FieldSeen]) -> Section:
    if not fields:
        return Section("Drift", ("No lead was scored over REST since the service began.",))
    ordered = sorted(fields, key=lambda f: (-(f.psi or 0.0), -f.unseen, f.field))
    rows = tuple(
        (f.field, f"{f.missing:.0%}", f"{f.unseen:.0%}", "–" if f.psi is None else f"{f.psi:.2f}",
         "moved" if f.psi is not None and f.psi >= _MOVED else "")
        for f in ordered
    )  # fmt: skip
    columns = ("field", "missing", "not seen in training", "moved by (PSI)", "")
    note = (
        f"PSI says how far values are spread otherwise than in training; from {_MOVED} on, a lot."
    )
    table = Table("Recent leads against the training", columns, rows, note)
    return Section("Drift", ("How far recent leads differ from those it learned from.",), (table,))


def _data(facts: Mapping[str, Any], found: Matured) -> Section:
    return Section("What it rests on, and does not know", tuple(_rests(facts, found)))


def _rests(facts: Mapping[str, Any], found: Matured) -> Iterator[str]:
    source = "the store: exports and feedback" if facts.get("from_store") else "an export alone"
    until = f" It knows outcomes up to {_as_day(facts['as_of'])}." if facts.get("as_of") else ""
    yield f"It was trained on {source}.{until}"
    if verdict := facts.get("verdict"):
        yield f"The verdict: {_tight(verdict)}."
    if facts.get("split"):
        yield f"Judged so: {facts['split']}."
    if found.leads:
        covered = wilson(found.decided, found.leads)
        yield (
            f"Of {found.leads:,} leads that it scored long enough ago, sales decided "
            f"{covered.value:.0%} ({covered.low:.0%} to {covered.high:.0%}). Of the others, and of "
            "leads that nobody worked, it learns nothing."
        )
    doubted = facts.get("doubted") or {}
    if doubted:
        yield f"Used on the word of the agreement in spite of doubt: {', '.join(sorted(doubted))}."


def _as_day(moment: str) -> str:
    return day(date.fromisoformat(moment[:10]))


def _history(history: Sequence[Past]) -> Section:
    rows = tuple(
        (f"version {p.model}", day(p.at), p.act, p.previous or "–", _tight(p.why))
        for p in reversed(history)
    )
    columns = ("champion", "since", "by", "before", "why")
    table = Table("Promotions with their verdicts", columns, rows, words=columns[1:])
    return Section("History", (), (table,) if rows else ())
