"""Every training as a run in MLflow, and its model as a version in the registry."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as package_version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import serving
from features.cells import cell, text_of
from features.home import Home
from serving.artefact import Artefact, write
from training.later import write_later
from training.registry import (
    CHALLENGER,
    CHAMPION,
    DIGEST_TAG,
    MODEL,
    champion_version,
    connect,
    no_such_version,
    registry_errors,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.figure import Figure
    from mlflow import MlflowClient

    from training.evaluate import Evaluation

EXPERIMENT = "leadq"
_REQUIREMENTS = ("lightgbm", "mlflow", "numpy", "pandas", "phonenumbers", "pydantic", "tldextract")
_NOBODY = {"mlflow.user": "leadq", "mlflow.source.name": "leadq"}
"""In place of what MLflow would take from the machine: a login name and a path."""
_DATASETS = {"data": "training", "judged_on": "judging"}
"""Tag that holds a digest of leads, and what they were used for."""


@dataclass(frozen=True)
class Trial:
    """One attempt of a tuning, kept as a run within the run of the training."""

    name: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Record:
    """What a run keeps of a training: never a lead's data, never a value of a person."""

    name: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    """`data` and `judged_on` are digests of the leads learned from and judged on; `agreement`;
    `data_window` and `judged_window` as `later.window` tells them."""
    figures: Mapping[str, Figure]
    tables: Mapping[str, Any]
    """File name to JSON values."""
    page: str = ""
    """The report as HTML."""
    later: pa.Table | None = None
    """What was said of the later leads, as `later.later_table` gives it."""
    trials: Sequence[Trial] = ()


@dataclass(frozen=True)
class Registered:
    """A model version as registered."""

    version: str
    run_id: str
    digest: str
    is_champion: bool
    is_first: bool = False
    """Whether it is champion because there was none."""


@registry_errors()
def register(home: Home, artefact: Artefact, record: Record, promote: bool) -> Registered:
    """Log a run with its model, register the model, and give it its alias.

    The first model ever becomes champion, since there is none to challenge; a later one is
    challenger until somebody promotes it.
    """
    client = connect(home)
    import mlflow

    mlflow.set_experiment(experiment_id=_experiment(client, home))
    with (
        tempfile.TemporaryDirectory() as work,
        mlflow.start_run(run_name=record.name, tags=_NOBODY) as run,
    ):
        folder = Path(work) / MODEL
        written = write(artefact, folder)
        mlflow.log_params(dict(record.parameters))
        mlflow.log_metrics(dict(record.metrics))
        mlflow.set_tags({**record.tags, DIGEST_TAG: written, "code": code_version()})
        for name, figure in record.figures.items():
            mlflow.log_figure(figure, name)
        for name, table in record.tables.items():
            mlflow.log_dict(table, name)
        if record.page:
            mlflow.log_text(record.page, "report.html")
        if record.later is not None:
            mlflow.log_artifact(str(write_later(record.later, Path(work))))
        client.log_inputs(run.info.run_id, _datasets(record))
        _log_trials(record.trials)
        model = _log_model(folder, artefact)
    first = champion_version(client) is None
    tags = {DIGEST_TAG: written, "agreement": artefact.scorer.agreement.label}
    number = _new_version(client, model, run.info.run_id, tags)
    client.set_registered_model_alias(MODEL, CHAMPION if first or promote else CHALLENGER, number)
    return Registered(number, run.info.run_id, written, first or promote, first)


