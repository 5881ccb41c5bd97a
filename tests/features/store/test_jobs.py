"""A lease: one at a time, renewed while it works, taken over when its holder is gone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from features.errors import StoreError
from features.store import jobs
from features.store.database import Store
from features.store.jobs import LEASE, HeldError, Lease, last_done, lease
from features.store.tables import Job
from tests.features.store.making import NOW


def clock() -> datetime:
    return NOW


def after_the_lease() -> datetime:
    return NOW + LEASE


def results(store: Store) -> list[str | None]:
    with store.reading() as connection:
        return list(connection.execute(select(Job.result).order_by(Job.key)).scalars())


def left_behind(store: Store) -> Lease:
    """A lease whose process was killed, or is asleep."""
    row = {"kind": "retrain", "worker": "gone", "started": NOW, "heartbeat": NOW}
    held = insert(Job).values(**row, lease_until=NOW + LEASE).returning(Job.key)
    return Lease(store, store.write(lambda c: c.execute(held).scalar_one()), clock)


def test_a_second_one_is_told_who_works_and_since_when(store: Store) -> None:
    with lease(store, "retrain", "alpha, process 7", clock):
        with (
            pytest.raises(HeldError, match=r"alpha, process 7 .* since 2026-06-30 12:00"),
            lease(store, "retrain", "beta", clock),
        ):
            pass
        with lease(store, "other", "beta", clock):
            pass
    assert results(store) == ["done", "done"]


def test_a_lease_that_was_left_behind_is_taken_over_once_it_has_run_out(store: Store) -> None:
    asleep = left_behind(store)
    with pytest.raises(HeldError), lease(store, "retrain", "new", clock):
        pass
    with (
        lease(store, "retrain", "new", after_the_lease),
        pytest.raises(StoreError, match="another one has taken over"),
    ):
        asleep.renew()
    assert results(store) == ["lost", "done"]


def test_work_that_fails_lets_go_of_its_lease(store: Store) -> None:
    with pytest.raises(ValueError, match="no"), lease(store, "retrain", "a", clock):
        raise ValueError("no")
    with store.reading() as connection:
        assert last_done(connection, "retrain") is None
    with lease(store, "retrain", "a", clock):
        pass
    with store.reading() as connection:
        assert last_done(connection, "retrain") == NOW


def test_a_store_that_was_away_for_a_moment_does_not_end_the_beats(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_BEAT", 9000)
    write, away, back = store.write, threading.Event(), threading.Event()

    def broken_once(work: Callable[[Connection], Any]) -> Any:
        if not away.is_set():
            away.set()
            raise StoreError("away")
        back.set()
        return write(work)

    with lease(store, "retrain", "a", clock):
        monkeypatch.setattr(store, "write", broken_once)
        assert back.wait(10)


def test_of_many_that_ask_at_once_one_works(store: Store) -> None:
    together, let_go = threading.Barrier(6), threading.Event()
    held: list[str] = []

    def ask() -> None:
        together.wait()
        try:
            with lease(store, "retrain", "a", clock):
                let_go.wait(20)
        except HeldError as error:
            held.append(str(error))
            if len(held) == 5:
                let_go.set()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == 5
    assert results(store) == ["done"]
