"""Models in the store: published with the promotion, kept as long as a step back can reach them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from features.store.database import Store
from features.store.promotions import Act, Champion
from features.store.published import KEPT, content_of, newest, promoted, publish, published
from features.store.tables import Promotion, PublishedModel
from tests.features.store.making import NOW


def crown(store: Store, version: int, act: Act = "promote", content: bytes | None = b"zip") -> None:
    one = Champion(str(version), f"digest {version}")
    store.write(lambda c: promoted(c, one, content, act, "why", "kim", NOW))


def kept(store: Store) -> set[int]:
    with store.reading() as connection:
        return {int(model) for model in connection.scalars(select(PublishedModel.model))}


def test_promotion_and_files_are_written_together(store: Store) -> None:
    crown(store, 1)
    with store.reading() as connection:
        assert newest(connection) == (Champion("1", "digest 1"), NOW)
        assert content_of(connection, Champion("1", "digest 1")) == b"zip"
        assert published(connection, "1") == Champion("1", "digest 1")


def test_a_store_that_knows_no_champion_says_so(store: Store) -> None:
    with store.reading() as connection:
        assert newest(connection) is None
        assert published(connection, "1") is None
        assert content_of(connection, Champion("1", "digest 1")) is None


def test_a_champion_without_files_is_the_newest_all_the_same(store: Store) -> None:
    crown(store, 1)
    crown(store, 2, content=None)
    with store.reading() as connection:
        assert newest(connection) == (Champion("2", "digest 2"), None)


def test_the_same_promotion_again_changes_nothing(store: Store) -> None:
    for _ in range(2):
        crown(store, 1)
    with store.reading() as connection:
        assert len(connection.scalars(select(Promotion.key)).all()) == 1


def test_other_files_take_the_place_of_damaged_ones(store: Store) -> None:
    crown(store, 1, content=b"damaged")
    later = datetime(2026, 7, 1)
    one = Champion("1", "digest 1")
    store.write(lambda c: publish(c, one, b"zip", later))
    with store.reading() as connection:
        assert newest(connection) == (one, later)
        assert content_of(connection, one) == b"zip"


def test_a_version_that_was_registered_anew_is_another_champion(store: Store) -> None:
    crown(store, 1)
    other = Champion("1", "another digest")
    store.write(lambda c: promoted(c, other, b"new", "train", "why", "kim", NOW))
    with store.reading() as connection:
        assert newest(connection) == (other, NOW)


def test_what_a_step_back_can_reach_stays_published(store: Store) -> None:
    for version in range(1, KEPT + 5):
        crown(store, version)
    assert kept(store) == set(range(1, KEPT + 5))


def test_what_was_undone_long_ago_is_let_go(store: Store) -> None:
    crown(store, 1)
    crown(store, 2)
    crown(store, 1, "rollback")
    for version in range(3, KEPT + 3):
        crown(store, version)
    assert 2 not in kept(store)
    assert 1 in kept(store)
