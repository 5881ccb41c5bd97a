"""The command line as its users meet it: real processes, exit codes, one line of JSON."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import pty
import re
import socket
import sqlite3
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
from features.errors import StoreError, UsageError
from features.home import Home
from features.store.database import open_store
from features.store.deliveries import mark_failed, take
from features.store.hooks import add_hook, tell_promotion
from features.store.jobs import HeldError, lease
from leadq.common import need_loopback, now
from training.train import Training

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


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a user has simulated, agreed and trained."""
    folder = tmp_path_factory.mktemp("work")
    clear = ("--set", "signal=0.9", "--set", "win_rate=0.3", "--set", "drift=0")
    run("simulate", "-o", "crm", "--leads", "2500", "--seed", "11", *clear, cwd=folder)
    run("init", "crm/export.csv", "--yes", cwd=folder)
    words = ("--recipe", "logistic", "--preset", "fast", "--name", "plain")
    run("train", "crm/export.csv", *words, cwd=folder)
    return folder


def test_init_keeps_an_agreement_unless_forced(work: Path) -> None:
    before = (work / "agreement.toml").read_text()

    refused = run("init", "crm/export.csv", "--yes", cwd=work, code=2)

    assert "overwrite it with --force" in refused.stderr
    assert (work / "agreement.toml").read_text() == before


def test_init_takes_what_it_is_told(work: Path) -> None:
    done = run(
        "init", "crm/export.csv", "-o", "told.toml", "--yes", "--json", "--include", "call_minutes",
        "--exclude", "country", "--closed", "closed_at", cwd=work,
    )  # fmt: skip

    text = (work / "told.toml").read_text()
    assert '"call_minutes" = { use = "yes"' in text
    assert '"country" = { use = "no"' in text
    assert "call_minutes" not in last_json(done)["undecided"]


def test_init_writes_what_it_was_told_of_the_file_into_the_agreement(
    work: Path, tmp_path: Path
) -> None:
    export = (work / "crm" / "export.csv").read_text().replace(",", "\t")
    (tmp_path / "tabs.csv").write_text(export, encoding="cp1252", errors="replace")

    words = ("--yes", "--delimiter", r"\t", "--encoding", "cp1252")
    run("init", "tabs.csv", *words, cwd=tmp_path)

    text = (tmp_path / "agreement.toml").read_text()
    assert 'delimiter = "\\t"\nencoding = "cp1252"\n' in text


def test_an_encoding_that_is_none_is_refused_with_the_cure(work: Path) -> None:
    words = ("-o", "none.toml", "--yes", "--encoding", "klingon")
    refused = run("init", "crm/export.csv", *words, cwd=work, code=2)

    assert "encoding: is no text encoding; say one such as utf-8" in refused.stderr


def test_a_question_is_asked_only_at_a_terminal(work: Path) -> None:
    done = run("init", "crm/export.csv", "-o", "asked.toml", cwd=work)

    assert "[y]es" not in done.stdout + done.stderr


def test_at_a_terminal_a_human_decides(work: Path) -> None:
    screen = at_a_terminal(
        ["init", "crm/export.csv", "-o", "decided.toml", "--force"], ["y", "n"], work
    )

    text = (work / "decided.toml").read_text()
    assert "[y]es" in screen
    assert '"lead_rating" = { use = "yes"' in text
    assert '"contract_until" = { use = "no"' in text


def test_at_a_terminal_a_human_says_what_an_outcome_means(work: Path) -> None:
    export = (work / "crm" / "export.csv").read_text().replace("Closed Won", "Grüner Haken")
    (work / "odd.csv").write_text(export.replace("Disqualified", "X17"))

    at_a_terminal(
        ["init", "odd.csv", "-o", "odd.toml", "--outcome", "status", "--won", "Grüner Haken"],
        ["unqualified"],
        work,
    )

    text = (work / "odd.toml").read_text()
    assert 'won = ["Grüner Haken"]' in text
    assert 'unqualified = ["X17"]' in text
    assert '"lead_rating" = { use = "decide"' in text


def test_train_tells_the_same_in_words_and_in_json(work: Path) -> None:
    words = ("--name", "second", "--preset", "fast", "-o", "second.html", "--json")
    done = run("train", "crm/export.csv", *words, cwd=work)

    told = last_json(done)
    assert told["scored_by"] == "model"
    assert told["report"] == "second.html"
    assert "The report for both sides: second.html" in done.stdout
    assert "Lead quality: second" in (work / "second.html").read_text(encoding="utf-8")
    assert f"Version {told['version']} is challenger" in done.stdout
    assert {found["field"] for found in told["left_out"]} >= {"tag", "call_minutes"}
    assert told["rows"]["read"] == told["rows"]["labelled"] + sum(
        told["rows"]["unlabelled"].values()
    )


def test_without_a_name_the_report_lies_in_the_home(work: Path) -> None:
    assert (work / ".leadq" / "reports" / "version-1.html").is_file()


