"""Who is champion: moved by promote, retrain and rollback, and written down in the store.

MLflow moves the registry's alias in one step; then the store takes the move and the model's files
in one transaction, and services take them from there. Whoever is killed between the two leaves that
to the next one (`catch_up`), so there is never a model that is half promoted.
"""

from __future__ import annotations

from datetime import datetime

from features.errors import ModelError, UsageError
from features.home import Home
from features.store.database import Store
from features.store.promotions import Act, Champion, one_back
from features.store.published import newest, promoted
from serving.archive import open_model, pack
from training.registry import DIGEST_TAG, champion_version, connect, fetch, registry_errors
from training.track import promote

_FOUND = "the registry's alias was moved by other means, or leadq ended before it was written down"


@registry_errors()
def champion_now(home: Home) -> Champion | None:
    """Return who is champion by the registry, or None."""
    entry = champion_version(connect(home))
    return entry and Champion(str(entry.version), entry.tags.get(DIGEST_TAG, ""))


def catch_up(
    home: Home, store: Store, now: datetime, act: Act = "found", why: str = _FOUND, who: str = ""
) -> Champion | None:
    """Write down and publish who is champion where the store does not know it yet; return it.

    One whose files cannot be had is written down alone: services keep the one before, and whoever
    promotes it anew is told the reason.

    Args:
        home: whose registry says who is champion.
        store: where to.
        now: when.
        act: what made it champion, as far as is known.
        why: the reason.
        who: whoever did it.

    """
    champion = champion_now(home)
    if champion is None:
        return None
    with store.reading() as connection:
        last = newest(connection)
    if last is None or last.champion != champion or last.at is None:
        try:
            content = pack(fetch(home, champion.model)[1])
        except ModelError:
            content = None
        store.write(lambda c: promoted(c, champion, content, act, why, who, now))
    return champion


def make_champion(
    home: Home, store: Store, version: str, act: Act, why: str, who: str, now: datetime
) -> str | None:
    """Make a version the champion, publish it, and return the version it takes over from.

    Raises:
        ModelError: when there is no such version, or when it is not what was registered any more;
            then nothing is changed.

    """
    catch_up(home, store, now)
    digest, files = fetch(home, version)
    content = pack(files)
    open_model(version, digest, content)
    before = promote(home, version)
    champion = Champion(version, digest)
    if champion_now(home) == champion:
        store.write(lambda c: promoted(c, champion, content, act, why, who, now))
    return before


def roll_back(home: Home, store: Store, why: str, who: str, now: datetime) -> tuple[str, str]:
    """Make the champion before this one the champion again; return its version and this one's.

    Raises:
        UsageError: when there was none before.
        ModelError: when it is not what was registered any more; then nothing is changed.

    """
    champion = catch_up(home, store, now)
    with store.reading() as connection:
        version = one_back(connection)
    if champion is None or version is None:
        lacks = "is champion" if champion is None else "was champion before this one"
        raise UsageError(f"no model {lacks}; choose one with: leadq promote VERSION")
    make_champion(home, store, version, "rollback", why, who, now)
    return version, champion.model