def _datasets(record: Record) -> list[Any]:
    """Name the leads by digest and window alone: no row, no file, no path."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    found = []
    for tag, context in _DATASETS.items():
        if tag in record.tags:
            profile = json.dumps({"created": record.tags.get(f"{tag.split('_')[0]}_window", "")})
            # MLflow's own type for leads that come from code and cannot be fetched again.
            leads = Dataset("leads", record.tags[tag], "code", '{"tags": {}}', profile=profile)
            found.append(DatasetInput(leads, [InputTag("mlflow.data.context", context)]))
    return found


def _log_trials(trials: Sequence[Trial]) -> None:
    import mlflow

    for trial in trials:
        with mlflow.start_run(run_name=trial.name, nested=True, tags=_NOBODY):
            mlflow.log_params(dict(trial.parameters))
            mlflow.log_metrics(dict(trial.metrics))


def _new_version(client: MlflowClient, model: Any, run_id: str, tags: dict[str, str]) -> str:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(MODEL)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    entry = client.create_model_version(
        MODEL, model.model_uri, run_id, tags=tags, model_id=model.model_id
    )
    return str(entry.version)


def _experiment(client: MlflowClient, home: Home) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        return str(found.experiment_id)
    location = None if home.is_remote else home.folder("artefacts").as_uri()
    return str(client.create_experiment(EXPERIMENT, artifact_location=location))


def _log_model(folder: Path, artefact: Artefact) -> Any:
    import mlflow

    return mlflow.pyfunc.log_model(
        name="model",
        # By its path: MLflow runs the file when it loads the model, and nobody imports it here.
        python_model=str(Path(serving.__file__).with_name("pyfunc.py")),
        artifacts={MODEL: str(folder)},
        signature=_signature(artefact),
        pip_requirements=[f"{name}=={package_version(name)}" for name in _REQUIREMENTS],
        input_example=_example(artefact),
        tags=_NOBODY,
    )


def _signature(artefact: Artefact) -> Any:
    """Every field is text and may be absent, so that no caller has to guess a type."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    scorer = artefact.scorer
    names = [scorer.agreement.columns.id, *(field.field for field in scorer.encoder.fields)]
    if scorer.agreement.columns.created:
        names.append(scorer.agreement.columns.created)
    inputs = Schema([ColSpec("string", name, required=False) for name in dict.fromkeys(names)])
    outputs = Schema([ColSpec("double", "probability"), ColSpec("string", "grade")])
    return ModelSignature(inputs, outputs)


def _example(artefact: Artefact) -> Any:
    """A synthetic lead, so that the model's page shows a call that works."""
    import pandas as pd

    lead = {k: None if v is None else text_of(cell(v)) for k, v in artefact.golden[0].items()}
    return pd.DataFrame([lead], dtype="str")


def code_version() -> str:
    """Return leadq's version, with the commit where it runs from a repository."""
    try:
        commit = subprocess.run(
            ["git", "describe", "--always", "--dirty"],  # noqa: S607  # git by the user's path
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=5,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return package_version("leadq")
    return f"{package_version('leadq')}+{commit}"


@registry_errors()
def promote(home: Home, version: str) -> str | None:
    """Make a version the champion; return the version it takes over from.

    Raises:
        ModelError: when there is no such version.

    """
    from mlflow.exceptions import MlflowException

    client = connect(home)
    before = champion_version(client)
    try:
        client.get_model_version(MODEL, version)
        client.set_registered_model_alias(MODEL, CHAMPION, version)
    except MlflowException as error:
        raise no_such_version(client, version) from error
    return str(before.version) if before is not None else None


@registry_errors()
def describe(home: Home, version: str, tags: Mapping[str, str]) -> None:
    """Tag a registered version."""
    client = connect(home)
    for name, text in tags.items():
        client.set_model_version_tag(MODEL, version, name, text)


@registry_errors()
def keep_prospective(home: Home, version: str, found: Evaluation) -> dict[str, float]:
    """Log what a version's scores came to in its run; return what its backtest promised.

    Each call adds a point to the metrics `prospective_...`, so that MLflow shows their course. Of a
    version or run that was deleted there nothing is kept, and nothing is known.
    """
    from mlflow.exceptions import MlflowException

    client = connect(home)
    try:
        run_id = client.get_model_version(MODEL, version).run_id
        run = client.get_run(run_id)
        for name, value in found.as_metrics().items():
            client.log_metric(run_id, f"prospective_{name}", value)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return {}
        raise
    return {
        name: value
        for name, value in run.data.metrics.items()
        if not name.startswith("prospective_")
    }
