"""The chunks of a job: read one after the other, worked on by all cores, given in their order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from features.agreement import Agreement
from features.files import Reject, Table
from features.leads import Intake, Leads, read_nightly

_AHEAD = 1
"""Chunks that wait read beside those that are worked on: a core never waits for the reader."""
Item = TypeVar("Item")
Result = TypeVar("Result")


class Read(NamedTuple):
    """A chunk of the input: its leads, and the rows that were set aside since the one before."""

    number: int
    leads: Leads
    rejects: list[Reject]


def read_chunks(table: Table, agreement: Agreement) -> Iterator[Read]:
    """Yield the leads of a file to be scored; rows set aside after the last are a chunk without.

    Raises:
        AgreementError: when the id column is not in the table.

    """
    intake, number = Intake(), 0
    leads = read_nightly(table, agreement, intake)
    for number, part in enumerate(leads, 1):
        yield Read(number - 1, part, list(intake.rejects))
        intake.rejects.clear()
    if intake.rejects:
        yield Read(number, Leads([], {}, []), intake.rejects)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Generator[Result]:
    """Yield the work's result of each item, in their order; a few are held at a time.

    Args:
        work: may run in several threads at once.
        items: taken one by one, by the thread that asks for the results.
        threads: that work.

    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="score")
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads + _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
