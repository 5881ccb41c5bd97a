"""Runs side by side, best first; only what was measured on the same leads is compared."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from features.home import Home
from serving.registry import MODEL, champion_version, connect, registry_errors
from training.track import EXPERIMENT

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
    agreement: str
    metrics: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


@registry_errors()
def compare(home: Home) -> list[list[Row]]:
    """Return finished runs in groups measured on the same leads, the newest group first.

    Within a group the best stands first, by log loss: it rewards the right order and honest
    probabilities at once.
    """
    client = connect(home)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        return []
    versions = {v.run_id: v.version for v in client.search_model_versions(f"name = '{MODEL}'")}
    champion = champion_version(client)
    runs = client.search_runs(
        [experiment.experiment_id], "attributes.status = 'FINISHED'", max_results=1000
    )
    groups: dict[str, list[Row]] = {}
    for run in runs:  # newest first
        row = _row(run, versions.get(run.info.run_id), champion)
        groups.setdefault(row.judged_on, []).append(row)
    return [sorted(g, key=lambda row: row.metrics["log_loss"]) for g in groups.values()]


def _row(run: Any, version: Any | None, champion: Any | None) -> Row:
    tags, parameters = run.data.tags, run.data.params
    return Row(
        run=run.info.run_name,
        run_id=run.info.run_id,
        version=None if version is None else str(version),
        is_champion=champion is not None and champion.version == version,
        recipe=parameters.get("recipe", ""),
        judged_on=tags.get("judged_on", ""),
        agreement=tags.get("agreement", ""),
        metrics={name: run.data.metrics[name] for name in METRICS},
    )
