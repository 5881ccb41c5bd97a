"""A client that asks for scores at a steady rate and writes down every answer.

It runs as a process of its own; see `benchmarks.chaos`. Each line of its file is one request:
moment, id, model version, probability; a request without a proper answer has its reason instead.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

CONNECTIONS = 8


@dataclass
class Job:
    """What is asked for, and how fast."""

    port: int
    key: str
    bodies: list[tuple[str, bytes]]
    """Ids with the body that asks for them."""
    until: float
    gap: float
    """Seconds from one request of a connection to its next; 0: as fast as it can."""


class Line:
    """One connection to the service, opened again when it breaks."""

    def __init__(self, job: Job, out: TextIO, turn: Callable[[], int]) -> None:
        self._job, self._out, self._turn = job, out, turn
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def run(self, start: float) -> None:
        """Ask until the time is over."""
        due = start
        while time.time() < self._job.until:
            await asyncio.sleep(max(0.0, due - time.time()))
            # Who has fallen behind does not catch up by a burst.
            due = max(due + self._job.gap, time.time() - 1.0)
            lead, body = self._job.bodies[self._turn() % len(self._job.bodies)]
            sent = time.time()
            try:
                said = await self._ask(body)
            except (OSError, asyncio.IncompleteReadError, ValueError) as error:
                self._drop()
                said = {"failed": type(error).__name__}
            self._out.write(json.dumps({"sent": sent, "at": time.time(), "id": lead, **said}))
            self._out.write("\n")
        self._drop()

    async def _ask(self, body: bytes) -> dict[str, object]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._job.port)
        reader, writer = self._streams
        head = (
            "POST /v1/score HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {self._job.key}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        status, headers = _read_head(await reader.readuntil(b"\r\n\r\n"))
        content = await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection", "").lower() == "close":
            self._drop()
        if status != 200:
            return {"failed": f"status {status}"}
        reply = json.loads(content)
        (result,) = reply["results"]
        return {"version": reply["model_version"], "probability": result["probability"]}

    def _drop(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _read_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    pairs = (line.split(":", 1) for line in lines)
    return int(first.split()[1]), {name.lower(): value.strip() for name, value in pairs}


async def hammer(job: Job, out: TextIO) -> None:
    """Ask on all connections at once."""
    turns = iter(range(10**12))
    lines = [Line(job, out, lambda: next(turns)) for _ in range(CONNECTIONS)]
    start = time.time()
    step = job.gap / CONNECTIONS
    await asyncio.gather(*(line.run(start + i * step) for i, line in enumerate(lines)))


def main() -> None:
    """Run with the job that a file describes, and write the answers beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", type=Path)
    path: Path = parser.parse_args().job
    said = json.loads(path.read_text(encoding="utf-8"))
    bodies = [(lead["id"], json.dumps(lead).encode()) for lead in said["leads"]]
    gap = CONNECTIONS / said["rate"] if said["rate"] else 0.0
    job = Job(said["port"], said["key"], bodies, time.time() + said["seconds"], gap)
    with path.with_suffix(".answers").open("w", encoding="utf-8") as out:
        asyncio.run(hammer(job, out))


if __name__ == "__main__":
    main()
