"""Wrong input on the command line: one clear line, and an exit code."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

import leadq
from features.errors import StoreError, UsageError
from leadq.common import need_loopback
from tests.cli.running import run


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "the file is empty"),
        ("bomb.csv", b"PK\x03\x04" + b"\0" * 100, "is a zip archive"),
        ("noise.csv", bytes(range(256)) * 10, "not a table"),
        ("one.csv", b"just text\nmore text\n", "only one column"),
        ("other.csv", b"colour,shape\nred,round\n", "no column looks like the outcome"),
    ],
)
def test_a_wrong_file_is_one_clear_line_and_exit_code_2(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)

    refused = run("init", name, "--yes", cwd=tmp_path, code=2)

    assert message in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_missing_file_and_a_missing_agreement_say_so(tmp_path: Path) -> None:
    assert "no such file" in run("init", "none.csv", "--yes", cwd=tmp_path, code=2).stderr
    assert "leadq init" in run("train", "none.csv", cwd=tmp_path, code=2).stderr


def test_a_wrong_setting_of_the_simulation_names_key_and_range(tmp_path: Path) -> None:
    refused = run("simulate", "-o", "crm", "--set", "drift=7", cwd=tmp_path, code=2)

    assert "drift" in refused.stderr


def test_a_port_that_is_taken_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        refused = run("serve", "--port", port, cwd=tmp_path, code=2)

    assert f"cannot listen on 127.0.0.1:{port}" in refused.stderr


def test_without_keys_only_this_machine_is_served(tmp_path: Path) -> None:
    refused = run("serve", "--no-keys", "--host", "0.0.0.0", cwd=tmp_path, code=2)
    assert "0.0.0.0 may be reached from other machines" in refused.stderr


@pytest.mark.parametrize("host", ["::", "192.168.0.7", "leads.example.com", ""])
def test_an_address_that_others_may_reach_is_refused_without_keys(host: str) -> None:
    with pytest.raises(UsageError, match="may be reached from other machines"):
        need_loopback(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_an_address_of_this_machine_may_be_served_without_keys(host: str) -> None:
    need_loopback(host)


def test_without_a_secret_serve_says_how_to_make_one_and_how_to_try_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEADQ_SECRET", raising=False)
    refused = run("serve", "--port", "0", cwd=tmp_path, code=2)
    assert "export LEADQ_SECRET=$(openssl rand -hex 32)" in refused.stderr
    assert "leadq serve --no-keys" in refused.stderr


def test_an_unknown_option_is_bad_usage(tmp_path: Path) -> None:
    assert "--colour" in run("train", "x.csv", "--colour", cwd=tmp_path, code=2).stderr


@pytest.mark.parametrize("command", [["train", "none.csv"], ["score", "none.csv", "-o", "x.csv"]])
def test_a_store_that_cannot_be_reached_is_told_before_anything_else(
    command: list[str], tmp_path: Path, agreement_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADQ_HOME", str(tmp_path))
    monkeypatch.setenv("LEADQ_STORE__URL", f"postgresql:///none?host={tmp_path}")
    with pytest.raises(StoreError, match="look at LEADQ_STORE__URL"):
        CliRunner().invoke(leadq.app, [*command, "-a", str(agreement_file)], catch_exceptions=False)
