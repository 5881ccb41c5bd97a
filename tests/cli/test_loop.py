"""The commands of the loop between marketing and sales, on the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

import leadq
from features.errors import UsageError
from features.home import Home
from features.store.database import open_store
from features.store.deliveries import mark_failed, take
from features.store.hooks import add_hook, tell_promotion
from features.store.jobs import HeldError, lease
from leadq.common import now
from tests.cli.running import last_json, run
from training.train import Training


def test_calls_are_handed_over_by_one_process_at_a_time(
    trained: tuple[Home, Training],
    agreement_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    monkeypatch.setenv("LEADQ_HOME", str(trained[0].root))
    monkeypatch.setenv("LEADQ_STORE__URL", url)
    command = ["queue", "-a", str(agreement_file)]
    store = open_store(url)
    with lease(store, "queue", "somebody else", now), pytest.raises(HeldError, match="somebody"):
        CliRunner().invoke(leadq.app, [*command, "--hand-over"], catch_exceptions=False)
    store.close()
    assert CliRunner().invoke(leadq.app, [*command, "--hand-over"]).exit_code == 0


@pytest.mark.parametrize("command", ["queue", "recycle"])
def test_a_list_is_not_written_under_another_ending_than_its_own(
    command: str, tmp_path: Path, agreement_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADQ_HOME", str(tmp_path / "home"))
    words = [command, "-a", str(agreement_file), "-o", str(tmp_path / "list.xlsx")]
    with pytest.raises(UsageError, match=r"list\.xlsx: the output must end in \.csv"):
        CliRunner().invoke(leadq.app, words, catch_exceptions=False)
    assert not list(tmp_path.iterdir())


def test_erasing_says_what_it_cannot_reach(
    agreement_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADQ_HOME", str(tmp_path))
    (tmp_path / "handed.csv").write_text("id,at\nlead-1,2026-03-02\n")
    handed = ["handoff", str(tmp_path / "handed.csv"), "-a", str(agreement_file)]
    assert CliRunner().invoke(leadq.app, handed).exit_code == 0

    shown = CliRunner().invoke(leadq.app, ["erase", "lead-1"]).output
    assert "erased the data of 1 lead; the counts stay\nFiles outside the home" in shown


def test_erasing_what_has_expired_removes_old_rejects_too(
    agreement_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADQ_HOME", str(tmp_path))
    agreed = tmp_path / "agreement.toml"
    agreed.write_text(agreement_file.read_text() + "\n[retention]\nlead_days = 30\n")
    (tmp_path / "rejects").mkdir()
    for name, moment in (("old", 1e9), ("new", None)):
        path = tmp_path / "rejects" / f"{name}.rejects.csv"
        path.write_text("file,line,field,value,reason,id\n")
        os.utime(path, None if moment is None else (moment, moment))

    shown = CliRunner().invoke(leadq.app, ["erase", "--expired", "-a", str(agreed)]).output

    assert "removed 1 file of rows set aside over 30 days ago" in shown
    assert [path.name for path in (tmp_path / "rejects").iterdir()] == ["new.rejects.csv"]


def test_why_tells_of_words_that_wait_for_a_lead(
    agreement_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADQ_HOME", str(tmp_path / "home"))
    (tmp_path / "said.csv").write_text("id,at,code\nlead-1,2026-03-02,lost\n")
    said = ["feedback", str(tmp_path / "said.csv"), "-a", str(agreement_file)]
    assert CliRunner().invoke(leadq.app, said).exit_code == 0

    with pytest.raises(UsageError, match=r"waiting until it is handed over: 1 word of sales$"):
        CliRunner().invoke(leadq.app, ["why", "lead-1"], catch_exceptions=False)
    with pytest.raises(UsageError, match=r"score it first$"):
        CliRunner().invoke(leadq.app, ["why", "lead-2"], catch_exceptions=False)


def test_a_key_is_the_one_line_on_stdout_and_never_listed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADQ_SECRET", "s" * 32)
    made = run("keys", "new", "--name", "CRM", "--scope", "score,feedback", cwd=tmp_path)
    (key,) = made.stdout.split()
    listed = last_json(run("keys", "list", "--json", cwd=tmp_path))
    (found,) = listed["keys"]  # type: ignore[misc]
    assert found["prefix"] == key[:14]
    assert (found["name"], found["scopes"], found["state"]) == (
        "CRM",
        ["score", "feedback"],
        "live",
    )
    assert key[14:] not in json.dumps(listed) + made.stderr


def test_a_key_is_rotated_and_revoked_by_its_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADQ_SECRET", "s" * 32)
    words = ("--scope", "admin", "--expires", "2999-01-01", "--json")
    old = last_json(run("keys", "new", "--name", "CRM", *words, cwd=tmp_path))["prefix"]
    new = last_json(run("keys", "rotate", str(old), "--grace", "0h", "--json", cwd=tmp_path))
    assert "is revoked now" in run("keys", "revoke", str(new["prefix"]), cwd=tmp_path).stdout
    lines = run("keys", "list", cwd=tmp_path).stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["expired", "revoked"]


def test_a_key_needs_a_secret_a_scope_and_a_grace_that_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = ("keys", "new", "--name", "CRM", "--scope")
    monkeypatch.delenv("LEADQ_SECRET", raising=False)
    assert "openssl rand -hex 32" in run(*new, "score", cwd=tmp_path, code=2).stderr
    monkeypatch.setenv("LEADQ_SECRET", "s" * 32)
    assert "write: no scope of a key" in run(*new, "write", cwd=tmp_path, code=2).stderr
    rotate = ("keys", "rotate", "leadq_00000000", "--grace")
    assert "such as 30m, 24h or 7d" in run(*rotate, "soon", cwd=tmp_path, code=2).stderr
    assert "there is no such key" in run(*rotate, "7d", cwd=tmp_path, code=2).stderr


def test_a_hook_is_made_listed_and_removed_and_its_secret_is_shown_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADQ_SECRET", "s" * 32)
    url = "http://127.0.0.1:9/leadq"
    made = run("hooks", "add", url, "--on", "promotion,score", "--grades", "a", cwd=tmp_path)
    (secret,) = made.stdout.split()
    assert secret.startswith("whsec_")
    listed = run("hooks", "list", "--json", cwd=tmp_path)
    (found,) = last_json(listed)["hooks"]  # type: ignore[misc]
    assert (found["url"], found["on"], found["grades"]) == (url, ["score", "promotion"], "A")
    assert secret not in listed.stdout + made.stderr
    assert "hook 1 is removed now" in run("hooks", "remove", "1", cwd=tmp_path).stdout
    assert "there is no hook yet" in run("hooks", "list", cwd=tmp_path).stdout


def test_a_hook_that_may_not_be_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADQ_SECRET", "s" * 32)
    for url, why in (
        ("http://169.254.169.254/latest", "over https alone"),
        ("https://169.254.169.254/latest", "link-local or metadata"),
        ("https://10.0.0.1/", "LEADQ_HOOKS__PRIVATE=true allows it"),
    ):
        assert why in run("hooks", "add", url, "--on", "score", cwd=tmp_path, code=2).stderr
    words = ("hooks", "add", "http://localhost/", "--on")
    assert "won: no event" in run(*words, "won", cwd=tmp_path, code=2).stderr
    assert "there is no such hook" in run("hooks", "remove", "3", cwd=tmp_path, code=2).stderr


def test_dead_letters_are_listed_and_put_back(tmp_path: Path) -> None:
    home = tmp_path / ".leadq"
    home.mkdir()
    store = open_store(f"sqlite:///{home / 'store.db'}")
    store.write(lambda c: add_hook(c, "http://localhost/", ("promotion",), "A", "kim", now()))
    store.write(lambda c: tell_promotion(c, "7", "digest", None, now()))
    letter = store.write(lambda c: take(c, 1, now()))
    assert letter is not None
    store.write(lambda c: mark_failed(c, letter, "the receiver answered 500", None))
    store.close()
    assert "tries 1, the receiver answered 500" in run("hooks", "dead", cwd=tmp_path).stdout
    told = last_json(run("hooks", "dead", "--retry", "--json", cwd=tmp_path))
    assert (told["retried"], told["dead"][0]["hook"]) == (1, 1)  # type: ignore[index]
    assert "no message was given up" in run("hooks", "dead", cwd=tmp_path).stdout


def test_feedback_lists_what_waits_as_text_csv_and_json(
    agreement_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADQ_HOME", str(tmp_path / "home"))
    (tmp_path / "said.csv").write_text("id,at,code\nlead-1,2026-03-02,lost\n")
    said = ["feedback", str(tmp_path / "said.csv"), "-a", str(agreement_file)]
    assert CliRunner().invoke(leadq.app, said).exit_code == 0

    listed = ["feedback", "--waiting", "--json", "-o", str(tmp_path / "waiting.csv")]
    shown = CliRunner().invoke(leadq.app, listed).stdout

    assert "  lead-1  2026-03-02 00:00  lost, received 2" in shown
    assert json.loads(shown.splitlines()[-1])["waiting"][0]["waits_for"] == "its lead"
    table = (tmp_path / "waiting.csv").read_text().splitlines()
    assert table[0] == "id,code,at,received,waits_for"
    assert table[1].startswith("lead-1,lost,2026-03-02T00:00:00,2")
    with pytest.raises(UsageError, match="name one file of feedback, or say --waiting"):
        CliRunner().invoke(leadq.app, ["feedback"], catch_exceptions=False)


def test_spend_comes_in_by_a_file_and_is_accounted_for(
    tmp_path: Path, agreement_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADQ_HOME", str(tmp_path / "home"))
    file = tmp_path / "spend.csv"
    file.write_text("campaign,date,amount\nFair,2026-03-02,10\nFair,2026-03-03,much\n")
    command = ["spend", str(file), "-a", str(agreement_file), "--json"]

    told = CliRunner().invoke(leadq.app, command, catch_exceptions=False).stdout
    found = json.loads(told.splitlines()[-1])
    aside = Path(found["rejects"]).read_text()
    file.write_text("campaign,date,amount\nFair,2026-03-02,12\n")
    again = CliRunner().invoke(leadq.app, command, catch_exceptions=False).stdout

    assert (found["stored"], found["refused"]) == (1, 1)
    assert "much" in aside
    assert "1 replaced another amount" in again
