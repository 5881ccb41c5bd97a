"""Where a home keeps its state, and the settings that come from the environment."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from features.errors import UsageError

SHORTEST_SECRET = 32
"""Characters; `openssl rand -hex 32` gives 64."""


class MlflowSettings(BaseModel):
    """Where experiments and models are kept."""

    uri: str = Field("", description="Address of an MLflow server; empty: a database in the home.")


class StoreSettings(BaseModel):
    """Where leads, hand-offs and feedback are kept."""

    url: str = Field("", description="Address of the database; empty: an SQLite file in the home.")


class ServeSettings(BaseModel):
    """What the service takes, and how much of it at once."""

    rate: float = Field(10_000, gt=0, description="Requests a second for each key, on one machine.")
    body_bytes: int = Field(20_000_000, ge=1, description="Bytes of one request's body at most.")
    body_seconds: float = Field(10, gt=0, description="A body must have come within so long.")
    items: int = Field(10_000, ge=1, description="Leads, hand-offs or words in one request.")
    fields: int = Field(2000, ge=1, description="Names of fields in one lead.")
    text: int = Field(20_000, ge=1, description="Characters of one value or name.")
    depth: int = Field(32, ge=4, description="Lists and objects within one another.")
    seconds: float = Field(60, gt=0, description="Work on one request at most.")
    at_once: int = Field(256, ge=1, description="Requests that one worker holds at a time.")
    connections: int = Field(800, ge=1, description="Connections that one worker holds open.")
    bulks: int = Field(8, ge=1, description="Of these, requests of many leads.")
    log: Literal["all", "failed", "none"] = Field(
        "all", description="Which requests have a line in the log: all, failed or none."
    )
    poll: float = Field(2, gt=0, description="Seconds between looks for a new champion and keys.")
    workers: int = Field(1, ge=1, description="Processes that share the port.")
    keys: bool = Field(True, description="Whether API keys are asked for.")
    mlflow: str = Field(
        "", description="Address of MLflow as people open it, for links from the model's page."
    )
    agreement: Path = Field(
        Path("agreement.toml"), description="The agreement by which hand-offs and words are read."
    )


class SpoolSettings(BaseModel):
    """How scores wait on this machine until they are in the store."""

    megabytes: int = Field(1000, ge=1, description="How much may wait; about 1,000 scores each.")
    when_full: Literal["drop", "refuse"] = Field(
        "drop",
        description="Without room, scores are given and not kept (drop), or 503 is (refuse).",
    )


class HookSettings(BaseModel):
    """Where messages to hooks may go."""

    private: bool = Field(False, description="Whether webhooks may go to private networks.")


class MailSettings(BaseModel):
    """How the summary of a night goes out by e-mail."""

    host: str = Field("", description="The SMTP server; empty: no e-mail is sent.")
    port: int = Field(587, ge=1, le=65535, description="Its port.")
    tls: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="starttls (port 587), tls from the first byte (465), or none (this machine).",
    )
    user: str = Field("", description="Who signs in there; empty: nobody.")
    password: SecretStr = Field(SecretStr(""), description="Of that user.")
    sender: str = Field("", description="The address in From.")
    to: str = Field("", description="The addresses in To, joined by commas.")


class Settings(BaseSettings):
    """The settings, read once from the environment at the top and passed down."""

    model_config = SettingsConfigDict(
        env_prefix="LEADQ_", env_nested_delimiter="__", env_ignore_empty=True
    )

    home: Path = Field(Path(".leadq"), description="The folder that holds all state.")
    mlflow: MlflowSettings = MlflowSettings()
    store: StoreSettings = StoreSettings()
    serve: ServeSettings = ServeSettings()
    hooks: HookSettings = HookSettings()
    mail: MailSettings = MailSettings()
    secret: SecretStr = Field(
        SecretStr(""),
        description="Under which API keys are hashed and webhooks signed; at least 32 characters.",
    )
    spool: SpoolSettings = SpoolSettings()


class Home:
    """The folders under `LEADQ_HOME`; two homes never meet."""

    def __init__(self, settings: Settings) -> None:
        self.root = settings.home.expanduser().absolute()
        self._uri = settings.mlflow.uri
        self._store_url = settings.store.url
        self._secret = settings.secret.get_secret_value()
        self.serve = settings.serve
        self.spool = settings.spool
        self.hooks = settings.hooks
        self.mail = settings.mail
        if odd := sorted(set(str(self.root)) & set("?#%")):
            raise UsageError(
                f"{self.root}: the home's path holds {' '.join(odd)}, which an address of a "
                "database cannot; set LEADQ_HOME to another folder"
            )

    @property
    def tracking_uri(self) -> str:
        """MLflow's tracking and registry address."""
        return self._uri or f"sqlite:///{self.root / 'mlflow.db'}"

    @property
    def store_is_named(self) -> bool:
        """Whether the store is a database that somebody has named, and no file of this home."""
        return bool(self._store_url)

    @property
    def store_url(self) -> str:
        """The address of the store's database."""
        return self._store_url or f"sqlite:///{self.root / 'store.db'}"

    @property
    def has_store(self) -> bool:
        """Whether there is a store, here or elsewhere."""
        return bool(self._store_url) or (self.root / "store.db").exists()

    @property
    def has_registry(self) -> bool:
        """Whether there is a registry of models, here or elsewhere."""
        return self.is_remote or (self.root / "mlflow.db").exists()

    @property
    def is_remote(self) -> bool:
        """Whether a server elsewhere keeps the experiments and their artefacts."""
        return bool(self._uri)

    @property
    def secret(self) -> bytes:
        """The secret under which API keys are hashed and webhooks signed.

        Raises:
            UsageError: when the environment holds none, or one that could be guessed.

        """
        if len(self._secret) < SHORTEST_SECRET:
            fault = "is too short" if self._secret else "is not set"
            raise UsageError(
                f"LEADQ_SECRET {fault}; keys and webhooks hang on it, in at least "
                f"{SHORTEST_SECRET} characters. Make one, and keep it for later: "
                "export LEADQ_SECRET=$(openssl rand -hex 32)"
            )
        return self._secret.encode("utf-8", "surrogateescape")

    @property
    def page_secret(self) -> bytes:
        """The secret under which pages sign where the service asks for no keys; made once."""
        path = self.folder(".") / "pages.secret"
        with suppress(FileExistsError):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "w", encoding="ascii") as opened:
                opened.write(secrets.token_hex(32))
        return path.read_bytes()

    def folder(self, name: str) -> Path:
        """Return the folder `name` of the home, made when it is first asked for."""
        path = self.root / name
        try:
            # Persons and hashes of keys are in it: other users of the machine stay outside.
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{path}: the home cannot be made: {error.strerror}; set LEADQ_HOME to a folder "
                "that can be written to"
            ) from error
        return path
