"""Work in processes of their own, given back in order."""

import errno
import fcntl
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pyarrow
import pyarrow.csv
import pytest

from features.errors import FileError, LeadqError
from serving import pipeline
from serving.pipeline import in_order


def test_results_come_in_the_order_of_the_items_from_other_processes() -> None:
    found = list(in_order(lambda n: (n * n, os.getpid()), range(20), 2))
    assert [(item, square) for item, (square, _) in found] == [(n, n * n) for n in range(20)]
    assert os.getpid() not in {pid for _, (_, pid) in found}


def test_no_more_items_are_taken_than_are_worked_on() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    for done, _ in in_order(lambda n: n, items(), 2):
        assert len(taken) - done <= 3


def test_what_the_work_raises_is_raised_where_it_is_waited_for() -> None:
    def work(number: int) -> int:
        if number == 2:
            raise FileError("two is none")
        return number

    results = in_order(work, range(9), 2)
    assert [next(results), next(results)] == [(0, 0), (1, 1)]
    with pytest.raises(FileError, match="two is none"):
        next(results)


def test_a_process_that_is_killed_ends_the_work_with_a_word() -> None:
    def work(number: int) -> int:
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    with pytest.raises(LeadqError, match="ended from outside, perhaps for want of memory"):
        list(in_order(work, range(9), 2))


def test_no_process_is_left_when_nobody_wants_more() -> None:
    with closing(in_order(lambda _: os.getpid(), range(9), 2)) as results:
        _, pid = next(results)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_lock_is_held_by_no_process_but_the_one_that_took_it(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as mine:
        fcntl.flock(mine, fcntl.LOCK_EX)
        with closing(in_order(lambda n: n, range(9), 2)) as results:
            for _ in range(4):  # all processes have begun
                next(results)
            mine.close()
            with (tmp_path / "lock").open("w") as other:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_what_arrow_has_begun_goes_on_in_the_processes(capfd: pytest.CaptureFixture[str]) -> None:
    def rows(text: bytes) -> int:
        return int(pyarrow.csv.read_csv(pyarrow.BufferReader(text)).num_rows)

    assert rows(b"a,b\n1,2\n") == 1
    texts = [b"a,b\n" + n * b"1,2\n" for n in range(1, 9)]
    assert [found for _, found in in_order(rows, texts, 2)] == list(range(1, 9))
    assert capfd.readouterr().err == ""


class UnsendableError(Exception):
    """Is pickled, and cannot be made again."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one}{two}")


def failing(number: int) -> object:
    if number == 0:
        raise UnsendableError("anna@", "example.com")
    if number == 1:
        raise ValueError("anna@example.com", lambda: 0)
    if number == 2:
        raise OSError(errno.ENOMEM, "anna@example.com")
    return lambda: 0


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (0, r"UnsendableError at .*test_pipeline\.py:\d+ in failing;"),
        (1, r"ValueError at .*test_pipeline\.py:\d+ in failing;"),
        (2, r"OSError \(Cannot allocate memory\) at .*test_pipeline\.py:\d+ in failing;"),
        (3, r"Error at .*pipeline\.py:\d+ in _work_for.*reduction\.py:\d+ in dumps;"),
    ],
)
def test_any_other_error_is_told_by_kind_and_place_without_its_words(number, kind) -> None:
    with pytest.raises(LeadqError, match=f"a process that scored failed: .*{kind}") as told:
        list(in_order(failing, [number], 2))
    assert "anna" not in str(told.value)


def test_the_cause_of_an_error_comes_along_where_it_is_of_the_machine() -> None:
    def work(_: int) -> None:
        try:
            raise OSError(errno.EIO, "gone")
        except OSError as error:
            raise FileError("in.csv: cannot be read") from error

    with pytest.raises(FileError, match=r"in\.csv") as told:
        list(in_order(work, [1], 2))
    assert isinstance(told.value.__cause__, OSError)
    assert told.value.__cause__.errno == errno.EIO


def test_a_process_that_cannot_be_started_is_told_with_the_cure(monkeypatch) -> None:
    def refused() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refused)
    with pytest.raises(LeadqError, match=r"cannot be started: Resource temp.*ulimit -u"):
        list(in_order(failing, [3], 2))


@pytest.fixture
def no_word_of_ends() -> Iterator[None]:
    """As below `trap '' CHLD`."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGCHLD, before)


@pytest.mark.usefixtures("no_word_of_ends")
def test_it_works_where_the_ends_of_processes_are_ignored_and_leaves_that_as_it_was() -> None:
    assert [n for n, _ in in_order(str, range(9), 2)] == list(range(9))
    assert signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN


@pytest.mark.usefixtures("no_word_of_ends")
def test_it_works_there_in_a_thread_too() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert len(pool.submit(lambda: list(in_order(str, range(9), 2))).result()) == 9


def test_the_memory_of_each_process_is_told_without_what_it_shares() -> None:
    shared = b"x" * 300_000_000
    held: list[float] = []
    list(in_order(lambda n: len(shared[1:80_000_000]) + n, range(4), 2, held.append))
    assert len(held) == 2
    assert all(70 < mb < 200 for mb in held)


@pytest.mark.parametrize(
    ("told", "found"),
    [("200000 100000", 2), ("150000 100000", 2), ("5000 100000", 1), ("max 100000", 16)],
)
def test_no_more_cores_are_taken_than_the_container_may_use(
    tmp_path: Path, monkeypatch, told: str, found: int
) -> None:
    (tmp_path / "cpu.max").write_text(f"{told}\n")
    monkeypatch.setattr(pipeline, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    assert pipeline.cores() == found


def test_where_no_quota_is_told_the_affinity_counts(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(pipeline, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7})
    assert pipeline.cores() == 3
