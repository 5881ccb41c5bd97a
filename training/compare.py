"""Runs side by side; only what was measured on the same leads is compared, lead by lead."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.errors import ModelError, UsageError
from features.home import Home
from training.later import LATER_FILE, Later, read_later
from training.paired import differences, drawn_by
from training.registry import MODEL, champion_version, connect, registry_errors
from training.track import EXPERIMENT

if TYPE_CHECKING:
    from mlflow import MlflowClient

METRICS = (
    "roc_auc",
    "log_loss",
    "lift_top_tenth",
    "won_in_top_tenth",
    "expected_calibration_error",
    "mean_predicted",
    "mean_actual",
)


@dataclass(frozen=True)
class Row:
    """One run and its model."""

    run: str
    run_id: str
    version: str | None
    is_champion: bool
    recipe: str
    judged_on: str
    """Digest of the later leads it was measured on: equal digests may be compared."""
    judged_rows: int
    judged_window: str
    """First and last day on which those leads came in; empty where that is not known."""
    agreement: str
    metrics: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Pair:
    """One measure of a version minus that of the version it is held against."""

    version: str
    against: str
    measure: str
    """One of `paired.MEASURES`."""
    top: int
    """How many leads are called for `wins_in_top`."""
    difference: float
    low: float
    high: float
    verdict: str
    """Of the version: better, worse, not shown (to be either), identical."""


@dataclass(frozen=True)
class Group:
    """Runs that were judged on the same later leads."""

    rows: list[Row]
    """The lowest log loss first: it rewards the right order and honest probabilities at once."""
    against: str | None
    """The version that the others are held against: the champion, else the lowest log loss."""
    pairs: list[Pair]
    comparisons: int
    """How many comparisons the intervals hold for together."""
    unpaired: list[str]
    """Versions without an interval: they, or `against`, come from an older leadq."""
    drawn_by: str | None
    """What the intervals drew anew: day or lead; None without intervals."""
    best: str | None
    """`against`, unless another is shown better by log loss and worse by nothing."""


@registry_errors()
def compare(
    home: Home, versions: Sequence[str] = (), top: int | None = None, seed: int = 0
) -> list[Group]:
    """Return finished runs in groups judged on the same leads, the newest group first.

    Args:
        home: where the runs are kept.
        versions: compare these alone; they must have been judged on the same leads.
        top: leads to call when wins are counted; a tenth of the later leads where not given.
        seed: of the intervals.

    Raises:
        ModelError: when there is no such version.
        UsageError: when no run was judged, when the versions were judged on different leads, or
            `top` exceeds them.

    """
    client = connect(home)
    rows, unjudged = _rows(client)
    if not rows:
        raise UsageError(_nothing(home, unjudged))
    if versions:
        rows = _named(rows, versions, unjudged)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.judged_on, []).append(row)
    if versions and len(groups) > 1:
        raise UsageError(_refusal(rows))
    return [_group(client, group, top, seed) for group in groups.values()]


def _rows(client: MlflowClient) -> tuple[list[Row], list[str]]:
    """Return the judged trainings, newest first, and the versions of those not judged."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        return [], []
    versions = {v.run_id: v.version for v in client.search_model_versions(f"name = '{MODEL}'")}
    champion = champion_version(client)
    runs = client.search_runs(
        [experiment.experiment_id],
        # The trials within a training carry no digest of leads.
        "attributes.status = 'FINISHED' and tags.data != ''",
        max_results=1000,
    )
    judged = [run for run in runs if "judged_on" in run.data.tags]
    unjudged = [str(versions.get(run.info.run_id, "-")) for run in runs if run not in judged]
    return [_row(run, versions.get(run.info.run_id), champion) for run in judged], unjudged


_WHY_UNJUDGED = (
    "their later leads, those that were to judge them, were all won or none of them was; bring an "
    "export whose newest leads hold both outcomes, and train anew"
)


def _nothing(home: Home, unjudged: list[str]) -> str:
    if not unjudged:
        return f"no run in {home.root} yet; start with: leadq train EXPORT"
    runs = "the one run" if len(unjudged) == 1 else f"all {len(unjudged):,} runs"
    return (
        f"nothing can be compared: {runs} in {home.root} could not be judged (version "
        f"{', '.join(sorted(unjudged))}): {_WHY_UNJUDGED}"
    )


def _row(run: Any, version: Any | None, champion: Any | None) -> Row:
    tags, parameters, metrics = run.data.tags, run.data.params, run.data.metrics
    return Row(
        run=run.info.run_name,
        run_id=run.info.run_id,
        version=None if version is None else str(version),
        is_champion=champion is not None and champion.version == version,
        recipe=parameters.get("recipe", ""),
        judged_on=tags["judged_on"],
        judged_rows=int(metrics["rows"]),
        judged_window=tags.get("judged_window", ""),
        agreement=tags.get("agreement", ""),
        metrics={name: metrics[name] for name in METRICS},
    )


