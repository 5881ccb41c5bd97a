"""`leadq nightly`: what is new is scored, the rest waits or is told, and nothing is touched."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner, Result

import leadq
from features.errors import BusyError, UsageError
from features.home import Home
from features.store.database import open_store
from features.store.hooks import add_hook
from features.store.tables import Delivery, Score
from leadq.common import now
from serving.journal import alone
from tests.serving.test_mail import Box, serving
from training.train import Training

OLD = 3600
"""Seconds."""


@dataclass
class Place:
    """Folders of one installation."""

    folder: Path
    agreement: Path

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.home / 'store.db'}"

    def put(self, name: str, text: str, age: float = OLD) -> Path:
        path = self.inbox / name
        path.write_text(text)
        moment = path.stat().st_mtime - age
        os.utime(path, (moment, moment))
        return path

    def night(self, *words: str) -> Result:
        given = [str(self.inbox), str(self.outbox), "-a", str(self.agreement), "--json", *words]
        return CliRunner().invoke(leadq.app, ["nightly", *given])

    def told(self, *words: str, code: int = 0) -> dict[str, object]:
        done = self.night(*words)
        assert done.exit_code == code, done.output
        found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
        return found

    def made(self) -> set[str]:
        return {path.name for path in self.outbox.iterdir()} - {"recycled.csv", "nightly.txt"}


@pytest.fixture
def place(
    trained: tuple[Home, Training], agreement_file: Path, tmp_path: Path, monkeypatch
) -> Iterator[Place]:
    shutil.copytree(trained[0].root, tmp_path / "home")
    (tmp_path / "inbox").mkdir()
    monkeypatch.setenv("LEADQ_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    return Place(tmp_path, agreement_file)


@pytest.fixture
def export(crm: Path) -> str:
    return (crm / "nightly.csv").read_text()


def half(export: str, which: int) -> str:
    header, *lines = export.splitlines(keepends=True)
    return "".join([header, *lines[which::2]])


def outcomes(told: dict[str, object]) -> dict[str, str]:
    return {f["name"]: f["outcome"] for f in told["files"]}  # type: ignore[attr-defined]


def test_what_is_new_is_scored_once_and_kept_in_the_store(place, export) -> None:
    first = place.put("monday.csv", half(export, 0))
    before = (first.read_bytes(), first.stat().st_mtime_ns)
    assert outcomes(place.told()) == {"monday.csv": "scored"}
    place.put("tuesday.csv", half(export, 1))

    told = place.told()

    assert outcomes(told) == {"tuesday.csv": "scored"}
    assert told["known"] == 1
    assert place.made() == {
        "monday.csv", "monday.csv.manifest.json", "tuesday.csv", "tuesday.csv.manifest.json",
    }  # fmt: skip
    assert (first.read_bytes(), first.stat().st_mtime_ns) == before
    store = open_store(place.url)
    with store.reading() as connection:
        kept = connection.execute(select(func.count()).select_from(Score)).scalar_one()
    store.close()
    assert kept == len(export.splitlines()) - 1


def test_the_same_leads_under_another_name_have_an_output_of_their_own(place, export) -> None:
    place.put("monday.csv", export)
    place.told()
    place.put("tuesday.csv", export)

    assert outcomes(place.told()) == {"tuesday.csv": "scored"}
    assert (place.outbox / "tuesday.csv").read_bytes() == (place.outbox / "monday.csv").read_bytes()


def test_contents_that_come_back_under_one_name_are_scored_again(place, export) -> None:
    for which in (0, 1, 0):
        place.put("tonight.csv", half(export, which))
        assert outcomes(place.told()) == {"tonight.csv": "scored"}

    assert (place.outbox / "tonight.csv").read_text().count("\n") == len(
        half(export, 0).splitlines()
    )


def test_an_output_that_is_gone_is_made_again(place, export) -> None:
    place.put("monday.csv", export)
    place.told()
    before = (place.outbox / "monday.csv").read_bytes()
    (place.outbox / "monday.csv").unlink()

    assert outcomes(place.told()) == {"monday.csv": "scored"}
    assert (place.outbox / "monday.csv").read_bytes() == before
    assert place.told()["known"] == 1


def test_a_file_that_has_not_rested_waits_and_is_said_so(place, export) -> None:
    place.put("young.csv", export, age=1)
    told = place.told()
    assert outcomes(told) == {"young.csv": "waits"}
    assert "of 60 that it must rest" in told["files"][0]["why"]

    assert outcomes(place.told("--settle", "0")) == {"young.csv": "scored"}


def test_one_bad_file_does_not_stop_the_others(place, export) -> None:
    place.put("a.csv", "<!doctype html><html>log in</html>")
    place.put("b.csv", export)
    place.put("c.xlsx", "PK\x03\x04")
    place.put("notes.txt", "of no interest")

    told = place.told(code=2)

    assert outcomes(told) == {"a.csv": "refused", "b.csv": "scored", "c.xlsx": "refused"}
    assert (place.outbox / "b.csv").exists()
    assert "a.csv: REFUSED" in (place.outbox / "nightly.txt").read_text()


def test_a_crippled_export_is_scored_and_ends_with_3(place, export) -> None:
    lines = [line.split(",")[:6] for line in export.splitlines()]
    place.put("half.csv", "\n".join(map(",".join, lines)) + "\n")

    told = place.told(code=3)

    assert outcomes(told) == {"half.csv": "scored"}
    assert told["files"][0]["alarming"]


def test_two_at_once_never_run(place, export) -> None:
    place.put("monday.csv", export)

    with alone(place.home / "nights"):
        done = place.night()

    assert isinstance(done.exception, BusyError)
    assert "is at this already" in str(done.exception)
    assert not place.outbox.exists()


def test_each_night_leaves_a_record_and_a_summary_for_people(place, export) -> None:
    place.put("monday.csv", export)

    told = place.told()

    (record,) = (place.home / "nights").glob("*.json")
    assert json.loads(record.read_text()) == told
    assert told["ended"]
    assert {step["name"] for step in told["steps"]} >= {"recycled", "retrain"}
    text = (place.outbox / "nightly.txt").read_text()
    assert "all went well; 80 leads scored" in text
    assert "monday.csv: 80 leads in monday.csv, 0 rows set aside" in text
    assert (place.outbox / "recycled.csv").read_text().startswith("id,campaign")


def test_nights_of_one_moment_leave_a_record_each(place, export, monkeypatch) -> None:
    moment = datetime(2028, 6, 5, 3)
    monkeypatch.setattr("leadq.nightly.now", lambda: moment)
    place.put("monday.csv", export)
    first, second = place.told("--settle", "0"), place.told("--settle", "0")

    records = sorted((place.home / "nights").glob("*.json"))
    assert [json.loads(record.read_text()) for record in records] == [first, second]
    assert (outcomes(first), second["known"]) == ({"monday.csv": "scored"}, 1)


def test_a_night_that_was_killed_is_taken_up_by_the_next(place, export, monkeypatch) -> None:
    place.put("a.csv", half(export, 0))
    place.put("b.csv", half(export, 1))

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("leadq.nightly._Work._recycled", die)
        place.night()
    assert outcomes(place.told()) == {}
    # Where the kill came between an output and the record, the output is found.
    for record in (place.home / "nights").glob("*.json"):
        record.unlink()
    assert outcomes(place.told()) == {"a.csv": "unchanged", "b.csv": "unchanged"}


def test_names_that_would_meet_in_the_outbox_stay_apart(place, export) -> None:
    place.put("a.csv", half(export, 0))
    place.put("a.tsv", half(export, 1))

    place.told("--kind", "parquet")

    assert {name for name in place.made() if not name.endswith(".json")} == {
        "a.csv.parquet", "a.tsv.parquet",
    }  # fmt: skip


def test_the_summary_goes_out_by_mail_without_what_a_bad_file_holds(
    place, export, monkeypatch
) -> None:
    place.put("a.csv", "Kim Doe;kim@example.com\nLi;li@example.com\n")
    box = Box()
    with serving(box) as port:
        for name, value in {
            "HOST": "127.0.0.1", "PORT": str(port), "TLS": "none",
            "SENDER": "leadq@example.com", "TO": "ops@example.com",
        }.items():  # fmt: skip
            monkeypatch.setenv(f"LEADQ_MAIL__{name}", value)
        told = place.told(code=2)

    text = box.came[0].content.decode()
    assert "a file was REFUSED" in text
    assert "a.csv: REFUSED: why stands in nightly.txt" in text
    assert "kim" not in text.lower()
    assert "kim" not in json.dumps(told).lower()
    assert "REFUSED: why" not in (place.outbox / "nightly.txt").read_text()
    assert {"name": "e-mail", "sentence": "sent by 127.0.0.1", "code": 0} in told["steps"]


def test_a_mail_that_cannot_be_sent_is_a_failure_and_all_else_is_done(
    place, export, monkeypatch
) -> None:
    place.put("monday.csv", export)
    monkeypatch.setenv("LEADQ_MAIL__HOST", "127.0.0.1")
    monkeypatch.setenv("LEADQ_MAIL__PORT", "1")
    monkeypatch.setenv("LEADQ_MAIL__SENDER", "leadq@example.com")
    monkeypatch.setenv("LEADQ_MAIL__TO", "ops@example.com")

    told = place.told(code=1)

    assert outcomes(told) == {"monday.csv": "scored"}
    assert told["ended"]


def test_a_hook_is_told_of_the_night_in_counts(place, export) -> None:
    place.put("monday.csv", export)
    store = open_store(place.url)
    store.write(lambda c: add_hook(c, "http://127.0.0.1:9/", ("night",), "A", "test", now()))

    place.told()

    with store.reading() as connection:
        (body,) = connection.execute(select(Delivery.body)).scalars()
    store.close()
    told = json.loads(body)
    assert told["type"] == "night.done"
    assert told["data"]["leads_scored"] == 80
    assert told["data"]["files"]["scored"] == 1


def test_an_inbox_that_is_not_there_is_told(place) -> None:
    shutil.rmtree(place.inbox)

    assert place.told(code=2)["steps"][0]["sentence"].endswith("No such file or directory")


def test_an_outbox_that_is_the_inbox_is_refused(place) -> None:
    done = CliRunner().invoke(leadq.app, ["nightly", str(place.inbox), str(place.inbox)])

    assert isinstance(done.exception, UsageError)
    assert "is the inbox itself" in str(done.exception)


def test_an_agreement_that_is_not_there_is_told_before_anything_is_done(place) -> None:
    done = CliRunner().invoke(
        leadq.app, ["nightly", str(place.inbox), str(place.outbox), "-a", "none.toml"]
    )

    assert isinstance(done.exception, UsageError)
