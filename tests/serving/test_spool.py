"""Scores are on the disk before the reply, whatever happens to their process."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from features.errors import UsageError
from features.home import SpoolSettings
from serving import spool as module
from serving.api import build
from serving.segments import STEP, lead_of, open_segment, score_of, segments
from serving.spool import Lines, Spool, SpoolFullError, Waiting, waiting
from tests.features.store.making import MONDAY, agreed
from tests.lives import Fixed
from tests.serving.asking import LEAD
from tests.serving.small import small_model
from tests.serving.spooling import a_model, a_spool, fill, put, scored, start

NOON = datetime(2026, 3, 2, 12).timestamp()


def lines(folder: Path) -> list[bytes]:
    return [line for path in segments(folder) for line in path.read_bytes().splitlines()]


def test_a_line_tells_all_that_the_store_keeps(tmp_path: Path) -> None:
    fill(tmp_path, scored("a", visits=7.0, name=None, note="größer\x00\n"))
    (line,) = lines(tmp_path)
    told = score_of(line)
    assert (told.lead, told.created, told.campaign, told.source) == ("a", MONDAY, "Fair", None)
    assert (told.model, told.agreement) == ("3", agreed().label)
    assert (told.probability, told.grade) == (0.25, "B")
    assert told.fields == json.dumps(
        {"campaign": "Fair", "created": "2026-03-02 09:00", "note": "größer\x00\n", "visits": 7.0}
    )


def test_a_request_is_in_the_file_when_put_returns(tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    put(spool, scored("a", "b"))
    assert [score_of(line).lead for line in lines(tmp_path)] == ["a", "b"]
    spool.close()


def test_no_two_scores_of_a_machine_have_the_same_moment(tmp_path: Path) -> None:
    spools = [a_spool(tmp_path, clock=lambda: NOON) for _ in range(3)]
    for spool in spools:
        for _ in range(5):
            put(spool, scored("a", "a"))
        spool.close()
    assert len({score_of(line).at for line in lines(tmp_path)}) == 30


def test_what_one_model_says_stands_beside_what_another_says(tmp_path: Path) -> None:
    spool, signed = a_spool(tmp_path), agreed(version=2)
    put(spool, scored("a"), a_model("3"))
    put(spool, scored("a"), a_model("4", signed))
    spool.close()
    told = [score_of(line) for line in lines(tmp_path)]
    assert [(t.model, t.agreement) for t in told] == [("3", agreed().label), ("4", signed.label)]


def test_leads_whose_id_cannot_be_kept_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path, scored("a\x00", "b" * 201, "1.2E+11", "c"))
    assert [score_of(line).lead for line in lines(tmp_path)] == ["c"]


def test_nothing_is_kept_where_the_agreement_names_no_id(tmp_path: Path) -> None:
    numbered = agreed(columns={"id": "#row", "outcome": "status"})
    spool = a_spool(tmp_path)
    put(spool, scored("1", "2"), a_model("3", numbered))
    spool.close()
    assert lines(tmp_path) == []


def test_a_segment_is_closed_at_its_turn_and_at_rest_there_is_none(tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    for _ in range(2):
        put(spool, scored("a"))
        put(spool, scored("b"))
        spool.turn()
    spool.turn()
    assert [path.read_bytes().count(b"\n") for path in segments(tmp_path)] == [2, 2]
    spool.close()


def test_where_many_wait_segments_stay_open_for_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MANY", 1)
    now = NOON
    spool = a_spool(tmp_path, clock=lambda: now)
    for _ in range(5):
        put(spool, scored("a"))
        spool.turn()
    assert len(segments(tmp_path)) == 2
    now += 11
    spool.turn()
    put(spool, scored("a"))
    assert len(segments(tmp_path)) == 3
    spool.close()


def test_a_large_segment_is_closed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LARGE", 1000)
    fill(tmp_path, *[scored("a", note="x" * 1000)] * 3)
    assert len(segments(tmp_path)) == 3


def test_a_full_spool_drops_and_counts_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    spool = a_spool(tmp_path, megabytes=1)
    big = scored("a", "b", note="x" * 300_000)
    put(spool, big)
    put(spool, big)
    assert waiting(tmp_path, NOON).dropped == 2
    spool.turn()
    segments(tmp_path)[0].unlink()
    spool.turn()
    put(spool, big)
    assert (len(lines(tmp_path)), waiting(tmp_path, NOON).dropped) == (2, 2)
    spool.close()
    a_spool(tmp_path).close()
    assert waiting(tmp_path, NOON).dropped == 2


def test_a_full_spool_refuses_where_the_settings_say_so(tmp_path: Path) -> None:
    spool = a_spool(tmp_path, megabytes=1, when_full="refuse")
    with pytest.raises(SpoolFullError, match="the spool is full"):
        put(spool, scored("a", note="x" * 1_000_000))
    spool.close()
    assert waiting(tmp_path, NOON).dropped == 0


def test_a_disk_that_takes_half_of_a_request_keeps_none_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, write = a_spool(tmp_path), os.write
    put(spool, scored("a"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, content: write(file, content[:50]))
        put(spool, scored("b"))
    put(spool, scored("c"))
    assert [score_of(line).lead for line in lines(tmp_path)] == ["a", "c"]
    assert waiting(tmp_path, NOON).dropped == 1
    spool.close()


def test_a_disk_that_takes_nothing_at_all_stops_no_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    spool = a_spool(tmp_path)
    (place,) = tmp_path.glob("writer-*")
    assert place.stat().st_size == 40  # There before the disk is full.
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        put(spool, scored("a"))
        patch.setattr(os, "pwrite", full)
        put(spool, scored("b"))
    put(spool, scored("c"))
    spool.close()
    assert ([score_of(line).lead for line in lines(tmp_path)], place.stat().st_size) == (["c"], 40)


def test_a_folder_that_is_gone_does_not_stop_scoring(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool = a_spool(folder)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    put(spool, scored("a"))
    spool.close()
    assert waiting(folder, NOON) == Waiting(0, 0, 0.0, 0, 0)


def test_what_waits_is_counted_with_the_age_of_the_oldest(tmp_path: Path) -> None:
    spool = a_spool(tmp_path, clock=lambda: NOON)
    put(spool, scored("a", "b"))
    found = waiting(tmp_path, NOON + 90)
    assert (found.scores, round(found.oldest_seconds), found.set_aside) == (2, 90, 0)
    spool.close()


def test_only_so_many_processes_write_in_one_folder(tmp_path: Path) -> None:
    spools = [a_spool(tmp_path) for _ in range(STEP)]
    with pytest.raises(UsageError, match="run fewer workers"):
        a_spool(tmp_path)
    spools[7].close()
    a_spool(tmp_path).close()
    for spool in spools[:7] + spools[8:]:
        spool.close()


def test_a_name_that_is_taken_is_passed_over(tmp_path: Path) -> None:
    first, second = (open_segment(tmp_path, 5, 0) for _ in range(2))
    assert [path.name for path in segments(tmp_path)] == [
        "0000000000000005-00.scores",
        "0000000000000006-00.scores",
    ]
    first.close()
    second.close()


def test_others_cannot_read_what_waits(tmp_path: Path) -> None:
    fill(tmp_path / "spool", scored("a"))
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0
    assert segments(tmp_path / "spool")[0].stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("acknowledged", [1, 150, 1000])
def test_a_worker_that_is_killed_has_lost_nothing_that_it_answered(
    tmp_path: Path, acknowledged: int
) -> None:
    with start("worker", str(tmp_path), "w") as process:
        assert process.stdout
        for _ in range(acknowledged):
            process.stdout.readline()
        process.kill()
        told = acknowledged + len(process.stdout.read().splitlines())
    whole = [line for line in lines(tmp_path) if lead_of(line)]
    assert len(lines(tmp_path)) - len(whole) in (0, 1)  # The last line may be half.
    found = [score_of(line).lead for line in whole]
    assert len(found) - told in (0, 1)
    assert found == [f"w-{n}" for n in range(len(found))]


def test_a_spool_thread_goes_on_after_what_nobody_foresaw_and_counts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TURN_SECONDS", 0.01)
    spool, turned = a_spool(tmp_path), threading.Event()

    def turn() -> None:
        if waiting(tmp_path, NOON).troubles:
            turned.set()
        else:
            raise ValueError("nobody foresaw this")

    monkeypatch.setattr(spool, "turn", turn)
    thread = threading.Thread(target=spool._turn_on, daemon=True)
    thread.start()

    assert turned.wait(10)
    assert waiting(tmp_path, NOON).troubles == 1
    spool._stopped.set()
    thread.join()
    spool.close()


def test_no_thread_that_stepped_back_writes_the_scores_of_many_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, names = Spool(tmp_path, SpoolSettings(), time.time), list[str]()
    put_down = spool.put

    def noted(parts: Sequence[Lines]) -> None:
        names.append(threading.current_thread().name)
        put_down(parts)

    monkeypatch.setattr(spool, "put", noted)
    leads = [{**LEAD, "id": str(i)} for i in range(250)]
    with TestClient(build(Fixed(small_model()), spool=spool)) as client:
        assert client.post("/v1/score", json={"leads": leads}).status_code == 200

    assert ([name for name in names if name.startswith("many")], len(names)) == ([], 1)
    assert len(lines(tmp_path)) == 250
