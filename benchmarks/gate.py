"""How often the gate promotes challengers of known worth: `python -m benchmarks.gate`.

Leads are drawn from a truth that is known; champion and challenger see its log-odds with errors of
their own beside a common one. What a challenger is really worth comes from one very large window.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from features.agreement import Agreement, from_dict
from training.contest import meet
from training.gate import decide
from training.window import Window

Vector = npt.NDArray[np.float64]
SIZES = (300, 1_000, 3_000, 20_000)
DAYS = 60
_BASE, _SIGNAL, _COMMON, _BY_DAY = -2.4, 1.1, 0.5, 0.2
_CALLED = 0.2
_DRAWS = 200
_VERY_MANY = 200_000


@dataclass(frozen=True)
class Model:
    """How a model sees the truth."""

    error: float = 0.3
    """Standard deviation of its own error, in log-odds."""
    level: float = 0.0
    """By how much all of its log-odds are off."""
    signal: float = 1.0
    """How much of the truth it sees: 0 as after shuffled labels."""
    leak: float = 0.0
    """How far the outcome itself moves its log-odds."""


@dataclass(frozen=True)
class Case:
    """A champion, a challenger, and what the pair stands for."""

    name: str
    champion: Model
    challenger: Model


CASES = (
    Case("as good: the same recipe on other leads", Model(), Model()),
    Case("a little better", Model(0.5), Model(0.2)),
    Case("better: the champion's order has aged", Model(0.9), Model(0.3)),
    Case("better: the champion's level is off by .4", Model(level=0.4), Model()),
    Case("a little worse", Model(0.2), Model(0.5)),
    Case("worse", Model(0.3), Model(0.9)),
    Case("worse: level off by .4", Model(), Model(level=0.4)),
    Case("shuffled labels", Model(), Model(0.1, signal=0)),
    Case("shuffled, but the champion's level is off by .6", Model(level=0.6), Model(0.1, signal=0)),
    Case("leaked a little, no field doubted", Model(), Model(leak=0.3)),
    Case("leaked more, no field doubted", Model(), Model(leak=0.6)),
)


def drawn(case: Case, rows: int, seed: int) -> tuple[Window, Vector, Vector]:
    """Return a window of leads, and what champion and challenger say of them."""
    generator = np.random.default_rng(seed)
    day = np.sort(generator.integers(0, DAYS, rows))
    signal = _SIGNAL * generator.normal(size=rows)
    common = _COMMON * generator.normal(size=rows)
    luck = _BY_DAY * generator.normal(size=DAYS)[day]
    won = (generator.random(rows) < expit(_BASE + signal + luck)).astype(np.int8)
    said = [
        _said(model, signal, common, won, generator) for model in (case.champion, case.challenger)
    ]
    return Window(won, day), said[0], said[1]


def _said(
    model: Model, signal: Vector, common: Vector, won: Vector, generator: np.random.Generator
) -> Vector:
    """Return calibrated probabilities, but for the level: what is seen is shrunk by its error."""
    noise = _COMMON**2 + model.error**2
    kept = _SIGNAL**2 / (_SIGNAL**2 + noise) if model.signal else 0.0
    seen = kept * (model.signal * signal + common) + model.error * generator.normal(
        size=len(won)
    ) * (kept or 1.0)
    # What a model does not see flattens the odds: the logistic-normal rule of thumb.
    unseen = _SIGNAL**2 * (1 - kept) + _BY_DAY**2
    log_odds = (_BASE + seen) / np.sqrt(1 + 0.346 * unseen)
    leaked = model.leak * (won - 0.12)
    return np.asarray(expit(log_odds + model.level + leaked))


def agreement_for(rows: int) -> Agreement:
    """Return an agreement under which sales can call a fifth of each day's leads."""
    calls = max(1, round(_CALLED * rows / DAYS))
    return from_dict(
        {
            "format": 1,
            "version": 1,
            "name": "gate",
            "columns": {"id": "id", "outcome": "outcome", "created": "created"},
            "outcomes": {"won": ["won"], "lost": ["lost"]},
            "grades": {"A": 0.25, "B": 0.12, "C": 0.06},
            "capacity": {"leads_per_day": calls},
        }
    )


def worth(case: Case, rows: int = _VERY_MANY) -> tuple[float, float]:
    """Return what the challenger is really worth: wins at capacity, as a share, and AUC."""
    window, champion, challenger = drawn(case, rows, 0)
    found = meet(window, champion, challenger, agreement_for(rows), times=2)
    return found.wins.value / found.wins_found, found.auc.value


def promoted(case: Case, rows: int, repeats: int, age: float) -> tuple[float, Counter[str]]:
    """Return the share of windows on which it is promoted, and which checks stopped it."""
    stopped: Counter[str] = Counter()
    passed = 0
    for seed in range(1, repeats + 1):
        window, champion, challenger = drawn(case, rows, seed)
        verdict = decide(
            window, champion, challenger, agreement_for(rows), times=_DRAWS, age_days=age
        )
        passed += verdict.promoted
        stopped.update(check.name for check in verdict.checks if not check.passed)
    return passed / repeats, stopped


def table(sizes: tuple[int, ...], repeats: int, age: float, why: bool) -> Iterator[str]:
    """Yield the table in Markdown."""
    yield f"| challenger | wins | AUC | {' | '.join(f'{n:,}' for n in sizes)} |"
    yield f"|---|---|---|{'---|' * len(sizes)}"
    for case in CASES:
        wins, auc = worth(case)
        found = [promoted(case, rows, repeats, age) for rows in sizes]
        shares = " | ".join(f"{100 * share:.0f} %" for share, _ in found)
        yield f"| {case.name} | {100 * wins:+.1f} % | {auc:+.3f} | {shares} |"
        if why:
            yield from (
                f"    {n}: {dict(s.most_common(5))}" for n, (_, s) in zip(sizes, found, strict=True)
            )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--age", type=float, default=0, help="days since the champion was made")
    parser.add_argument("--why", action="store_true", help="also say which checks stopped it")
    asked = parser.parse_args()
    for line in table(tuple(asked.sizes), asked.repeats, asked.age, asked.why):
        print(line, flush=True)


if __name__ == "__main__":
    main()
