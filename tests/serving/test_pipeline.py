"""Work in processes of their own, given back in order."""

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow
import pyarrow.csv
import pytest

from features.errors import FileError, LeadqError
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
