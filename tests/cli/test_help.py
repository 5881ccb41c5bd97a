"""What the command line says of itself, and what it loads to say it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import features
import leadq
import serving
import training

ROOT = Path(leadq.__file__).parent.parent
COMMANDS = (
    "init",
    "check",
    "train",
    "compare",
    "promote",
    "rollback",
    "retrain",
    "sign",
    "handoff",
    "feedback",
    "spend",
    "campaigns",
    "score",
    "nightly",
    "serve",
    "simulate",
    "queue",
    "recycle",
    "why",
    "erase",
    "status",
    "report",
    "keys",
    "hooks",
)
WITHOUT_AGREEMENT = ("init", "why", "keys", "hooks")
"""Commands that make one, or need none."""


@pytest.mark.parametrize("package", [features, serving, training])
def test_the_packages_are_those_of_this_repository(package) -> None:
    assert Path(package.__file__).parent.parent == ROOT


def test_help_names_every_command() -> None:
    shown = CliRunner().invoke(leadq.app, ["--help"]).output

    assert all(command in shown for command in COMMANDS)
    assert set(COMMANDS) == set(get_command(leadq.app).commands)


def test_the_installed_command_is_the_same_program() -> None:
    (installed,) = entry_points(group="console_scripts", name="leadq")

    assert installed.load() is leadq.main


def test_no_room_and_no_library_of_a_command_is_loaded_before_it_runs() -> None:
    names = "import leadq, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", names], capture_output=True, text=True, check=True)

    loaded = done.stdout.split()
    assert not {"numpy", "pydantic", "mlflow", "sqlalchemy", "dateutil"} & set(loaded)
    of_the_rooms = [n for n in loaded if n.startswith(("features.", "serving", "training"))]
    assert of_the_rooms == ["features.errors"]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_has_an_example_and_names_the_agreement(command: str) -> None:
    shown = CliRunner().invoke(leadq.app, [command, "--help"]).output

    assert f"Example: leadq {command}" in " ".join(shown.split())
    assert ("--agreement" in shown) == (command not in WITHOUT_AGREEMENT)
