"""Load on a server by wrk, from a core of its own: how long the replies take."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SERVER_CORE, CLIENT_CORE = "0", "1"
_SCRIPT = """
local bodies = {{}}
for line in io.lines({file}) do bodies[#bodies + 1] = line end
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
{key}
local turn = 0
request = function()
  turn = turn % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[turn])
end
done = function(summary, latency, requests)
  io.write(string.format("figures %f %f %f %d %d\\n", latency:percentile(50),
    latency:percentile(99), summary.requests / summary.duration * 1e6,
    summary.requests, summary.errors.status + summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.timeout))
end
"""


@dataclass(frozen=True)
class Target:
    """Where a server takes leads, and what it is sent."""

    url: str
    bodies: Sequence[str]
    key: str = ""
    """The API key, where one is asked for."""


@dataclass(frozen=True)
class Latency:
    """How a server answered one connection."""

    p50_us: float
    p99_us: float
    per_second: float
    requests: int
    failed: int


def need_tools() -> None:
    """Refuse to start without what the measurement needs."""
    missing = [tool for tool in ("wrk", "taskset") if shutil.which(tool) is None]
    if missing:
        raise SystemExit(f"{' and '.join(missing)} missing; install with: apt-get install wrk")


def measure(target: Target, seconds: int, folder: Path) -> Latency:
    """Ask one request after the other on one connection for some seconds."""
    with _running(target, seconds, folder) as process:
        printed, _ = process.communicate()
    line = next(part for part in printed.splitlines() if part.startswith("figures "))
    p50, p99, rate, requests, failed = line.split()[1:]
    return Latency(float(p50), float(p99), float(rate), int(requests), int(failed))


@contextmanager
def stream(target: Target, seconds: int, folder: Path) -> Iterator[None]:
    """Keep a server busy for some seconds beside what is done within."""
    with _running(target, seconds, folder) as process:
        yield
        process.kill()


@contextmanager
def _running(target: Target, seconds: int, folder: Path) -> Iterator[subprocess.Popen[str]]:
    bodies = folder / f"bodies-{abs(hash((target.url, len(target.bodies[0]))))}.jsonl"
    bodies.write_text("\n".join(target.bodies), encoding="utf-8")
    script = bodies.with_suffix(".lua")
    key = f'wrk.headers["authorization"] = "Bearer {target.key}"' if target.key else ""
    script.write_text(_SCRIPT.format(file=json.dumps(str(bodies)), key=key))
    command = ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", "-c1", f"-d{seconds}s"]
    process = subprocess.Popen(
        [*command, "-s", str(script), target.url], stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
