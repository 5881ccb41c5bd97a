"""`POST /v1/score`, answered without a framework: its own routing would cost more than the model.

Where what runs: a lead alone, or a few, are scored on the event loop, which takes less time than
handing them to a thread and back. Many leads are scored by one thread, a hundred at a time, so that
requests of many leads take turns. The interpreter goes from that thread to the loop after half a
millisecond (`serving.worker`), so whoever sends one lead beside them hardly notices. Measured on
one core beside a stream of requests of 100 leads: a lead alone took 1.1 times its quiet median,
with the interpreter's own 5 ms 1.6 times, and with turns on the loop in place of a thread 5 times.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.exceptions import HTTPException

from features.home import ServeSettings
from features.leads import ROW_NUMBER, Fault, has_ids
from serving.artefact import LoadedModel
from serving.bodies import Items, read_items
from serving.problems import problem
from serving.replies import score_records
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
_NICE = 19
"""By so much the thread steps back: the kernel computes without the interpreter, and then it is
the system that decides whether a request that comes in must wait for it. With less, the loop has
often had more than its share when a request comes in, and waits until the system's next tick. It
stays above what is idle, as it may hold the interpreter."""


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
        parts: list[Lines] = []
        if len(items.values) <= _FEW:
            reply = self._scored(model, items, 0, len(items.values), reasons, parts)
            results, told = reply["results"], _dumped(reply)
        else:
            results, told = await self._in_turns(model, items, reasons, parts)
        if self._spool is not None:
            try:
                self._spool.put(parts)
            except SpoolFullError as error:
                raise HTTPException(503, str(error), {"Retry-After": "10"}) from error
        self._tally.scored(results)
        for record, result in zip(items.values, results[:_WATCHED], strict=False):
            if "error" not in result:
                self._watch.saw(model, record)
        return told, len(items.values)

    async def _read(self, content: bytes) -> Items:
        if len(content) <= _LONG:
            return read_items(content, "leads", self._limits)
        read = partial(read_items, content, "leads", self._limits)
        return await asyncio.get_running_loop().run_in_executor(self._thread, read)

    def _scored(
        self,
        model: LoadedModel,
        items: Items,
        start: int,
        end: int,
        reasons: int,
        parts: list[Lines],
    ) -> dict[str, Any]:
        """Score some of the items, and add to `parts` what is to be kept of them."""
        scored: list[Scored] = []
        reply = _reply_of(model, items, start, end, reasons, scored)
        if self._spool is not None:
            parts.append(self._spool.lines(model, scored))
        return reply

    async def _in_turns(
        self, model: LoadedModel, items: Items, reasons: int, parts: list[Lines]
    ) -> tuple[list[dict[str, Any]], bytes]:
        if self._bulks >= self._limits.bulks:
            raise HTTPException(
                503,
                f"{self._bulks} requests of many leads are being scored; send it again later",
                {"Retry-After": "1"},
            )
        self._bulks += 1
        try:
            return await self._turns(model, items, reasons, parts)
        finally:
            self._bulks -= 1

    async def _turns(
        self, model: LoadedModel, items: Items, reasons: int, parts: list[Lines]
    ) -> tuple[list[dict[str, Any]], bytes]:
        """Return the results, and the reply as JSON, written in the thread piece by piece."""
        loop, began = asyncio.get_running_loop(), time.perf_counter()
        reply: dict[str, Any] = {}
        results, pieces = list[dict[str, Any]](), list[bytes]()
        for start in range(0, len(items.values), _TURN):
            if time.perf_counter() - began > self._limits.seconds:
                raise HTTPException(
                    503,
                    f"{start:,} of {len(items.values):,} leads were scored in "
                    f"{self._limits.seconds:g} s; send fewer in one request",
                    {"Retry-After": "1"},
                )
            turn = partial(self._turn, model, items, start, reasons, parts)
            reply, piece = await loop.run_in_executor(self._thread, turn)
            results += reply["results"]
            pieces.append(piece)
        whole = orjson.Fragment(b"[%b]" % b",".join(pieces))
        return results, orjson.dumps({**reply, "results": whole})

    def _turn(
        self, model: LoadedModel, items: Items, start: int, reasons: int, parts: list[Lines]
    ) -> tuple[dict[str, Any], bytes]:
        """Score the leads of one turn; return their reply, and their results as JSON."""
        reply = self._scored(model, items, start, start + _TURN, reasons, parts)
        return reply, _dumped(reply["results"])[1:-1]


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


def _reply_of(
    model: LoadedModel, items: Items, start: int, end: int, reasons: int, scored: list[Scored]
) -> dict[str, Any]:
    """Score the items from `start` to `end`; what is too large gets an error in its place."""
    records = items.values[start:end]
    if not has_ids(model.artefact.scorer.agreement):
        records = [_numbered(record, i) for i, record in enumerate(records, start + 1)]
    if not items.faults:
        return score_records(model, records, reasons, scored)
    good = [r for i, r in enumerate(records, start) if i not in items.faults]
    reply = score_records(model, good, reasons, scored)
    found = iter(reply["results"])
    reply["results"] = [
        _refused(items.faults[i]) if i in items.faults else next(found)
        for i in range(start, start + len(records))
    ]
    return reply


def _numbered(record: Any, position: int) -> Any:
    """Give a lead its place in the request as its id, where the agreement names no id."""
    return {ROW_NUMBER: position, **record} if isinstance(record, dict) else record


def _refused(fault: Fault) -> dict[str, Any]:
    found = problem(413, fault.reason, fault.field or None).model_dump(exclude_none=True)
    return {"id": None, "error": found, "warnings": []}


def _dumped(reply: dict[str, Any] | list[dict[str, Any]]) -> bytes:
    try:
        return orjson.dumps(reply)
    except TypeError:
        return json.dumps(reply).encode()
