"""From an export to a champion and scores, on the command line."""

from __future__ import annotations

import contextlib
import csv
import re
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import at_a_terminal, last_json, run


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


@pytest.fixture(scope="module")
def second(work: Path) -> subprocess.CompletedProcess[str]:
    """What a second training there said."""
    words = ("--name", "second", "--preset", "fast", "-o", "second.html", "--json")
    return run("train", "crm/export.csv", *words, cwd=work)


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


def test_train_tells_the_same_in_words_and_in_json(
    work: Path, second: subprocess.CompletedProcess[str]
) -> None:
    told = last_json(second)
    assert told["scored_by"] == "model"
    assert told["report"] == "second.html"
    assert "The report for both sides: second.html" in second.stdout
    assert "Lead quality: second" in (work / "second.html").read_text(encoding="utf-8")
    assert f"Version {told['version']} is challenger" in second.stdout
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


@pytest.mark.usefixtures("second")
def test_compare_shows_runs_and_promote_changes_the_champion(work: Path) -> None:
    before = last_json(run("compare", "--json", cwd=work))
    champion = [r["version"] for g in before["groups"] for r in g if r["is_champion"]]
    other = next(r["version"] for g in before["groups"] for r in g if r["version"] not in champion)

    run("promote", other, cwd=work)

    after = last_json(run("compare", "--json", cwd=work))
    assert [r["version"] for g in after["groups"] for r in g if r["is_champion"]] == [other]


def test_compare_tells_how_far_two_trainings_differ_with_intervals(
    work: Path, second: subprocess.CompletedProcess[str]
) -> None:
    other = str(last_json(second)["version"])
    done = run("compare", "1", other, "--top", "50", "--json", cwd=work)

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


def test_a_past_day_is_told_with_the_leads_that_are_scored_in_hindsight(work: Path) -> None:
    with (work / "crm" / "export.csv").open(newline="", encoding="utf-8") as file:
        days = sorted(row["created_at"][:10] for row in csv.DictReader(file))
    day = days[len(days) * 3 // 5]
    since = sum(other >= day for other in days)

    words = ("--recipe", "logistic", "--preset", "fast", "--json")
    done = run("train", "crm/export.csv", "--as-of", day, *words, cwd=work)

    assert last_json(done)["scored_in_hindsight"] == since
    told = f"{since:,} leads that came in from {day} on are scored in hindsight"
    assert told in " ".join(done.stdout.split())
    with contextlib.closing(sqlite3.connect(work / ".leadq" / "store.db")) as store:
        (kept,) = store.execute("SELECT COUNT(*) FROM hindsight_scores").fetchone()
    assert kept == since
