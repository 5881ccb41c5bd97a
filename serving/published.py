"""Models as the store has them: the champion, and any version that was published."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from features.errors import ModelError
from features.store.database import Store
from features.store.promotions import Champion
from features.store.published import content_of, newest, published
from serving.archive import open_model
from serving.artefact import LoadedModel


def load_champion(store: Store) -> LoadedModel:
    """Return the champion, verified; see `champion_archive`."""
    return champion_archive(store)[0]


def champion_archive(store: Store) -> tuple[LoadedModel, bytes]:
    """Return the champion, verified, and the archive that it was read from.

    Raises:
        ModelError: when there is none, or when it is not what was registered.

    """
    with store.reading() as connection:
        last = newest(connection)
        content = content_of(connection, last.champion) if last else None
    if last is None:
        raise ModelError(
            f"no model is champion in {store.address}; train one with: leadq train EXPORT, "
            "or choose one with: leadq promote VERSION"
        )
    if content is None:
        raise ModelError(without_files(last.champion.model))
    return open_model(last.champion.model, last.champion.digest, content), content


def without_files(version: str) -> str:
    """Say that a champion was written down and not published."""
    return (
        f"version {version} is champion, but the store does not hold its files; publish them with: "
        f"leadq promote {version}"
    )


def load_version(store: Store, version: str) -> LoadedModel:
    """Return a published version, verified.

    Raises:
        ModelError: when it is not published, or when it is not what was registered.

    """
    return load_model(store, known_version(store, version))


def known_version(store: Store, version: str) -> Champion:
    """Return which files a version has; where a registry began anew they are not the old ones.

    Raises:
        ModelError: when it is not published.

    """
    with store.reading() as connection:
        model = published(connection, version)
    if model is None:
        raise ModelError(f"version {version} is not published in {store.address}")
    return model


def load_model(store: Store, model: Champion) -> LoadedModel:
    """Return a published version with these files, verified.

    Raises:
        ModelError: when it is not published, or when it is not what was registered.

    """
    with store.reading() as connection:
        content = content_of(connection, model)
    if content is None:
        raise ModelError(f"version {model.model} is not published in {store.address}")
    return open_model(model.model, model.digest, content)


def remembering(most: int) -> Callable[[Store, str], LoadedModel]:
    """Return what loads versions like `load_version` and holds so many of them in memory.

    They are held by their files: a version that was published anew is loaded anew.
    """
    held = lru_cache(most)(load_model)
    return lambda store, version: held(store, known_version(store, version))
