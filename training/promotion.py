"""Who is champion: moved by promote, retrain and rollback, and written down in the store.

The registry's alias is the truth: serving reads it, and MLflow moves it in one step. The store
keeps the history. The alias is moved first; whoever is killed before the move is written down
leaves that to the next one (`catch_up`), so there is never a model that is half promoted.
"""

from __future__ import annotations

from datetime import datetime

from features.errors import UsageError
from features.home import Home
from features.store.database import Store
from features.store.promotions import Act, Champion, one_back, write_down
from serving.registry import (
    DIGEST_TAG,
    champion_version,
    connect,
    load_version,
    registry_errors,
)
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
    """Write down who is champion where the store does not know it yet, and return it.

    Args:
        home: whose registry says who is champion.
        store: where to.
        now: when.
        act: what made it champion, as far as is known.
        why: the reason.
        who: whoever did it.

    """
    champion = champion_now(home)
    if champion is not None:
        store.write(lambda c: write_down(c, champion, act, why, who, now))
    return champion


def make_champion(
    home: Home, store: Store, version: str, act: Act, why: str, who: str, now: datetime
) -> str | None:
    """Make a version the champion and write it down; return the version it takes over from.

    Raises:
        ModelError: when there is no such version.

    """
    catch_up(home, store, now)
    before = promote(home, version)
    catch_up(home, store, now, act, why, who)
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
        raise UsageError(
            "no model was champion before this one; choose one with: leadq promote VERSION"
        )
    load_version(home, version)
    make_champion(home, store, version, "rollback", why, who, now)
    return version, champion.model
