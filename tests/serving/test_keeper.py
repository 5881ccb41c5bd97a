"""The keeper: beside the service, goes on where the store comes back, ends with the service."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from features.errors import StoreError
from features.home import SpoolSettings
from features.store.database import Store, open_store
from serving import keeper as keeper_module
from serving import keeping as keeping_module
from serving.keeper import Keeper
from serving.keeping import keeping
from serving.segments import segments
from serving.spool import waiting
from tests.features.store.making import NOW
from tests.serving.spooling import ROOT, a_spool, count, fill, put, scored


def until(what: Callable[[], bool], seconds: float = 60) -> bool:
    """Wait until something holds; return whether it does."""
    for _ in range(int(seconds / 0.05)):
        if what():
            return True
        time.sleep(0.05)
    return False


def test_scores_wait_while_the_store_is_down_and_come_when_it_is_back(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    up = [False]

    def open_it() -> Store:
        if not up[0]:
            raise StoreError("connection refused")
        return open_store(store_url)

    keeper = Keeper(tmp_path, open_it, lambda: NOW)
    fill(tmp_path, scored("a", "b"))
    waits = [keeper.step() for _ in range(8)]
    assert (waits[0] < waits[-1] == waits[-2] == 8.0, len(segments(tmp_path))) == (True, 1)
    up[0] = True
    assert keeper.step() < 1
    assert (count(store), segments(tmp_path)) == (2, [])
    keeper.close()


def test_what_must_wait_is_given_to_the_disk_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down() -> Store:
        raise StoreError("connection refused")

    synced: list[int] = []
    monkeypatch.setattr(keeper_module.os, "fsync", synced.append)
    keeper, spool = Keeper(tmp_path, down, lambda: NOW), a_spool(tmp_path)
    put(spool, scored("a"))
    keeper.step()
    keeper.step()
    put(spool, scored("b"))
    keeper.step()
    assert len(synced) == 2
    spool.close()


def test_the_store_is_not_opened_where_nothing_waits(tmp_path: Path) -> None:
    def never() -> Store:
        raise AssertionError

    assert Keeper(tmp_path, never, lambda: NOW).step() < 1


def test_a_keeper_that_dies_is_followed_by_another_which_brings_what_is_left_at_the_end(
    store: Store, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADQ_HOME", str(tmp_path))
    monkeypatch.setenv("LEADQ_STORE__URL", store_url)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(keeping_module, "_RESTART_SECONDS", 0.01)
    started: list[subprocess.Popen[bytes]] = []
    start = keeping_module._start
    monkeypatch.setattr(keeping_module, "_start", lambda: started.append(start()) or started[-1])  # type: ignore[func-returns-value]
    folder = tmp_path / "spool"
    with keeping():
        started[0].kill()
        assert until(lambda: len(started) == 2)
        fill(folder, scored("a"))
        assert until(lambda: count(store) == 1)
        spool = a_spool(folder)
        put(spool, scored("b"))
        spool.close()
    assert (started[1].returncode, count(store), segments(folder)) == (0, 2, [])


@pytest.mark.skipif(
    not hasattr(os, "sched_getscheduler"), reason="this system tells no class of a process"
)
def test_a_keeper_steps_back_but_goes_on_beside_others() -> None:
    before, _, _ = keeping_module._CODE.partition("from serving")

    code = before + "print(os.nice(0), os.sched_getscheduler(0))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout == f"{min(19, os.nice(0) + 10)} {os.sched_getscheduler(0)}\n"


def test_where_many_scores_come_in_requests_go_first_for_a_while(
    store: Store, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "_BUSY", 100_000)
    at = [NOW]
    settings = SpoolSettings(megabytes=2)
    keeper = Keeper(tmp_path, lambda: open_store(store_url), lambda: at[0], settings)
    many = (scored(f"lead-{n}", text="x" * 15_000) for n in range(100))

    def step(leads: int, at_once: bool = False) -> int:
        fill(tmp_path, *[next(many) for _ in range(leads)])
        keeper.step(at_once)
        return count(store)

    assert step(1) == 1
    assert (step(10), step(10)) == (1, 1)
    assert step(1) == 22  # a lull
    assert (step(10), step(0)) == (22, 32)
    assert step(10) == 32
    at[0] += timedelta(seconds=31)
    assert step(10) == 52  # for half a minute nothing was brought but once
    assert (step(10), step(10), step(15), step(10)) == (52, 52, 52, 97)  # a quarter of the room
    assert (step(0), segments(tmp_path)) == (97, [])
    keeper.close()


def test_while_the_store_is_down_what_comes_in_is_no_rush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down() -> Store:
        raise StoreError("connection refused")

    monkeypatch.setattr(keeper_module, "_BUSY", 100_000)
    keeper = Keeper(tmp_path, down, lambda: NOW)
    fill(tmp_path, scored("a"))
    first = keeper.step()
    fill(tmp_path, scored(*[f"lead-{n}" for n in range(20)], text="x" * 15_000))
    assert keeper.step() > first > 0.25
    keeper.close()


def test_at_the_end_all_is_brought_however_much_came(
    store: Store, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "_BUSY", 100_000)
    keeper = Keeper(tmp_path, lambda: open_store(store_url), lambda: NOW)
    fill(tmp_path, scored(*[f"lead-{n}" for n in range(20)], text="x" * 15_000))
    keeper.step(at_once=True)
    assert (count(store), segments(tmp_path)) == (20, [])
    keeper.close()


def test_a_keeper_that_cannot_be_started_again_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries: list[int] = []

    def start() -> subprocess.Popen[bytes]:
        tries.append(1)
        if len(tries) in (2, 3):
            raise BlockingIOError(11, "Resource temporarily unavailable")
        code = "import sys; sys.stdin.read()"
        return subprocess.Popen([sys.executable, "-c", code if len(tries) > 1 else ""], stdin=-1)

    monkeypatch.setattr(keeping_module, "_RESTART_SECONDS", 0.01)
    monkeypatch.setattr(keeping_module, "_start", start)
    with keeping():
        assert until(lambda: len(tries) == 4)


def test_a_service_that_ends_where_its_keeper_has_just_died_ends_in_peace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE)
    monkeypatch.setattr(keeping_module, "_start", lambda: dead)
    with keeping():
        assert dead.stdin is not None
        assert until(lambda: dead.stdin is not None and dead.stdin.closed)


def test_a_keeper_whose_service_is_killed_brings_what_it_left_and_ends(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    code = "import time; from serving.keeping import keeping\nwith keeping(): time.sleep(600)"
    settings = {"LEADQ_HOME": str(tmp_path), "LEADQ_STORE__URL": store_url}
    service = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, **settings, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    )
    folder = tmp_path / "spool"
    assert until(folder.exists)
    fill(folder, scored("a"))
    service.kill()
    # Its standard error is the keeper's too: it ends when both have.
    service.communicate(timeout=60)
    assert until(lambda: count(store) == 1, 1)


def test_the_database_looks_at_its_tables_as_they_grow(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    monkeypatch.setattr(store, "look_at_tables", lambda: looks.append(count(store)))
    monkeypatch.setattr(keeper_module, "_FIRST_LOOK", 2)
    keeper = Keeper(tmp_path, lambda: store, lambda: NOW)
    for n in range(10):
        fill(tmp_path, scored(f"lead-{n}"))
        keeper.step()
    assert looks == [2, 8]


def test_what_nobody_foresaw_does_not_end_the_keeper_and_is_counted(
    store: Store, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(tmp_path, lambda: open_store(store_url), lambda: NOW)
    fill(tmp_path, scored("a"))
    with monkeypatch.context() as patch:
        patch.setattr(keeper_module, "drain", lambda *_: 1 / 0)
        assert keeper.step() > 0
    assert waiting(tmp_path, time.time()).troubles == 1
    keeper.step()
    assert (count(store), segments(tmp_path)) == (1, [])
    keeper.close()
