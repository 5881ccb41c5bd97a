"""Models by version and alias, as MLflow's registry keeps them; checked before they are used.

Training alone asks the registry. Services take models from the store, where promotion puts them.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import ModelError
from features.home import Home
from serving.artefact import Files, LoadedModel, files_in, read_files

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "leadq"
CHAMPION = "champion"
CHALLENGER = "challenger"
DIGEST_TAG = "digest"


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
    return load_version(home, str(entry.version))


def load_version(home: Home, version: str) -> LoadedModel:
    """Fetch, check and replay a registered version.

    Raises:
        ModelError: when there is none of that name, or when it is not what was registered.

    """
    digest, files = fetch(home, version)
    return LoadedModel(version, digest, read_files(files, f"version {version}", digest))


@registry_errors()
def fetch(home: Home, version: str) -> tuple[str, Files]:
    """Return the digest of a registered version and its files, as they are now.

    Raises:
        ModelError: when there is none of that name, or its files cannot be had.

    """
    from mlflow.exceptions import MlflowException

    client = connect(home)
    try:
        entry = client.get_model_version(MODEL, version)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise no_such_version(client, version) from error
        raise
    digest = entry.tags.get(DIGEST_TAG)
    if not digest:
        raise ModelError(f"version {version} has no digest tag: leadq did not register it")
    return digest, _files(version)


def no_such_version(client: MlflowClient, version: str) -> ModelError:
    """Return the error that names the versions there are."""
    found = client.search_model_versions(f"name = '{MODEL}'")
    known = ", ".join(str(entry.version) for entry in reversed(found))
    return ModelError(f"no version {version!r} of the model; there are: {known or 'none'}")


def _files(version: str) -> Files:
    import mlflow
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory() as work:
        try:
            uri = f"models:/{MODEL}/{version}"
            got = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=work))
        except (MlflowException, OSError) as error:
            raise ModelError(
                f"the files of version {version} cannot be fetched: {error}; promote another"
            ) from error
        return files_in(got / "artifacts" / MODEL)
