"""Structured logs on stderr, with an allow-list of fields: never a lead's content."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TextIO

import orjson
import structlog

if TYPE_CHECKING:
    from serving.shell import Call

ALLOWED = frozenset(
    {"event", "level", "timestamp", "version", "reason", "status", "seconds", "request"}
)
_PAUSE = 0.2
"""Seconds for which lines of requests are gathered: one write for many."""
_FAILED = 500


def configure() -> None:
    """Log JSON lines to stderr."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_allowed,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def only_allowed(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Drop every field that is not on the list, so that a slip cannot leak a lead."""
    return {key: value for key, value in event.items() if key in ALLOWED}


class RequestLog:
    """One line of JSON for each request: what came, how long it took, nothing of a lead.

    Args:
        which: `all` requests, those that `failed` (status 500 and above), or `none`.
        output: where the lines go; None: stderr.

    """

    def __init__(self, which: Literal["all", "failed", "none"], output: TextIO | None) -> None:
        self._from = {"all": 0, "failed": _FAILED, "none": 1000}[which]
        self._output = output
        self._lines: list[bytes] = []

    def note(self, call: Call, method: str, route: str, status: int, seconds: float) -> None:
        """Keep a line; it is written within a moment."""
        if status < self._from:
            return
        line = {
            "event": "request",
            "timestamp": datetime.now(UTC),
            "request": call.id.decode(),
            "method": method,
            "route": route,
            "status": status,
            "seconds": round(seconds, 6),
            "received": call.received,
            "sent": call.sent,
        }
        if call.items is not None:
            line["items"] = call.items
        if call.caller is not None:
            line["key"] = call.caller.name
        self._lines.append(orjson.dumps(line))
        if len(self._lines) == 1:
            asyncio.get_running_loop().call_later(_PAUSE, self.flush)

    def flush(self) -> None:
        """Write the lines that were gathered."""
        lines, self._lines = self._lines, []
        if lines:
            output = self._output or sys.stderr
            output.write(b"\n".join(lines).decode() + "\n")
            output.flush()
