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
from features.store.promotions import Act, Champion, one_back, written
from features.store.published import content_of, newest, promoted
from serving.archive import open_model, pack
from serving.artefact import LoadedModel
from training.registry import DIGEST_TAG, champion_version, connect, fetch, registry_errors
from training.track import Record, promote, register

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

    A step back whose alias was moved and that was never written down is finished. A model that
    the registry does not have any more is registered anew from the store, as a further version.

    Raises:
        UsageError: when there was none before.
        ModelError: when neither registry nor store has what was registered; then nothing is
            changed.

    """
    last, back = _last_two(store)
    found = champion_now(home)
    if last and back and found and found != last and found.digest == back.digest:
        catch_up(home, store, now, "rollback", why, who)
        return found.model, last.model
    catch_up(home, store, now)
    last, back = _last_two(store)
    if last is None or back is None:
        lacks = "is champion" if last is None else "was champion before this one"
        raise UsageError(f"no model {lacks}; choose one with: leadq promote VERSION")
    try:
        make_champion(home, store, back.model, "rollback", why, who, now)
    except ModelError as error:
        back = _register_anew(home, _from_store(store, back, error))
        catch_up(home, store, now, "rollback", why, who)
    return back.model, last.model


def _last_two(store: Store) -> tuple[Champion | None, Champion | None]:
    """Return who was written down last as champion, and whom a step back leads to."""
    with store.reading() as connection:
        return written(connection), one_back(connection)


def _from_store(store: Store, champion: Champion, error: ModelError) -> LoadedModel:
    """Return a model as it was published; the error says why the registry's cannot be had."""
    with store.reading() as connection:
        content = content_of(connection, champion)
    if content is None:
        raise ModelError(
            f"{error}, nor does the store hold it; choose another with: leadq promote VERSION"
        ) from error
    return open_model(champion.model, champion.digest, content)


def _register_anew(home: Home, model: LoadedModel) -> Champion:
    """Register a model once more, as champion."""
    name = f"version {model.version} from the store"
    registered = register(home, model.artefact, Record(name, {}, {}, {}, {}, {}), promote=True)
    return Champion(registered.version, registered.digest)
