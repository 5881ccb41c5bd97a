"""`POST /v1/score`, answered without a framework: its own routing would cost more than the model.

Where what runs: a lead alone, or a few, are scored on the event loop, which takes less time than
handing them to a thread and back. Many leads are scored by one thread, a hundred at a time, so that
requests of many leads take turns. Where a few leads came lately, the thread offers the processor
and the interpreter between its steps to whoever waits (`sched_yield`), so whoever sends one lead
beside them hardly notices; docs/architecture.md tells what was measured.
"""

from __future__ import annotations

import asyncio
import math
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
from serving.scorer import Pause, go_on
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
_LATELY = 1.0
"""Seconds after a request of few leads in which another is reckoned with."""
_NICE = 5
"""By so much the thread steps back: the system decides whether a request that comes in must wait
for it. Further back each offer of the processor would cost it more of its own time."""
_REPLY = b'{"model_version":%b,"agreement_version":%b,"results":[%b]}'


class Block(NamedTuple):
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
        self._few_at = -math.inf
        """When a request of few leads came last."""
        self._thread = ThreadPoolExecutor(1, "many", _step_back)

    async def answer(self, content: bytes, query: bytes) -> tuple[bytes, int]:
        """Return the reply as JSON, and how many leads it holds.

        Raises:
            HTTPException: 400, 413, 422 or 503, where no lead could be scored.

        """
        reasons = _reasons(query) if query else REASONS
        model = self._ready()
        items = await self._items(content)
        if len(items.values) <= _FEW:
            self._few_at = time.monotonic()
            blocks = self._turn(model, items, 0, reasons)
        else:
            blocks = await self._many(model, items, reasons)
        self._keep(blocks)
        for block in blocks:
            self._tally.scored(block.scored, len(block.refused))
        for place, record in enumerate(items.values[:_WATCHED]):
            if place not in blocks[0].refused:
                self._watch.saw(model, record)
        results = b",".join([result for block in blocks for result in block.results])
        version, agreed = model.version, model.artefact.scorer.agreed
        reply = _REPLY % (orjson.dumps(version), orjson.dumps(agreed), results)
        return reply, len(items.values)

    async def _items(self, content: bytes) -> Items:
        """Read the items of a body."""
        read = partial(read_items, content, "leads", self._limits)
        if len(content) <= _LONG:
            return read()
        return await asyncio.get_running_loop().run_in_executor(self._thread, read)

    def _turn(
        self, model: LoadedModel, items: Items, start: int, reasons: int, pause: Pause = go_on
    ) -> list[Block]:
        """Score the items from a place on, as many as are scored in one turn."""
        blocks = []
        for first in range(start, min(start + _TURN, len(items.values)), MOST):
            found = _replied(model, items, first, reasons, pause)
            pause()
            lines = None if self._spool is None else self._spool.lines(model, found.scored)
            blocks.append(Block(*found, lines))
            pause()
        return blocks

    def _offer(self) -> None:
        """Let whoever waits for the processor go first, where a few leads came lately.

        Else hardly anybody does but the keeper, which can wait.
        """
        if time.monotonic() - self._few_at < _LATELY:
            os.sched_yield()

    def _keep(self, blocks: Sequence[Block]) -> None:
        """Keep the scores of a request, on the loop.

        The thread may be stopped while it has the spool's lock: leads alone would wait for it.
        """
        if self._spool is None:
            return
        try:
            self._spool.put([block.lines for block in blocks if block.lines is not None])
        except SpoolFullError as error:
            raise HTTPException(503, str(error), {"Retry-After": "10"}) from error

    async def _many(self, model: LoadedModel, items: Items, reasons: int) -> list[Block]:
        if self._bulks >= self._limits.bulks:
            raise HTTPException(
                503,
                f"{self._bulks} requests of many leads are being scored; send it again later",
                {"Retry-After": "1"},
            )
        self._bulks += 1
        try:
            return await self._in_turns(model, items, reasons)
        finally:
            self._bulks -= 1

    async def _in_turns(self, model: LoadedModel, items: Items, reasons: int) -> list[Block]:
        loop, began = asyncio.get_running_loop(), time.perf_counter()
        count, blocks = len(items.values), list[Block]()
        for start in range(0, count, _TURN):
            if time.perf_counter() - began > self._limits.seconds:
                raise HTTPException(
                    503,
                    f"{start:,} of {count:,} leads were scored in {self._limits.seconds:g} s; "
                    "send fewer in one request",
                    {"Retry-After": "1"},
                )
            turn = partial(self._turn, model, items, start, reasons, self._offer)
            blocks += await loop.run_in_executor(self._thread, turn)
        return blocks


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


def _replied(model: LoadedModel, items: Items, start: int, reasons: int, pause: Pause) -> Replied:
    """Score the items of a block; what is too large gets an error in its place."""
    records = items.values[start : start + MOST]
    if not has_ids(model.artefact.scorer.agreement):
        records = [_numbered(record, i) for i, record in enumerate(records, start + 1)]
    if not items.faults:
        return replied(model, records, reasons, pause)
    places = [i for i in range(len(records)) if start + i not in items.faults]
    found = replied(model, [records[i] for i in places], reasons, pause)
    results = dict(zip(places, found.results, strict=True))
    for i in range(len(records)):
        if (fault := items.faults.get(start + i)) is not None:
            results[i] = refused(None, 413, fault.reason, fault.field)
    wrong = {*range(len(records))} - {*places} | {places[i] for i in found.refused}
    return Replied([results[i] for i in range(len(records))], found.scored, wrong)


def _numbered(record: Any, position: int) -> Any:
    """Give a lead its place in the request as its id, where the agreement names no id."""
    return {ROW_NUMBER: position, **record} if isinstance(record, dict) else record
