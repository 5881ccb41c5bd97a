"""From the spool to the store: each score once, whatever dies in between."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from features.errors import StoreError
from features.store import scores as stored_scores
from features.store.database import Store, open_store
from features.store.history import history_of
from features.store.scores import Given, keep_scores
from features.store.tables import Lead, Snapshot
from serving import drain as module
from serving.drain import Drained, drain, empty, forget
from serving.erasing import Aside, erase_leads
from serving.segments import ASIDE, segments
from serving.spool import waiting
from tests.features.store.making import MONDAY, NOW, agreed, some_leads
from tests.serving.spooling import (
    a_spool,
    count,
    drain_all,
    fill,
    ids_of_scores,
    put,
    scored,
    start,
)


def test_scores_come_to_the_store_and_nothing_is_left(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    fill(folder, scored("a", probability=0.5), scored("b", "c"))
    assert drain(store, folder, lambda: NOW) == Drained(3, 0)
    with store.reading() as connection:
        history = history_of(connection, "a")
    assert history
    assert (history.created, history.campaign) == (MONDAY, "Fair")
    (score,) = history.scores
    assert (score.model, score.agreement, score.probability, score.grade) == (
        "3", agreed().label, 0.5, "B",
    )  # fmt: skip
    assert score.fields == {"campaign": "Fair", "created": "2026-03-02 09:00", "visits": 3.0}
    assert segments(folder) == []


def test_a_lead_scored_a_thousand_times_has_each_score_and_one_snapshot(
    store: Store, tmp_path: Path
) -> None:
    fill(tmp_path, *[scored("a")] * 600, scored(*["a"] * 400))
    assert drain_all(store, tmp_path) == 1000
    assert (count(store), count(store, Snapshot), count(store, Lead)) == (1000, 1, 1)


def test_a_snapshot_is_added_each_time_a_lead_has_changed(store: Store, tmp_path: Path) -> None:
    visits = [1.0, 1.0, 2.0, 2.0, 1.0]
    fill(tmp_path, *[scored("a", visits=n) for n in visits])
    drain_all(store, tmp_path)
    with store.reading() as connection:
        history = history_of(connection, "a")
    assert history
    assert [score.fields and score.fields["visits"] for score in history.scores] == visits
    assert count(store, Snapshot) == 3


def test_over_rest_and_by_file_a_lead_has_one_snapshot(store: Store, tmp_path: Path) -> None:
    cells = {"created": "2026-03-01", "campaign": "Spring fair", "visits": "3"}
    keep_scores(store, some_leads("a"), Given("3", [0.5], ["A"]), agreed(), MONDAY)
    fill(tmp_path, scored("a", **cells))
    drain_all(store, tmp_path)
    assert (count(store), count(store, Snapshot)) == (2, 1)


def test_segments_of_several_models_and_workers_are_brought_in_one(
    store: Store, tmp_path: Path
) -> None:
    for version in ("3", "4"):
        for n in range(5):
            fill(tmp_path, scored(f"{version}-{n}"), version=version)
    assert drain(store, tmp_path, lambda: NOW) == Drained(10, 0)


class KilledError(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("unlinked", [0, 1])
def test_who_dies_between_store_and_delete_has_doubled_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unlinked: int
) -> None:
    for name in ("a", "b"):
        fill(tmp_path, *[scored(name, visits=n) for n in (1.0, 2.0, 1.0)])
    left, unlink = [unlinked], Path.unlink

    def dies(path: Path) -> None:
        if not left[0]:
            raise KilledError
        left[0] -= 1
        unlink(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", dies)
        with pytest.raises(KilledError):
            drain(store, tmp_path, lambda: NOW)
    assert count(store) == 6
    drain_all(store, tmp_path)
    assert (count(store), count(store, Snapshot), segments(tmp_path)) == (6, 6, [])


def test_a_keeper_killed_at_any_moment_loses_and_doubles_nothing(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    rng, ids = random.Random(4), [f"lead-{n}" for n in range(3000)]
    folder = tmp_path / "spool"
    for n in range(0, len(ids), 250):
        fill(folder, *[scored(*ids[i : i + 10]) for i in range(n, n + 250, 10)])
    for _ in range(3):
        with start("keeper", str(folder), store_url) as process:
            assert process.stdout
            process.stdout.readline()
            time.sleep(rng.uniform(0, 0.3))
            process.kill()
    drain_all(store, folder)
    assert ids_of_scores(store) == sorted(ids)
    assert (count(store, Snapshot), segments(folder)) == (3000, [])


def test_killed_workers_and_two_that_drain_leave_each_score_once(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    told: list[str] = []
    workers = [start("worker", str(tmp_path), name) for name in ("v", "w")]
    for n, process in enumerate(workers):
        assert process.stdout
        told += [process.stdout.readline() for _ in range(200 + 100 * n)]
    drainers = [start("keeper", str(tmp_path), store_url) for _ in range(2)]
    for process in workers:
        process.kill()
        assert process.stdout
        told += process.stdout.readlines()
    for process in [*workers, *drainers]:
        process.communicate()
    drain_all(store, tmp_path)
    found = ids_of_scores(store)
    assert len(found) == len(set(found))
    assert 0 <= len(found) - len(told) <= 2
    assert waiting(tmp_path, time.time()).set_aside <= 2


def test_a_segment_that_is_written_is_left_alone(store: Store, tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    put(spool, scored("a"))
    assert drain(store, tmp_path, lambda: NOW) == Drained(0, 0)
    spool.close()
    assert drain(store, tmp_path, lambda: NOW) == Drained(1, 0)


def test_damaged_lines_are_set_aside_and_the_others_go_on(store: Store, tmp_path: Path) -> None:
    fill(tmp_path, scored("a", "b", "c", "d"))
    (path,) = segments(tmp_path)
    first, second, third, fourth = path.read_bytes().splitlines()
    odd = [second.replace(b"Fair", b"Fake"), b"\xff\x00", third[:40]]
    path.write_bytes(b"\n".join([first, *odd[:2], fourth, odd[2]]))
    assert drain(store, tmp_path, lambda: NOW) == Drained(2, 3)
    assert ids_of_scores(store) == ["a", "d"]
    assert (tmp_path / ASIDE / path.name).read_bytes().splitlines() == odd
    assert waiting(tmp_path, 0).set_aside == 3


def test_a_score_that_the_store_refuses_is_set_aside_alone(store: Store, tmp_path: Path) -> None:
    puts = [scored(f"lead-{n}") for n in range(20)]
    puts[7] = scored("odd", probability=None)  # type: ignore[arg-type]
    fill(tmp_path, *puts)
    assert drain(store, tmp_path, lambda: NOW) == Drained(19, 1)
    assert count(store) == 19
    (path,) = (tmp_path / ASIDE).iterdir()
    assert b'"lead":"odd"' in path.read_bytes()


def test_what_was_set_aside_before_a_death_is_set_aside_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, scored("a"))
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes() + b"half a line")

    def dies(_: Path) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", dies)
        with pytest.raises(KilledError):
            drain(store, tmp_path, lambda: NOW)
    drain_all(store, tmp_path)
    assert (waiting(tmp_path, 0).set_aside, count(store)) == (1, 1)


def test_a_store_that_fails_midway_keeps_the_segment(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, scored(*[f"lead-{n}" for n in range(30)]))
    calls, add = [0], stored_scores.add_given_scores

    def fails(*args: object) -> int:
        calls[0] += 1
        if calls[0] == 2:
            raise StoreError("no connection")
        return add(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_BATCH", 10)
    monkeypatch.setattr(module, "add_given_scores", fails)
    with pytest.raises(StoreError, match="no connection"):
        drain(store, tmp_path, lambda: NOW)
    assert (count(store), len(segments(tmp_path))) == (10, 1)
    drain_all(store, tmp_path)
    assert (count(store), segments(tmp_path)) == (30, [])


def test_what_waits_is_erased_too(tmp_path: Path) -> None:
    aside = Aside(tmp_path / "rejects", tmp_path / "spool")
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    fill(aside.spool, scored("zaphod-42", name="Zaphod Beeblebrox"), scored("other", name="Ford"))
    (path,) = segments(aside.spool)
    path.write_bytes(path.read_bytes() + b'"lead":"zaphod-42", "name":"Zaphod')
    fill(aside.spool, scored("zaphod-42", name="Zaphod Beeblebrox", probability=None))  # type: ignore[arg-type]
    assert erase_leads(store, aside, ["zaphod-42"], "dpo", NOW) == 1
    found = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert (b"zaphod-42" in found, b"Zaphod" in found, b"Ford" in found) == (False, False, True)
    assert (count(store), erase_leads(store, aside, ["zaphod-42"], "dpo", NOW)) == (2, 0)
    store.close()


def test_a_score_given_after_the_erasure_makes_a_new_lead(store: Store, tmp_path: Path) -> None:
    aside = Aside(tmp_path / "rejects", tmp_path / "spool")
    fill(aside.spool, scored("a"))
    erase_leads(store, aside, ["a"], "dpo", NOW)
    fill(aside.spool, scored("a"))
    drain_all(store, aside.spool)
    assert (count(store, Lead), "a" in ids_of_scores(store)) == (2, True)


def test_a_segment_that_its_keeper_left_behind_does_not_bring_an_erased_lead_back(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "spool", scored("a"))

    def dies(_: Path) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", dies)
        with pytest.raises(KilledError):
            drain(store, tmp_path / "spool", lambda: NOW)
    erase_leads(store, Aside(tmp_path / "rejects", tmp_path / "spool"), ["a"], "dpo", NOW)
    drain_all(store, tmp_path / "spool")
    assert (count(store, Lead), "a" in ids_of_scores(store)) == (1, False)


def test_erasure_waits_for_a_worker_that_writes_and_says_so_if_it_does_not_end(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = a_spool(tmp_path)
    put(spool, scored("a"))
    monkeypatch.setattr(module, "_TRIES", 2)
    with pytest.raises(StoreError, match="holds scores that wait"):
        empty(store, tmp_path, lambda: NOW)
    monkeypatch.setattr(module.time, "sleep", lambda _: spool.turn())
    empty(store, tmp_path, lambda: NOW)
    assert count(store) == 1
    spool.close()


def test_only_the_leads_own_lines_leave_what_was_set_aside(tmp_path: Path) -> None:
    fill(tmp_path, scored("a", "b", "a"))
    (tmp_path / ASIDE).mkdir()
    (path,) = segments(tmp_path)
    path.rename(tmp_path / ASIDE / path.name)
    assert forget(tmp_path, ["a", "c"]) == 2
    assert (tmp_path / ASIDE / path.name).read_bytes().count(b"\n") == 1
    assert forget(tmp_path, ["b"]) == 1
    assert list((tmp_path / ASIDE).iterdir()) == []