def test_check_writes_the_leak_report_where_it_is_told(work: Path) -> None:
    done = run("check", "crm/export.csv", "-o", "leaks.html", cwd=work)

    assert "wrote leaks.html" in done.stdout
    assert "close_reason" in (work / "leaks.html").read_text(encoding="utf-8")


def test_preset_best_tries_as_often_as_it_is_told_and_says_so(work: Path) -> None:
    lines = (work / "crm" / "export.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (work / "few.csv").write_text("".join(lines[:700]), encoding="utf-8")

    words = ("--preset", "best", "--trials", "1", "--recipe", "logistic")
    done = run("train", "few.csv", *words, cwd=work)

    assert re.search(r"  tried +1 set of parameters tried; log loss .* with it: ", done.stdout)


def test_compare_shows_runs_and_promote_changes_the_champion(work: Path) -> None:
    before = last_json(run("compare", "--json", cwd=work))
    champion = [r["version"] for g in before["groups"] for r in g if r["is_champion"]]
    other = next(r["version"] for g in before["groups"] for r in g if r["version"] not in champion)

    run("promote", other, cwd=work)

    after = last_json(run("compare", "--json", cwd=work))
    assert [r["version"] for g in after["groups"] for r in g if r["is_champion"]] == [other]


def test_compare_tells_how_far_two_trainings_differ_with_intervals(work: Path) -> None:
    done = run("compare", "1", "2", "--top", "50", "--json", cwd=work)

    pairs = last_json(done)["pairs"]
    assert {pair["measure"] for pair in pairs} == {"wins_in_top", "log_loss", "roc_auc"}
    assert all(pair["low"] <= pair["difference"] <= pair["high"] for pair in pairs)
    assert "95 % intervals from" in done.stdout


def test_promoting_what_is_not_there_names_what_is(work: Path) -> None:
    refused = run("promote", "99", cwd=work, code=2)

    assert "no version '99' of the model; there are: 1" in refused.stderr


def test_score_writes_a_file_and_its_account(work: Path) -> None:
    done = run("score", "crm/nightly.csv", "-o", "scored.csv", "--json", cwd=work)

    told = last_json(done)
    with (work / "scored.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == told["scored"] == told["read"]
    assert all(
        float(r["probability_low"]) <= float(r["probability"]) <= float(r["probability_high"])
        for r in rows
    )


def test_score_says_by_its_exit_code_that_somebody_must_look(work: Path, tmp_path: Path) -> None:
    lines = (work / "crm/nightly.csv").read_text().splitlines()
    (tmp_path / "half.csv").write_text("".join(",".join(x.split(",")[:6]) + "\n" for x in lines))

    done = run("score", tmp_path / "half.csv", "-o", tmp_path / "o.csv", cwd=work, code=3)
    stopped = run(
        *("score", "crm/nightly.csv", "-o", tmp_path / "p.csv", "--max-reject", "2"),
        cwd=work,
        code=2,
    )

    assert "WARNING: " in done.stdout
    assert (tmp_path / "o.csv.manifest.json").exists()
    assert "--max-reject 2: is no share; say one such as 1% or 0.01" in stopped.stderr


def test_score_brings_scores_into_a_table(work: Path, tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "crm.db").close()
    table = f"sqlite:{tmp_path}/crm.db?table=scored"

    done = run("score", "crm/nightly.csv", "-o", table, "--json", cwd=work)
    run("score", "crm/nightly.csv", "-o", table, cwd=work)

    with contextlib.closing(sqlite3.connect(tmp_path / "crm.db")) as database:
        (rows,) = database.execute("SELECT count(*) FROM scored").fetchone()
    assert rows == last_json(done)["scored"]
    assert not list((work / ".leadq" / "rejects").glob("*.parquet"))


def test_check_prints_a_verdict_for_every_field(work: Path) -> None:
    fields = last_json(run("check", "crm/export.csv", "--json", cwd=work))["fields"]

    verdicts = {name: field["verdict"] for name, field in fields.items()}
    assert verdicts["close_reason"] == "blocked"
    assert verdicts["industry"] == "fine"
    assert set(verdicts.values()) <= {"blocked", "suspect", "fine", "cannot_tell"}


def test_leads_are_scored_without_mlflow(work: Path, tmp_path: Path) -> None:
    home = work / ".leadq"
    away = [(home / name, tmp_path / name) for name in ("mlflow.db", "artefacts")]
    for path, elsewhere in away:
        path.rename(elsewhere)
    try:
        done = run(
            "score", "crm/nightly.csv", "-o", tmp_path / "scored.csv", cwd=work, imports=True
        )
    finally:
        for path, elsewhere in away:
            elsewhere.rename(path)

    assert (tmp_path / "scored.csv").exists()
    assert "serving.published" in done.stderr
    assert "mlflow" not in done.stderr


def test_two_homes_never_meet(work: Path, tmp_path: Path) -> None:
    refused = run("score", work / "crm/nightly.csv", "-o", "scored.csv", cwd=tmp_path, code=2)

    assert "no model is champion" in refused.stderr
    assert not (tmp_path / "scored.csv").exists()


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
