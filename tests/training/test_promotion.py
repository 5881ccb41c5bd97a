"""Whoever becomes champion is published: moved in the registry first, then written down whole."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from features.errors import ModelError
from features.home import Home
from features.store.database import Store
from features.store.promotions import Champion, write_down
from features.store.published import newest
from serving.artefact import Files
from serving.published import load_champion, load_version
from tests.conftest import home_at
from tests.serving.versions import NOW
from training import promotion, registry
from training.promotion import catch_up, champion_now, make_champion, roll_back
from training.registry import MODEL, connect
from training.track import promote


@pytest.fixture
def home(three_runs: Home) -> Iterator[Home]:
    """A home of three versions, whose champion is the first before and after each test."""
    yield three_runs
    promote(three_runs, "1")


@pytest.fixture
def own_home(three_runs: Home, tmp_path: Path) -> Home:
    """The same versions in a registry of one's own."""
    shutil.copytree(three_runs.root, tmp_path / "home")
    return home_at(tmp_path / "home")


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


def test_a_step_back_that_was_killed_before_it_was_written_down_is_finished(
    home: Home, store: Store
) -> None:
    crown(home, store, "2")
    crown(home, store, "3")
    promote(home, "2")
    assert roll_back(home, store, "by hand", "kim", NOW) == ("2", "3")
    assert load_champion(store).version == "2"
    assert roll_back(home, store, "by hand", "kim", NOW) == ("1", "2")


def test_a_step_back_that_another_command_wrote_down_does_not_lead_forward(
    home: Home, store: Store
) -> None:
    crown(home, store, "2")
    crown(home, store, "3")
    promote(home, "2")
    catch_up(home, store, NOW)
    assert roll_back(home, store, "by hand", "kim", NOW) == ("1", "2")


def test_a_version_that_mlflow_lost_is_brought_back_from_the_store(
    own_home: Home, store: Store
) -> None:
    for version in ("1", "2", "3"):
        crown(own_home, store, version)
    digest = load_version(store, "2").digest
    connect(own_home).delete_model_version(MODEL, "2")
    assert roll_back(own_home, store, "by hand", "kim", NOW) == ("4", "3")
    assert champion_now(own_home) == Champion("4", digest)
    assert (load_champion(store).version, load_champion(store).digest) == ("4", digest)
    assert roll_back(own_home, store, "by hand", "kim", NOW) == ("1", "4")


def test_a_champion_that_mlflow_lost_can_be_stepped_back_from(own_home: Home, store: Store) -> None:
    crown(own_home, store, "1")
    crown(own_home, store, "2")
    connect(own_home).delete_model_version(MODEL, "2")
    assert roll_back(own_home, store, "by hand", "kim", NOW) == ("1", "2")


def test_a_version_that_nobody_has_any_more_is_told_with_the_cure(
    home: Home, store: Store, monkeypatch
) -> None:
    crown(home, store, "2")
    crown(home, store, "3")
    store.write(lambda c: c.exec_driver_sql("DELETE FROM published_models WHERE model = '2'"))

    def lost(home: Home, version: str) -> tuple[str, Files]:
        raise ModelError(f"there is no version {version}")

    monkeypatch.setattr(promotion, "fetch", lost)
    with pytest.raises(ModelError, match=r"nor does the store hold it; .* leadq promote VERSION"):
        roll_back(home, store, "by hand", "kim", NOW)
    assert load_champion(store).version == "3"


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
