"""What `leadq retrain` says, to people and to machines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from features.store.jobs import HeldError
from training.retrain import Retrained


def retrained_lines(result: Retrained) -> Iterator[str]:
    """Say what was done and why, the outcome first."""
    training = result.training
    if result.due is not None and result.due.fired:
        yield result.due.sentence
    if training is None:
        yield f"Nothing done: {result.why}"
        return
    number = training.registered.version
    if result.outcome == "first":
        yield f"Version {number} is champion: {result.why}"
        return
    if result.outcome == "promoted":
        yield f"Version {number} is champion; before: {result.before}. It was {result.why}"
    else:
        yield f"Version {number} stays a challenger of version {result.before}: {result.why}"
    if result.verdict is not None:
        yield f"  {result.verdict.judged_on}"
        yield f"  champion's fit: {result.compared}"
        for check in result.verdict.checks:
            yield f"  {'passed' if check.passed else 'FAILED'}  {check.name}: {check.sentence}"
    for left in training.choice.left_out:
        if training.work.agreement.fields[left.field].use == "yes":
            yield f"  left out: {left.field} ({left.verdict}): {left.reason}"
    if training.work.propensity is not None:
        yield from (f"  {told}" for told in training.work.propensity.sentences)


def retrained_json(result: Retrained, report: Path | None) -> dict[str, Any]:
    """Return the same as JSON values, with where the report was written."""
    training = result.training
    return {
        "outcome": result.outcome.replace(" ", "_"),
        "why": result.why,
        "due": None if result.due is None else vars(result.due),
        "version": None if training is None else training.registered.version,
        "run_id": None if training is None else training.registered.run_id,
        "champion_before": result.before,
        "champion_fit": result.compared or None,
        "verdict": None if result.verdict is None else result.verdict.as_dict(),
        "report": None if report is None else str(report),
    }


def held_json(held: HeldError) -> dict[str, Any]:
    """Return as JSON values that another process is at it."""
    return {"outcome": "held", "why": str(held)}
