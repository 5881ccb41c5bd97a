"""The chunks of a job: read one after the other, worked on by all cores, given in their order."""

from __future__ import annotations

import gc
import os
import signal
import stat
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

from features.errors import LeadqError
from features.files import Chunk, Reject, Table
from features.leads import Leads

_FIRST_FILE = 3
"""Behind the standard ones."""
Item = TypeVar("Item")
Result = TypeVar("Result")


class Piece(NamedTuple):
    """A chunk of the input as it is read, and the rows that the reader set aside before its end."""

    number: int
    chunk: Chunk | None
    """None behind the last one, where rows are set aside still."""
    rejects: list[Reject]


class Read(NamedTuple):
    """A chunk of the input: its leads, and the rows that were set aside since the one before."""

    leads: Leads
    rejects: list[Reject]


def pieces(table: Table) -> Iterator[Piece]:
    """Yield the chunks of a file to be scored."""
    rejects: list[Reject] = []
    number = 0
    for number, chunk in enumerate(table.chunks(rejects.append), 1):
        yield Piece(number - 1, chunk, list(rejects))
        rejects.clear()
    if rejects:
        yield Piece(number, None, rejects)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], processes: int
) -> Generator[tuple[Item, Result]]:
    """Yield each item with the work's result, in their order; a few are held at a time.

    Args:
        work: runs in processes of their own, which have all that this one has when the first item
            is there; what it changes there is not seen here. Items and results are sent to and fro.
        items: taken one by one, by the one that asks for the results.
        processes: that work at once; each holds some hundred MB.

    Raises:
        LeadqError: when a process dies; what the work raises is raised here.

    """
    waiting: deque[tuple[Item, _Worker[Item, Result]]] = deque()
    with ExitStack() as stack:
        for item in items:
            if len(waiting) < processes:
                worker = stack.enter_context(closing(_Worker(work)))
                worker.begin(item)
                waiting.append((item, worker))
                continue
            first, worker = waiting.popleft()
            result = worker.result()
            worker.begin(item)
            waiting.append((item, worker))
            yield first, result
        while waiting:
            first, worker = waiting.popleft()
            yield first, worker.result()


class _Worker(Generic[Item, Result]):
    """A process that works on one item after the other.

    It is forked and not started anew, so the model is there at once. It holds none of the files
    that are open here: a lock ends with the process that took it, and not later. When the process
    that it works for is gone, it ends.
    """

    def __init__(self, work: Callable[[Item], Result]) -> None:
        self._pipe, other = Pipe()
        self._pid = os.fork()
        if not self._pid:
            _work_for(other, work)
        other.close()

    def begin(self, item: Item) -> None:
        """Let it work on an item; the result of the one before must have been taken."""
        with suppress(BrokenPipeError):  # told by result()
            self._pipe.send(item)

    def result(self) -> Result:
        """Wait for the result."""
        try:
            found: Result | Exception = self._pipe.recv()
        except (EOFError, ConnectionError):
            raise LeadqError(
                "a process that scored was ended from outside, perhaps for want of memory; what "
                "is done is kept: run again to go on"
            ) from None
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> None:
        """End it, whatever it does."""
        self._pipe.close()
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def _let_go(own: int) -> None:
    """Close the files and connections of the process that this one was forked from.

    Not its pipes: by these the threads of libraries wake each other, here too.
    """
    for number in map(int, os.listdir("/dev/fd")):  # noqa: PTH208 - numbers, not files
        with suppress(OSError):  # it was that of the list itself
            mode = os.fstat(number).st_mode
            is_held = stat.S_ISREG(mode) or stat.S_ISSOCK(mode)
            if is_held and number >= _FIRST_FILE and number != own:
                os.close(number)


def _work_for(pipe: Connection[Any, Any], work: Callable[[Item], Result]) -> NoReturn:
    """Work on what comes, in a process that was just forked, until nothing comes any more."""
    try:
        _let_go(pipe.fileno())
        gc.freeze()  # to look there for garbage would touch, and so copy, all that is shared
        while True:
            item = pipe.recv()
            try:
                told: Result | Exception = work(item)
            except Exception as error:
                told = error
            pipe.send(told)
    finally:
        os._exit(0)
