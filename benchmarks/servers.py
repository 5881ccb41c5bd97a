"""Servers to be measured: each is started on a core of its own and stopped again."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import SERVER_CORE, Target

ROOT = Path(__file__).parents[1]
_PATIENCE = 120.0


@dataclass(frozen=True)
class Running:
    """A server that has answered."""

    process: subprocess.Popen[bytes]
    first_answer_s: float
    """Seconds from its start to the end of its first answer."""

    def rss_mb(self) -> float:
        """Return the resident memory of its largest process, in MB (10^6 bytes)."""
        return max(map(rss, family(self.process.pid))) / 1e6


@contextmanager
def serving(
    command: list[str],
    target: Target,
    folder: Path,
    env: Mapping[str, str] = os.environ,
    core: str | None = SERVER_CORE,
) -> Iterator[Running]:
    """Run a server, on one core or on all; its output goes to a file of the folder.

    Raises:
        RuntimeError: when it does not answer in time, with the end of its output.

    """
    log = Path(tempfile.mkstemp(dir=folder, prefix="server-", suffix=".log")[1])
    # MLflow starts its server by name.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    began = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*(["taskset", "-c", core] if core else []), *command],
            cwd=folder,
            env={**env, "PYTHONPATH": str(ROOT), "PATH": path},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            _wait_for_answer(process, target, began, log)
            yield Running(process, time.perf_counter() - began)
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for_answer(
    process: subprocess.Popen[bytes], target: Target, began: float, log: Path
) -> None:
    while time.perf_counter() - began < _PATIENCE and process.poll() is None:
        if _answers(target):
            return
        time.sleep(0.005)
    raise RuntimeError(f"no answer from {target.url}: {log.read_text()[-2000:]}")


def _answers(target: Target) -> bool:
    address, path = target.url.removeprefix("http://").split("/", 1)
    connection = http.client.HTTPConnection(address, timeout=30)
    headers = {"content-type": "application/json"}
    if target.key:
        headers["authorization"] = f"Bearer {target.key}"
    try:
        connection.request("POST", f"/{path}", target.bodies[0].encode(), headers)
        reply = connection.getresponse()
        body = reply.read()
    except OSError:
        return False
    finally:
        connection.close()
    if reply.status in (404, 405, 502, 503):
        return False
    if reply.status != 200:
        raise RuntimeError(f"{target.url} answers {reply.status}: {body[:500]!r}")
    return True


def free_port() -> int:
    """Return a port of the loopback address that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def uvicorn(app: str, port: int) -> list[str]:
    """Return the command that serves an app as quickly as uvicorn can."""
    quiet = ["--log-level", "warning", "--no-access-log"]
    return [sys.executable, "-m", "uvicorn", app, "--port", str(port), *quiet]


def leadq(*words: str) -> list[str]:
    """Return a command of leadq."""
    return [sys.executable, "-m", "leadq", *words]


def run_leadq(folder: Path, env: Mapping[str, str], *words: str) -> dict[str, object]:
    """Run a command of leadq to its end and return its last line as JSON, if it is such.

    Raises:
        RuntimeError: when it fails, with what it said.

    """
    done = subprocess.run(
        leadq(*words),
        cwd=folder,
        env={**env, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 3):
        raise RuntimeError(f"leadq {' '.join(words)}: {done.stderr[-2000:]}")
    last = (done.stdout.splitlines() or [""])[-1]
    found: dict[str, object] = json.loads(last) if last.startswith("{") else {}
    return found


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it and live."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in task.read_text().split():
                found += family(int(child))
    return found


def rss(pid: int) -> int:
    """Return the resident memory of a process in bytes; 0 when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
