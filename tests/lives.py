"""The service's model without a store: given once, followed by nothing."""

from __future__ import annotations

from pathlib import Path

from features.errors import StoreError
from features.store.database import Store
from serving.artefact import LoadedModel
from serving.cache import Cache
from serving.champion import Live


class Fixed(Live):
    """A model that stays, or the reason why there is none."""

    def __init__(self, model: LoadedModel | None, trouble: str = "") -> None:
        super().__init__(Cache(Path("unused")), _no_store)
        self.model, self.trouble = model, trouble

    def start(self) -> None:
        """Nothing is to be loaded."""

    def stop(self) -> None:
        """Nothing runs."""


def _no_store() -> Store:
    raise StoreError("there is none")
