"""`POST /v1/score`, answered without a framework: its own routing would cost more than the model.

Where what runs: a lead alone, or a few, are scored on the event loop, which takes less time than
handing them to a thread and back. Many leads are scored by one thread, a hundred at a time, so that
requests of many leads take turns. After each few of them the thread offers the processor and the
interpreter to whoever waits (`sched_yield`), so whoever sends one lead beside them hardly notices;
docs/architecture.md tells what was measured.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import orjson
from starlette.exceptions import HTTPException

from features.home import ServeSettings
from features.leads import ROW_NUMBER, has_ids
from serving.artefact import LoadedModel
from serving.bodies import Items, read_items
from serving.kernel import MOST
from serving.replies import Replied, refused, replied
from serving.segments import Scored
from serving.spool import Lines, Spool, SpoolFullError
from serving.tally import Tally
from serving.watch import Watch

REASONS = 5
"""Reasons for each lead where the request does not say."""
MOST_REASONS = 50
_NUMBER = re.compile(r"\d{1,3}", re.ASCII)
_TURN = 100
"""Leads that are scored before another request of many leads has its turn."""
_FEW = 4
"""Leads that are scored on the event loop."""
_WATCHED = 5
"""Leads of one request that may be looked at later."""
_LONG = 10_000
"""Bytes of a body that is read in the thread as well: while the loop reads nobody is answered."""
_NICE = 5
"""By so much the thread steps back: the system decides whether a request that comes in must wait
for it. Further back each offer of the processor would cost it more of its own time."""
_REPLY = b'{"model_version":%b,"agreement_version":%b,"results":[%b]}'


class Turn(NamedTuple):
    """Some leads of a request, scored one behind the other."""

    results: list[bytes]
    scored: list[Scored]
    refused: Collection[int]
    lines: Lines | None
    """What is to be kept of them; None where nothing is kept."""


class Scoring:
    """Scores the leads of a request."""

    def __init__(
        self,
        ready: Callable[[], LoadedModel],
        limits: ServeSettings,
        tally: Tally,
        watch: Watch,
        spool: Spool | None = None,
    ) -> None:
        self._ready = ready
        self._limits = limits
        self._tally = tally
        self._watch = watch
        self._spool = spool
        self._bulks = 0
        self._thread = ThreadPoolExecutor(1, "many", _step_back)

    async def answer(self, content: bytes, query: bytes) -> tuple[bytes, int]:
        """Return the reply as JSON, and how many leads it holds.

        Raises:
            HTTPException: 400, 413, 422 or 503, where no lead could be scored.

        """
        reasons = _reasons(query) if query else REASONS
        model = self._ready()
        items = await self._read(content)
        count = len(items.values)
        if count <= _FEW:
            turns = [self._turn(model, items, 0, count, reasons)]
        else:
            turns = await self._in_turns(model, items, reasons)
        self._keep(turns)
        for turn in turns:
            self._tally.scored(turn.scored, len(turn.refused))
        for place, record in enumerate(items.values[:_WATCHED]):
            if place not in turns[0].refused:
                self._watch.saw(model, record)
        results = b",".join([result for turn in turns for result in turn.results])
        version, agreed = model.version, model.artefact.scorer.agreed
        return _REPLY % (orjson.dumps(version), orjson.dumps(agreed), results), count

    async def _read(self, content: bytes) -> Items:
        if len(content) <= _LONG:
            return read_items(content, "leads", self._limits)
        read = partial(read_items, content, "leads", self._limits)
        return await asyncio.get_running_loop().run_in_executor(self._thread, read)

    def _turn(self, model: LoadedModel, items: Items, start: int, end: int, reasons: int) -> Turn:
        """Score some of the items."""
        found = _replied(model, items, start, end, reasons)
        lines = None if self._spool is None else self._spool.lines(model, found.scored)
        return Turn(*found, lines)

    def _blocks(
        self, model: LoadedModel, items: Items, start: int, end: int, reasons: int
    ) -> list[Turn]:
        """Score some of the items, and let whoever waits for the processor go first in between."""
        turns = []
        for first in range(start, end, MOST):
            turns.append(self._turn(model, items, first, min(first + MOST, end), reasons))
            os.sched_yield()
        return turns

    def _keep(self, turns: Sequence[Turn]) -> None:
        """Keep the scores of a request, on the loop.

        The thread may be stopped while it has the spool's lock: leads alone would wait for it.
        """
        if self._spool is None:
            return
        try:
            self._spool.put([turn.lines for turn in turns if turn.lines is not None])
        except SpoolFullError as error:
            raise HTTPException(503, str(error), {"Retry-After": "10"}) from error

    async def _in_turns(self, model: LoadedModel, items: Items, reasons: int) -> list[Turn]:
        if self._bulks >= self._limits.bulks:
            raise HTTPException(
                503,
                f"{self._bulks} requests of many leads are being scored; send it again later",
                {"Retry-After": "1"},
            )
        self._bulks += 1
        try:
            return await self._turns(model, items, reasons)
        finally:
            self._bulks -= 1

    async def _turns(self, model: LoadedModel, items: Items, reasons: int) -> list[Turn]:
        loop, began = asyncio.get_running_loop(), time.perf_counter()
        turns: list[Turn] = []
        count = len(items.values)
        for start in range(0, count, _TURN):
            if time.perf_counter() - began > self._limits.seconds:
                raise HTTPException(
                    503,
                    f"{start:,} of {count:,} leads were scored in {self._limits.seconds:g} s; "
                    "send fewer in one request",
                    {"Retry-After": "1"},
                )
            end = min(start + _TURN, count)
            blocks = partial(self._blocks, model, items, start, end, reasons)
            turns += await loop.run_in_executor(self._thread, blocks)
        return turns


def _step_back() -> None:
    if sys.platform == "linux":  # There each thread has a priority of its own.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


@lru_cache(maxsize=64)
def _reasons(query: bytes) -> int:
    said = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    found = said.get("reasons", str(REASONS))
    if not _NUMBER.fullmatch(found) or int(found) > MOST_REASONS:
        raise HTTPException(422, f"query.reasons: send a whole number from 0 to {MOST_REASONS}")
    return int(found)


def _replied(model: LoadedModel, items: Items, start: int, end: int, reasons: int) -> Replied:
    """Score the items from `start` to `end`; what is too large gets an error in its place."""
    records = items.values[start:end]
    if not has_ids(model.artefact.scorer.agreement):
        records = [_numbered(record, i) for i, record in enumerate(records, start + 1)]
    if not items.faults:
        return replied(model, records, reasons)
    places = [i for i in range(len(records)) if start + i not in items.faults]
    found = replied(model, [records[i] for i in places], reasons)
    results = dict(zip(places, found.results, strict=True))
    for i in range(len(records)):
        if (fault := items.faults.get(start + i)) is not None:
            results[i] = refused(None, 413, fault.reason, fault.field)
    wrong = {*range(len(records))} - {*places} | {places[i] for i in found.refused}
    return Replied([results[i] for i in range(len(records))], found.scored, wrong)


def _numbered(record: Any, position: int) -> Any:
    """Give a lead its place in the request as its id, where the agreement names no id."""
    return {ROW_NUMBER: position, **record} if isinstance(record, dict) else record
