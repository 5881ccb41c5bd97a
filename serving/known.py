"""What the champion knows and does not know, for its page: told from its artefact and the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from features.store.promotions import Past
from serving.artefact import LoadedModel
from serving.charts import Dots, Line, Plot
from serving.document import Number, Section, Table
from serving.matured import FEWEST, Matured
from serving.rates import Interval, wilson
from serving.shown import day, percent, plain
from serving.watch import FieldSeen

NOT_KNOWN = "Not known: this model was trained by a leadq that did not keep it. Retrain to see it."
_MOST_DRIVERS = 15
_MOVED = 0.25
"""A PSI from which on a field is said to have moved."""


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
        _curves(shown, found),
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
    held = found.lift()
    best = "–" if held is None else f"{held:.2f}"
    rows.append(("wins in the best tenth, times chance (lift)", lift, best))
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


def _curves(shown: Mapping[str, Any], found: Matured) -> Section:
    gains = [Line("backtest", *shown["gain"])] if shown.get("gain") else []
    bins = [Dots("backtest", *_columns(shown["calibration"]))] if shown.get("calibration") else []
    says = [] if gains and bins else [NOT_KNOWN]
    if found.is_enough:
        steps, held = found.gain()
        gains.append(Line("matured scores", steps, *_ends(held)))
        said, won = found.calibration()
        bins.append(Dots("matured scores", said, *_ends(won)))
    elif found.decided:
        says.append(
            f"Matured scores are drawn beside it once {FEWEST} of their leads are won and as "
            "many are not."
        )
    figures = (*([_gain(gains)] if gains else []), *([_calibration(bins)] if bins else []))
    return Section("On later leads", tuple(says), (), figures)


def _columns(bins: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    """Return what was said, what was won and its two ends, each as a column."""
    return tuple(zip(*bins, strict=True))[:4]


def _ends(found: Sequence[Interval]) -> tuple[list[float], list[float], list[float]]:
    return [i.value for i in found], [i.low for i in found], [i.high for i in found]


def _gain(lines: Sequence[Line]) -> Plot:
    says = "Share of the wins found by share of the leads called, the best first."
    chance = Line("at random", (0.0, 1.0), (0.0, 1.0), is_reference=True)
    title = "Wins found, the best leads called first"
    return Plot(title, says, "leads called", "wins found", (*lines, chance))


def _calibration(dots: Sequence[Dots]) -> Plot:
    top = max(v for d in dots for v in (*d.x, *d.high))
    right = Line("as said", (0.0, top), (0.0, top), is_reference=True)
    says = "Share won by the probability said, of leads of like scores; on the line it is as said."
    title = "What it said, and what was won"
    return Plot(title, says, "probability said", "won", (right,), tuple(dots))


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
