"""The history of champions, and the step back."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import insert

from features.store.database import Store
from features.store.promotions import (
    Act,
    Champion,
    champion_since,
    first_promoted,
    one_back,
    write_down,
    written,
)
from features.store.tables import Promotion
from tests.features.store.making import NOW


def moved(store: Store, *steps: tuple[str, Act]) -> None:
    for version, act in steps:
        one = Champion(version, "digest")
        store.write(lambda c, one=one, act=act: write_down(c, one, act, "why", "kim", NOW))


def back(store: Store) -> str | None:
    with store.reading() as connection:
        found = one_back(connection)
    return found and found.model


def test_the_same_champion_is_written_down_once(store: Store) -> None:
    moved(store, ("1", "train"), ("1", "found"))
    with store.reading() as connection:
        assert written(connection) == Champion("1", "digest")
    assert back(store) is None


def test_steps_back_undo_one_step_after_another(store: Store) -> None:
    moved(store, ("1", "train"), ("2", "retrain"), ("3", "promote"))
    for wanted in ("2", "1"):
        assert back(store) == wanted
        moved(store, (wanted, "rollback"))
    assert back(store) is None


def test_after_a_step_back_a_new_champion_can_be_undone_too(store: Store) -> None:
    moved(store, ("1", "train"), ("2", "retrain"), ("1", "rollback"), ("3", "retrain"))
    assert back(store) == "1"


def test_a_step_back_that_was_only_found_is_a_step_back(store: Store) -> None:
    moved(store, ("1", "train"), ("2", "retrain"), ("3", "retrain"), ("2", "found"))
    assert back(store) == "1"


def test_a_step_back_to_a_model_under_a_new_version_is_a_step_back(store: Store) -> None:
    moved(store, ("1", "train"), ("2", "retrain"), ("3", "retrain"), ("4", "rollback"))
    assert back(store) == "1"
    moved(store, ("1", "rollback"))
    assert back(store) is None


def test_a_step_that_two_processes_wrote_down_is_one_step(store: Store) -> None:
    moved(store, ("1", "train"), ("2", "retrain"))
    row = {"model": "2", "digest": "digest", "previous": "1", "at": NOW, "act": "found", "why": ""}
    store.write(lambda c: c.execute(insert(Promotion).values(**row)))
    assert back(store) == "1"


def test_a_version_of_a_registry_that_was_made_anew_is_another_model(store: Store) -> None:
    old, new, later = Champion("1", "old"), Champion("1", "new"), NOW + timedelta(days=9)
    store.write(lambda c: write_down(c, old, "train", "why", "kim", NOW))
    store.write(lambda c: write_down(c, new, "train", "why", "kim", later))
    with store.reading() as connection:
        assert (first_promoted(connection, old), first_promoted(connection, new)) == (NOW, later)
        assert champion_since(connection, old) == NOW
