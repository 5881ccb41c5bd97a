"""The documentation is run: every command of the transcripts, and what it is said to print.

A transcript is a block of ```console. Numbers may differ from machine to machine, so they are
compared by their place alone; words must be the same. A line of `...` stands for any lines.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel
from typer.main import get_command

import leadq
from features.home import Settings

ROOT = Path(leadq.__file__).parent.parent
README = ROOT / "README.md"
EDUCATION = ROOT / "docs" / "education-leads.md"
FEEDBACK = ROOT / "docs" / "feedback.md"
HOME = "/home/me"
"""The folder in which the transcripts are said to be run."""


def steps(document: Path) -> list[tuple[str, list[str]]]:
    """Return the commands of a document with the lines each is said to print."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```", document.read_text(), re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


class Terminal:
    """Runs documented commands in a folder of their own; a service is stopped at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.service: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def run(self, command: str) -> list[str]:
        words = shlex.split(command)
        if words[:2] == ["leadq", "serve"]:
            return self._serve(words[2:])
        if words[0] == "curl":
            return self._post(words)
        assert words[0] == "leadq", f"the transcript may run leadq and curl alone: {command}"
        done = subprocess.run(
            self._leadq(words[1:]), cwd=self.folder, env=self._environment(),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.replace(str(self.folder.resolve()), HOME).splitlines()

    def _leadq(self, words: list[str]) -> list[str]:
        return [sys.executable, "-m", "leadq", *words]

    def _environment(self) -> dict[str, str]:
        return {k: v for k, v in os.environ.items() if not k.startswith(("LEADQ_", "MLFLOW_"))}

    def _serve(self, options: list[str]) -> list[str]:
        command = self._leadq(["serve", "--port", str(self.port), *options])
        self.service = subprocess.Popen(
            command, cwd=self.folder, env=self._environment(), stderr=subprocess.DEVNULL
        )
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz").close()
            except OSError:
                assert self.service.poll() is None, "the service stopped"
                time.sleep(0.2)
            else:
                return []
        pytest.fail("the service did not become ready")

    def _post(self, words: list[str]) -> list[str]:
        assert words[-4:] == ["|", "python3", "-m", "json.tool"], "a reply is shown indented"
        url = next(w for w in words if w.startswith("http")).replace(":8000", f":{self.port}")
        body = words[words.index("-d") + 1].encode()
        request = urllib.request.Request(url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request) as reply:
            return json.dumps(json.load(reply), indent=4).splitlines()

    def close(self) -> None:
        if self.service:
            self.service.terminate()
            self.service.wait()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    shell = Terminal(tmp_path)
    yield shell
    shell.close()


def masked(line: str) -> str:
    """Numbers and digests by their place alone."""
    line = re.sub(r"\b\d+-[0-9a-f]{8}\b|\([0-9a-f]{8}\)", "DIGEST", line)
    return re.sub(r"[-+]?\d[\d,]*(\.\d+)?(e-?\d+)?", "N", " ".join(line.split()))


def assert_prints(printed: list[str], said: list[str], command: str) -> None:
    rest = iter([masked(line) for line in printed if line.strip()])
    skipping = False
    for line in said:
        if line.strip() == "...":
            skipping = True
            continue
        wanted = masked(line)
        found = next((p for p in rest if not skipping or p == wanted), None)
        assert found == wanted, f"$ {command}\nsaid:    {wanted}\nprinted: {found}"
        skipping = False
    assert skipping or next(rest, None) is None, f"$ {command} prints more than is said"


def test_the_readme_is_a_transcript_that_holds(terminal: Terminal) -> None:
    for command, said in steps(README):
        assert_prints(terminal.run(command), said, command)


def test_feedback_is_a_transcript_that_holds(terminal: Terminal) -> None:
    for command, said in steps(FEEDBACK):
        assert_prints(terminal.run(command), said, command)


def test_the_education_leads_are_a_transcript_that_holds(
    terminal: Terminal, xeducation: Path
) -> None:
    (terminal.folder / "Leads.csv").symlink_to(xeducation)

    for command, said in steps(EDUCATION):
        assert_prints(terminal.run(command), said, command)


@pytest.mark.parametrize("command", get_command(leadq.app).commands)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"leadq {command}" in README.read_text()


def settings(model: type[BaseModel], prefix: str = "LEADQ_") -> Iterator[tuple[str, str]]:
    """The name of each setting in the environment, and its description."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from settings(field.annotation, f"{prefix}{name.upper()}__")
        else:
            yield prefix + name.upper(), field.description or ""


@pytest.mark.parametrize(("setting", "description"), list(settings(Settings)))
def test_every_setting_is_documented(setting: str, description: str) -> None:
    guides = [(ROOT / "docs" / name).read_text() for name in ("architecture.md", "operations.md")]
    rows = [line for text in guides for line in text.splitlines() if f"| `{setting}` |" in line]

    assert any(description in row for row in rows)


def test_the_reply_in_the_guide_has_the_fields_of_the_api() -> None:
    from serving.replies import ReasonReply, ResultReply, ScoreReply

    guide = (ROOT / "docs" / "api.md").read_text()
    reply = json.loads(re.findall(r"```json\n(.*?)```", guide, re.S)[0])

    assert set(reply) == set(ScoreReply.model_fields)
    assert set(reply["results"][0]) == set(ResultReply.model_fields) - {"error"}
    assert set(reply["results"][0]["reasons"][0]) == set(ReasonReply.model_fields)


def test_the_answer_to_feedback_in_the_guide_has_the_fields_of_the_api() -> None:
    from serving.intake import IntakeReply, ItemReply

    guide = (ROOT / "docs" / "api.md").read_text()
    reply = json.loads(re.findall(r"```json\n(.*?)```", guide, re.S)[1])

    assert set(reply) == set(IntakeReply.model_fields)
    assert {name for item in reply["results"] for name in item} == set(ItemReply.model_fields)


def test_links_between_documents_lead_somewhere() -> None:
    for document in [README, *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


@pytest.mark.parametrize("package", ["leadq", "features", "serving", "training"])
def test_every_module_has_its_place_in_the_architecture(package: str) -> None:
    architecture = (ROOT / "docs" / "architecture.md").read_text()
    places = architecture.partition("## Where things belong")[2].partition("## Decisions")[0]
    here = places.partition(f"| in `{package}/` |")[2].partition("| in `")[0]

    modules = {path.stem for path in (ROOT / package).glob("*.py")} - {"__init__", "__main__"}

    assert not {name for name in modules if f"`{name}`" not in here}
