"""Models that are made by hand in no time: each version has a probability of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from features.encoder import CategoryEncoder, Encoder, NumberEncoder
from features.store.database import Store, open_to_look
from features.store.promotions import Act, Champion
from features.store.published import promoted
from serving.archive import pack
from serving.artefact import Artefact, Files, digest, files_of
from serving.cache import Cache
from serving.champion import Live
from serving.members import Additive, ColumnTable
from serving.replies import score_records
from serving.scorer import Blend, Scorer, sigmoid
from tests.features.making import an_agreement

NOW = datetime(2026, 6, 30, 12)
LEAD = {"id": "a", "visits": 2.0, "source": "fair"}


def files(version: int) -> Files:
    """The files of a version; leads score by its number."""
    visits = ColumnTable((0.0, 10.0), (0.0, 1.0), missing=0.0, mean=0.2, by_code=False)
    source = ColumnTable((0.0, 1.0, 2.0), (0.0, 0.1, 0.2), missing=0.0, mean=0.1, by_code=True)
    fields = {name: {"use": "yes", "kind": kind} for name, kind in KINDS.items()}
    scorer = Scorer(
        an_agreement(fields=fields),
        Encoder((NumberEncoder("visits"), CategoryEncoder("source", ("web", "fair")))),
        Blend((Additive(0.0, (visits, source)),), -version / 10),
    )
    golden = ({"id": "golden-1", "visits": 5.0, "source": "web"}, {"id": "golden-2"})
    return files_of(Artefact(scorer, {"caution": ""}, {}, golden))


Follow = Callable[[str, Path], Live]
"""Gives what a service asks for its model: the store's address, the folder of the cache."""
KINDS = {"visits": "number", "source": "category"}


def probability(version: int) -> float:
    """What `LEAD` scores by a version."""
    return sigmoid(-version / 10 + 0.2 + 0.2)


def champion(version: int) -> Champion:
    """A version by name and digest."""
    return Champion(str(version), digest(files(version)))


def crown(
    store: Store, version: int, content: bytes | None = None, act: Act = "promote"
) -> Champion:
    """Make a version champion, with its own archive or another; return it."""
    one, archive = champion(version), pack(files(version)) if content is None else content
    store.write(lambda c: promoted(c, one, archive or None, act, "by hand", "kim", NOW))
    return one


def live_at(url: str, folder: Path) -> Live:
    """What a service that shares a folder asks for its model."""
    return Live(Cache(folder), lambda: open_to_look(url))


def scored(live: Live) -> tuple[str, float]:
    """The version that scores, and what it says of a lead."""
    reply = score_records(live.ready(), [LEAD], 5)
    return reply["model_version"], reply["results"][0]["probability"]