def _named(rows: list[Row], versions: Sequence[str], unjudged: list[str]) -> list[Row]:
    by_version = {row.version: row for row in rows if row.version is not None}
    for version in versions:
        if version in unjudged:
            raise UsageError(f"version {version} could not be judged: {_WHY_UNJUDGED}")
        if version not in by_version:
            known = ", ".join(sorted(by_version, key=int))
            raise ModelError(f"no version {version!r} of the model; there are: {known or 'none'}")
    return [by_version[version] for version in dict.fromkeys(versions)]


def _refusal(rows: list[Row]) -> str:
    said = "; ".join(
        f"version {row.version} on {row.judged_rows:,} leads"
        f"{f' of {row.judged_window}' if row.judged_window else ''} under agreement "
        f"{row.agreement} (digest {row.judged_on[:8]})"
        for row in rows
    )
    return (
        f"these versions were judged on different leads or outcomes, so a difference between "
        f"their figures says nothing of the models: {said}. Train them anew on one export under "
        "one agreement, then compare those versions"
    )


def _group(client: MlflowClient, rows: list[Row], top: int | None, seed: int) -> Group:
    rows = sorted(rows, key=lambda row: row.metrics["log_loss"])
    called = _called(rows[0], top)
    registered = [row for row in rows if row.version is not None]
    kept = _kept(client, registered) if len(registered) > 1 else {}
    champions = (row for row in registered if row.is_champion)
    able = (row for row in registered if row.run_id in kept)
    reference = next(chain(champions, able, registered), None)
    if reference is None:
        return Group(rows, None, [], 0, [], None, None)
    others = [row for row in registered if row is not reference]
    paired = [row for row in others if row.run_id in kept and reference.run_id in kept]
    # A reference that its figure has chosen was held against each, and they against one another.
    comparisons = len(paired) if reference.is_champion else len(paired) * (len(paired) + 1) // 2
    pairs = _pairs(reference, paired, kept, called, comparisons, seed) if paired else []
    return Group(
        rows,
        reference.version,
        pairs,
        comparisons,
        [str(row.version) for row in others if row not in paired],
        drawn_by(kept[reference.run_id]) if paired else None,
        _best(reference, paired, pairs),
    )


def _called(row: Row, top: int | None) -> int:
    if top is None:
        return max(1, round(0.1 * row.judged_rows))
    if top > row.judged_rows:
        raise UsageError(
            f"top {top:,} is more than the {row.judged_rows:,} later leads that {row.run!r} was "
            "judged on; ask for fewer, or name the versions to compare"
        )
    return top


def _pairs(
    reference: Row,
    others: list[Row],
    kept: dict[str, Later],
    top: int,
    comparisons: int,
    seed: int,
) -> list[Pair]:
    base = kept[reference.run_id]
    for row in others:
        if not np.array_equal(kept[row.run_id].won, base.won):
            raise ModelError(
                f"{LATER_FILE} of version {row.version} or {reference.version} is not what was "
                f"judged on {row.judged_on[:8]}: their outcomes differ; train that version anew"
            )
    found = differences(base, [kept[r.run_id].probability for r in others], top, comparisons, seed)
    return [
        Pair(str(row.version), str(reference.version), measure, top, **vars(difference))
        for row, measures in zip(others, found, strict=True)
        for measure, difference in measures.items()
    ]


def _best(reference: Row, others: list[Row], pairs: list[Pair]) -> str | None:
    """Return the lowest log loss among those shown better by it and worse by nothing."""
    for row in others:  # the lowest log loss first
        verdicts = {p.measure: p.verdict for p in pairs if p.version == row.version}
        if verdicts["log_loss"] == "better" and "worse" not in verdicts.values():
            return row.version
    return reference.version


def load_later(home: Home, run_id: str) -> Later | None:
    """Return what a run said of the later leads; None for a run of a leadq that kept nothing."""
    return _load_later(connect(home), run_id)


def _kept(client: MlflowClient, rows: list[Row]) -> dict[str, Later]:
    found = {row.run_id: _load_later(client, row.run_id) for row in rows}
    return {run_id: later for run_id, later in found.items() if later is not None}


def _load_later(client: MlflowClient, run_id: str) -> Later | None:
    if LATER_FILE not in [file.path for file in client.list_artifacts(run_id)]:
        return None
    with tempfile.TemporaryDirectory() as folder:
        return read_later(Path(client.download_artifacts(run_id, LATER_FILE, folder)))
