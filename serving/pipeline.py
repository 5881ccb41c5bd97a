"""The chunks of a job: read one after the other, worked on by all cores, given in their order."""

from __future__ import annotations

import gc
import math
import os
import pickle
import signal
import stat
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

from features.errors import LeadqError
from features.files import Chunk, Reject, Table
from features.leads import Leads
from serving.pace import own_memory_mb

_FIRST_FILE = 3
"""Behind the standard ones."""
_MOST = 16
"""Processes; the one that reads and writes has no time to feed more."""
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Where a container says how much time of processors it may have."""
_FRAMES = 6
"""Told of an error, from the innermost."""
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
    """Return how many cores this process may use, by affinity and quota; not more than 16."""
    return min(len(os.sched_getaffinity(0)), _cores_by_quota(), _MOST)


def _cores_by_quota() -> int:
    """Return how many cores the container may keep busy; as many as may be where none is told."""
    try:
        quota, period = map(int, _QUOTA.read_text().split())
    except (OSError, ValueError):  # no such file, or "max"
        return _MOST
    return max(math.ceil(quota / period), 1)


def in_order(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    processes: int,
    held: Callable[[float], None] = lambda _: None,
) -> Generator[tuple[Item, Result]]:
    """Yield each item with the work's result, in their order; a few are held at a time.

    Args:
        work: runs in processes of their own, which have all that this one has when the first item
            is there; what it changes there is not seen here. Items and results are sent to and fro.
        items: taken one by one, by the one that asks for the results.
        processes: that work at once; each holds some hundred MB.
        held: told of each process, when it ends, how many MB of its own it has held at most.

    Raises:
        LeadqError: when a process dies or cannot be started. One that the work raises is raised
            here; any other error of the work is told as one, by its kind and place.

    """
    waiting: deque[tuple[Item, _Worker[Item, Result]]] = deque()
    with ExitStack() as stack:
        stack.enter_context(_ends_are_told())
        for item in items:
            if len(waiting) < processes:
                worker = stack.enter_context(closing(_Worker(work, held)))
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


@contextmanager
def _ends_are_told() -> Iterator[None]:
    """Let processes that end be waited for where whoever started this one wants no word of them.

    Else their numbers are free for others before they are waited for.
    """
    is_main = threading.current_thread() is threading.main_thread()  # no other may change signals
    if not is_main or signal.getsignal(signal.SIGCHLD) is not signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)


class _Fault(NamedTuple):
    """An error of the work, on its way to who waits for a result."""

    error: LeadqError
    cause: OSError | None
    """What failed of the machine, where that was why; an error is sent without its cause."""


class _Worker(Generic[Item, Result]):
    """A process that works on one item after the other.

    It is forked and not started anew, so the model is there at once. It holds none of the files
    that are open here: a lock ends with the process that took it, and not later. When the process
    that it works for is gone, it ends.
    """

    def __init__(self, work: Callable[[Item], Result], held: Callable[[float], None]) -> None:
        self._held = held
        try:
            self._pipe, other = Pipe()
            self._pid = os.fork()
        except OSError as error:
            raise LeadqError(
                f"a process that scores cannot be started: {error.strerror}; allow more processes, "
                "open files or memory (ulimit -u, ulimit -n, limits of the container), or fewer "
                "cores (taskset); what is done is kept: run again to go on"
            ) from error
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
            found: Result | _Fault = self._pipe.recv()
        except (EOFError, ConnectionError):
            raise LeadqError(
                "a process that scored was ended from outside, perhaps for want of memory; what "
                "is done is kept: run again to go on"
            ) from None
        if isinstance(found, _Fault):
            raise found.error from found.cause
        return found

    def close(self) -> None:
        """End it, whatever it does."""
        self._held(own_memory_mb(self._pid))
        self._pipe.close()
        with suppress(ProcessLookupError, ChildProcessError):  # where ends are not told
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
                pipe.send(work(item))  # which sends nothing of what cannot be sent whole
            except Exception as error:
                pipe.send(_fault(error))
    finally:
        os._exit(0)


def _fault(error: Exception) -> _Fault:
    """Return what is told of an error: one of leadq's own as it is, else its kind and place.

    The words of others may hold values of leads, and not all errors can be sent.
    """
    if isinstance(error, LeadqError):
        cause = error.__cause__
        with suppress(Exception):  # it cannot be sent
            pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
            if isinstance(cause, OSError):
                return _Fault(error, OSError(cause.errno, cause.strerror))
            return _Fault(error, None)
    kind = type(error).__name__
    if isinstance(error, OSError) and error.errno is not None:
        kind += f" ({os.strerror(error.errno)})"
    places = ", ".join(
        f"{Path(frame.f_code.co_filename).name}:{line} in {frame.f_code.co_name}"
        for frame, line in list(traceback.walk_tb(error.__traceback__))[-_FRAMES:]
    )
    text = (
        f"a process that scored failed: {kind} at {places}; what is done is kept: run again to go "
        "on; where it fails again, report this line, which holds no data of leads"
    )
    return _Fault(LeadqError(text), None)
