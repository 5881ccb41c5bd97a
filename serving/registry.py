"""Models by version and alias, as MLflow's registry keeps them; checked before they are used."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import ModelError
from features.home import Home
from serving.artefact import Artefact, digest, read

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "leadq"
CHAMPION = "champion"
CHALLENGER = "challenger"
DIGEST_TAG = "digest"


@dataclass(frozen=True)
class LoadedModel:
    """A verified model under the version that the registry knows it by."""

    version: str
    digest: str
    artefact: Artefact


def connect(home: Home) -> MlflowClient:
    """Return a client of the home's MLflow, made ready on first use; nothing is sent elsewhere."""
    quiet_mlflow()
    import mlflow

    home.folder(".")
    mlflow.set_tracking_uri(home.tracking_uri)
    mlflow.set_registry_uri(home.tracking_uri)
    return mlflow.MlflowClient()


def quiet_mlflow() -> None:
    """Switch off MLflow's telemetry and chatter; to be called before MLflow is imported."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    # A server that does not answer is told in seconds, not minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    logging.getLogger("alembic").setLevel(logging.ERROR)


def champion_version(client: MlflowClient) -> Any | None:
    """Return the registry's entry of the champion, or None where there is none."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(MODEL, CHAMPION)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


@contextmanager
def registry_errors() -> Iterator[None]:
    """Turn a failure of MLflow into an error that says so, in one line."""
    quiet_mlflow()
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"MLflow does not do what is asked of it: {reason}; look at LEADQ_MLFLOW__URI"
        ) from error


@registry_errors()
def load_champion(home: Home) -> LoadedModel:
    """Fetch, check and replay the champion.

    Raises:
        ModelError: when there is none, or when it is not what was registered.

    """
    entry = champion_version(connect(home))
    if entry is None:
        raise ModelError(
            f"no model is champion in {home.root}; train one with: leadq train EXPORT, "
            "or choose one with: leadq promote VERSION"
        )
    return _load(home, entry)


@registry_errors()
def load_version(home: Home, version: str) -> LoadedModel:
    """Fetch, check and replay a registered version.

    Raises:
        ModelError: when there is none of that name, or when it is not what was registered.

    """
    from mlflow.exceptions import MlflowException

    try:
        entry = connect(home).get_model_version(MODEL, version)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise ModelError(f"there is no version {version} in {home.root}") from error
        raise
    return _load(home, entry)


def _load(home: Home, entry: Any) -> LoadedModel:
    expected = entry.tags.get(DIGEST_TAG)
    if not expected:
        raise ModelError(f"version {entry.version} has no digest tag: leadq did not register it")
    folder = home.folder("models") / f"{entry.version}-{expected[:16]}"
    if not folder.exists() or digest(folder) != expected:
        _fetch(entry, folder)
    return LoadedModel(str(entry.version), expected, read(folder, expected))


def _fetch(entry: Any, folder: Path) -> None:
    """Copy the artefact from the registry; it appears under its name whole or not at all."""
    import mlflow
    from mlflow.exceptions import MlflowException

    work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".fetch-"))
    try:
        uri = f"models:/{MODEL}/{entry.version}"
        got = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(work)))
        shutil.rmtree(folder, ignore_errors=True)
        (got / "artifacts" / MODEL).replace(folder)
    except (MlflowException, OSError) as error:
        raise ModelError(
            f"the files of version {entry.version} cannot be fetched: {error}; promote another"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
