"""The champion as a running service has it: followed in the store, swapped without a pause.

A thread looks at the store every few seconds. A new champion is fetched, verified and warmed up
beside the running one, which goes on until one assignment puts the new one in its place; a request
takes the model once, at its start. Whatever is wrong with a new champion, with the store or with
the disk, the running one stays. MLflow is never asked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from starlette.exceptions import HTTPException

from features.errors import LeadqError, ModelError, StoreError
from features.store.database import Store
from features.store.promotions import Champion
from features.store.published import Newest, content_of, newest
from serving.archive import open_model
from serving.artefact import LoadedModel, in_short
from serving.cache import Cache
from serving.published import without_files
from serving.replies import score_records

log = structlog.get_logger()

RETRY_AFTER = "5"
"""Seconds after which a caller may ask again a service that has no model yet."""
_NO_STORE = "the store does not answer"
_NO_CHAMPION = "the store names no champion; make one with: leadq train EXPORT"
_BEGINNING = "the model is being loaded"


class Live:
    """The model that scores now, and why a newer one does not."""

    def __init__(
        self, cache: Cache, open_store: Callable[[], Store], every_seconds: float = 2.0
    ) -> None:
        """Prepare; nothing is loaded before `start`.

        Args:
            cache: of the last verified champion.
            open_store: opens the store for reading; called once, and again while it fails.
            every_seconds: how often the store is looked at.

        """
        self.model: LoadedModel | None = None
        """What scores; a new one takes its place by one assignment."""
        self.trouble = _BEGINNING
        """Why there is no model, or why the newest champion is not the one that scores; empty where
        all is well. It names neither leads nor addresses."""
        self.swaps = 0
        """How often a new champion was taken."""
        self.refusals = 0
        """How often a new champion was refused."""
        self._cache = cache
        self._open_store = open_store
        self._every = every_seconds
        self._store: Store | None = None
        self._refused: Newest | None = None
        self._refusal = ""
        self._looking = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="champion", daemon=True)

    def ready(self) -> LoadedModel:
        """Return the model, or answer 503."""
        model = self.model
        if model is None:
            raise HTTPException(503, self.trouble, {"Retry-After": RETRY_AFTER})
        return model

    def start(self) -> None:
        """Load the last verified model, or the store's champion; then follow the store."""
        if self._thread.is_alive():
            return
        self._recall()
        if self.model is None:
            self.poll()
        self._thread.start()

    def stop(self) -> None:
        """Follow no longer; a look that was begun is not waited for."""
        self._stopped.set()
        if not self._thread.is_alive():
            self._close()

    def _recall(self) -> None:
        try:
            model = self._cache.last()
            if model is not None:
                warm_up(model)
        except ModelError as error:
            self._tell("the model on this machine's disk is damaged", str(error))
            return
        if model is not None:
            self.model, self.trouble = model, ""
            log.info("model loaded from the cache", version=model.version)

    def _follow(self) -> None:
        self.poll()
        while not self._stopped.wait(self._every):
            self.poll()
        self._close()

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()

    def poll(self) -> None:
        """Look at the store once and take a new champion; nothing that goes wrong is raised."""
        with self._looking:
            try:
                trouble, reason = self._look(), ""
            except StoreError as error:
                trouble, reason = _NO_STORE, str(error)
            # Whatever it is, scores go on and the next look may do better.
            except Exception as error:
                trouble, reason = "the store cannot be followed", repr(error)
            self._tell(trouble, reason)

    def _look(self) -> str:
        """Return what keeps the newest champion from scoring; empty where it scores."""
        if self._store is None:
            self._store = self._open_store()
        with self._store.reading() as connection:
            last = newest(connection)
            if last is None:
                return _NO_CHAMPION
            if self.model and last.champion == Champion(self.model.version, self.model.digest):
                return ""
            if last == self._refused:
                return self._refusal
            content = content_of(connection, last.champion)
        if content is None:
            return without_files(last.champion.model)
        return self._take(last, content)

    def _take(self, last: Newest, content: bytes) -> str:
        version = last.champion.model
        try:
            model = open_model(version, last.champion.digest, content)
            warm_up(model)
        except ModelError as error:
            self._refused, self._refusal = last, f"the champion is refused: {error}"
            self.refusals += 1
            return self._refusal
        self.model = model
        self.swaps += 1
        log.info("model loaded", version=version)
        try:
            self._cache.keep(last.champion, content)
        except LeadqError as error:
            log.error("the model is not kept for a restart", version=version, reason=str(error))
        return ""

    def _tell(self, trouble: str, reason: str = "") -> None:
        """Log a trouble once, when it begins, and its end."""
        if trouble == self.trouble:
            return
        if trouble:
            log.error("the champion is not followed", reason=reason or trouble)
        elif self.trouble != _BEGINNING:
            log.info("the champion is followed again")
        self.trouble = trouble


def warm_up(model: LoadedModel) -> None:
    """Score the golden rows as requests are scored, so that the first request is not slow.

    Raises:
        ModelError: when that fails.

    """
    try:
        score_records(model, list(model.artefact.golden), reasons=5)
    except Exception as error:
        raise ModelError(f"version {model.version}: cannot score: {in_short(error)}") from error
