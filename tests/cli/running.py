"""`leadq` as a process, and at a terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path


def run(
    *words: str | Path, cwd: Path, code: int = 0, imports: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run `leadq` as a process with its home in `cwd`; on demand it tells what it imports."""
    environment = {**os.environ, "LEADQ_HOME": str(cwd / ".leadq"), "MLFLOW_TRACKING_URI": ""}
    if imports:
        environment["PYTHONPROFILEIMPORTTIME"] = "1"
    done = subprocess.run(
        [sys.executable, "-m", "leadq", *map(str, words)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def last_json(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def at_a_terminal(words: list[str], answers: list[str], cwd: Path) -> str:
    """Run `leadq` on a pseudo-terminal, give an answer to each question, return the screen."""
    pid, screen = pty.fork()
    if pid == 0:  # the child becomes leadq
        os.chdir(cwd)
        os.environ["LEADQ_HOME"] = str(cwd / ".leadq")
        os.execv(sys.executable, [sys.executable, "-m", "leadq", *words])
    shown, left = b"", list(answers)
    with contextlib.suppress(OSError):  # the terminal is gone once the child ends
        while part := os.read(screen, 4096):
            shown += part
            if re.search(rb"\[(l|later)\]: $", shown):
                os.write(screen, (left.pop(0) if left else "").encode() + b"\n")
                shown += b"\n"
    os.close(screen)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown.decode()
    return shown.decode()
