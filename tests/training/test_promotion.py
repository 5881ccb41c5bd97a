"""Whoever becomes champion is published: moved in the registry first, then written down whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from features.errors import ModelError
from features.home import Home
from features.store.database import Store
from features.store.promotions import Champion, write_down
from features.store.published import newest
from serving.artefact import Files
from serving.published import load_champion, load_version
from tests.serving.versions import NOW
from training import promotion, registry
from training.promotion import catch_up, champion_now, make_champion, roll_back
from training.track import promote


@pytest.fixture
def home(three_runs: Home) -> Iterator[Home]:
    """A home of three versions, whose champion is the first before and after each test."""
    yield three_runs
    promote(three_runs, "1")


def crown(home: Home, store: Store, version: str) -> str | None:
    return make_champion(home, store, version, "promote", "by hand", "kim", NOW)


def published(store: Store) -> tuple[str, bool]:
    """The newest champion, and whether its files are there."""
    with store.reading() as connection:
        last = newest(connection)
    assert last is not None
    return last.champion.model, last.at is not None


def test_what_is_promoted_is_published_as_it_was_registered(home: Home, store: Store) -> None:
    before = crown(home, store, "2")
    model = load_champion(store)
    assert (before, model.version) == ("1", "2")
    assert model.digest == registry.load_version(home, "2").digest


def test_a_step_back_is_published_too(home: Home, store: Store) -> None:
    crown(home, store, "2")
    assert roll_back(home, store, "by hand", "kim", NOW) == ("1", "2")
    assert load_champion(store).version == "1"


def test_older_champions_can_be_asked_for(home: Home, store: Store) -> None:
    crown(home, store, "2")
    assert load_version(store, "1").digest == registry.load_version(home, "1").digest
    with pytest.raises(ModelError, match="version 3 is not published"):
        load_version(store, "3")


def test_who_is_killed_between_alias_and_store_leaves_the_old_champion_whole(
    home: Home, store: Store
) -> None:
    catch_up(home, store, NOW)
    promote(home, "3")
    assert load_champion(store).version == "1"
    catch_up(home, store, NOW)
    assert load_champion(store).version == "3"


def test_a_home_that_was_made_before_models_were_published_is_caught_up(
    home: Home, store: Store
) -> None:
    one = champion_now(home)
    assert one is not None
    store.write(lambda c: write_down(c, one, "train", "long ago", "kim", NOW))
    with pytest.raises(ModelError, match="leadq promote 1"):
        load_champion(store)
    catch_up(home, store, NOW)
    assert load_champion(store).version == "1"


def test_a_store_without_a_champion_says_how_to_make_one(store: Store) -> None:
    with pytest.raises(ModelError, match="no model is champion"):
        load_champion(store)


def test_what_is_not_what_was_registered_is_not_promoted(
    home: Home, store: Store, monkeypatch
) -> None:
    fetch = registry.fetch

    def damaged(home: Home, version: str) -> tuple[str, Files]:
        digest, files = fetch(home, version)
        return digest, {**files, "trees.txt": b"tree"}

    catch_up(home, store, NOW)
    monkeypatch.setattr(promotion, "fetch", damaged)
    with pytest.raises(ModelError, match="not those that were registered"):
        crown(home, store, "2")
    assert champion_now(home) == Champion("1", load_champion(store).digest)


def test_a_champion_whose_files_are_lost_does_not_stop_others(
    home: Home, store: Store, monkeypatch
) -> None:
    def lost(home: Home, version: str) -> tuple[str, Files]:
        raise ModelError("gone")

    with monkeypatch.context() as without:
        without.setattr(promotion, "fetch", lost)
        catch_up(home, store, NOW)
    assert published(store) == ("1", False)
    crown(home, store, "2")
    assert published(store) == ("2", True)


def test_promoting_the_champion_anew_mends_its_archive(home: Home, store: Store) -> None:
    catch_up(home, store, NOW)
    store.write(lambda c: c.exec_driver_sql("UPDATE published_models SET content = 'damaged'"))
    crown(home, store, "1")
    assert load_champion(store).version == "1"
