"""Models as the store has them: the champion, and any version that was published."""

from __future__ import annotations

from features.errors import ModelError
from features.store.database import Store
from features.store.published import content_of, newest, published
from serving.archive import open_model
from serving.artefact import LoadedModel


def load_champion(store: Store) -> LoadedModel:
    """Return the champion, verified.

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
    return open_model(last.champion.model, last.champion.digest, content)


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
    with store.reading() as connection:
        model = published(connection, version)
        content = content_of(connection, model) if model else None
    if model is None or content is None:
        raise ModelError(f"version {version} is not published in {store.address}")
    return open_model(version, model.digest, content)
