"""A worker as it starts: nothing is loaded that scoring does not need."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

HEAVY = {
    "alembic", "fastapi", "jinja2", "lightgbm", "matplotlib", "mlflow", "optuna", "pandas",
    "prometheus_client", "pyarrow", "scipy", "sklearn",
}  # fmt: skip


def test_a_worker_loads_no_library_that_scoring_does_not_need() -> None:
    code = "import sys, serving.worker; print(*{name.partition('.')[0] for name in sys.modules})"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert HEAVY & set(done.stdout.split()) == set()


def test_workers_share_a_port_and_one_that_dies_is_started_again(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "leadq", "serve", "--no-keys", "--workers", "2"]
    environment = {**os.environ, "LEADQ_HOME": str(tmp_path / "home")}
    service = subprocess.Popen(
        [*command, "--port", port], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
    )
    try:
        dead = min(workers_behind(port, set()))
        os.kill(dead, signal.SIGKILL)
        assert dead not in workers_behind(port, {dead})
    finally:
        service.terminate()
        assert service.wait(60) == 0


def workers_behind(port: str, dead: set[int]) -> set[int]:
    """Ask for the metrics until two workers that are not dead have counted; return them."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as reply:
                page = reply.read().decode()
        except OSError:
            page = ""
        found = {int(line.split('"')[1]) for line in page.splitlines() if is_worker(line)} - dead
        if len(found) == 2:
            return found
        time.sleep(0.1)
    raise AssertionError("the workers did not come")


def is_worker(line: str) -> bool:
    return line.startswith("leadq_worker_info{")
