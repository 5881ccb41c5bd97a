"""A scoring that is cut off leaves the old output or the new one, and the next run goes on."""

from __future__ import annotations

import json
import resource
import sqlite3
from contextlib import closing
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

import features.table
from features.errors import BusyError, FileError, OutputError, UsageError
from serving import batch, journal
from serving.artefact import LoadedModel
from serving.batch import Choices, Kept, score_file
from serving.journal import Journal, alone
from serving.manifest import manifest_path
from training.registry import load_champion

MONDAY = datetime(2028, 6, 5)
KINDS = (".csv", ".parquet", ".jsonl")


@pytest.fixture(scope="module")
def model(trained) -> LoadedModel:
    return load_champion(trained[0])


@pytest.fixture
def source(crm: Path, tmp_path: Path, monkeypatch) -> Path:
    """Leads that are read in several chunks, with one row that is none."""
    monkeypatch.setattr(features.table, "CHUNK_ROWS", 20)
    path = tmp_path / "in" / "tonight.csv"
    path.parent.mkdir()
    path.write_text((crm / "nightly.csv").read_text() + "broken\n")
    return path


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file() or ".work" in path.name}


class Cut:
    """Keeps scores, and dies at the n-th chunk."""

    def __init__(self, at: int = 0) -> None:
        self.at = at
        self.told: list[tuple[list[str], datetime]] = []

    def __call__(self, leads, scores, moment) -> None:
        self.told.append((leads.ids, moment))
        if len(self.told) == self.at:
            raise KeyboardInterrupt


def cut_off(model: LoadedModel, source: Path, target: Path, at: int = 3) -> None:
    with pytest.raises(KeyboardInterrupt):
        score_file(model, source, target, 2, kept=Kept(MONDAY, Cut(at)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_goes_on_writes_what_an_undisturbed_one_writes(
    model, source, tmp_path, kind
) -> None:
    whole, target = tmp_path / f"whole{kind}", tmp_path / f"out{kind}"
    score_file(model, source, whole, 2)
    cut_off(model, source, target)
    assert not target.exists()

    score_file(model, source, target, 2, kept=Kept(MONDAY, Cut()))

    assert target.read_bytes() == whole.read_bytes()
    assert (tmp_path / "out.rejects.csv").read_bytes() == (
        tmp_path / "whole.rejects.csv"
    ).read_bytes()


def test_what_is_done_is_not_done_again_and_is_kept_as_of_the_first_run(
    model, source, tmp_path
) -> None:
    cut_off(model, source, tmp_path / "out.csv")
    again, tuesday = Cut(), datetime(2028, 6, 6)

    summary = score_file(model, source, tmp_path / "out.csv", 2, kept=Kept(tuesday, again))

    assert summary.manifest is not None
    assert summary.manifest.resumed == 40  # two chunks of twenty; the third was not written down
    assert {moment for _, moment in again.told} == {MONDAY}
    assert sum(len(ids) for ids, _ in again.told) == summary.scored - 40


def test_another_input_begins_afresh(model, source, tmp_path) -> None:
    cut_off(model, source, tmp_path / "out.csv")
    lines = source.read_text().splitlines(keepends=True)
    source.write_text("".join([lines[0], *lines[2:]]))

    summary = score_file(model, source, tmp_path / "out.csv", 2)

    assert summary.manifest is not None
    assert summary.manifest.resumed == 0
    assert summary.read == len(lines) - 2


@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_a_part_that_was_damaged_is_made_again(model, source, tmp_path, harm) -> None:
    score_file(model, source, tmp_path / "whole.csv", 2)
    cut_off(model, source, tmp_path / "out.csv", at=4)
    part = tmp_path / ".out.csv.work" / "part-000001"
    content = part.read_bytes()
    part.write_bytes(content[:-9] if harm == "cut" else content[:-9] + b"x" * 9)
    if harm == "remove":
        part.unlink()

    score_file(model, source, tmp_path / "out.csv", 2)

    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_line_of_the_journal_that_was_torn_does_not_count(model, source, tmp_path) -> None:
    cut_off(model, source, tmp_path / "out.csv", at=4)
    path = tmp_path / ".out.csv.work" / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-7])

    summary = score_file(model, source, tmp_path / "out.csv", 2)

    assert summary.manifest is not None
    assert summary.manifest.resumed == 40


def test_the_same_again_is_nothing_to_do_unless_forced(model, source, tmp_path) -> None:
    target, kept = tmp_path / "out.csv", Cut()
    first = score_file(model, source, target, 2)
    before = target.stat().st_ino

    again = score_file(model, source, target, 2, kept=Kept(MONDAY, kept))
    assert (again.unchanged, again.scored, kept.told) == (True, first.scored, [])
    assert target.stat().st_ino == before

    forced = score_file(model, source, target, 2, Choices(force=True))
    assert not forced.unchanged
    assert target.stat().st_ino != before


def test_an_output_that_was_changed_is_made_again(model, source, tmp_path) -> None:
    target = tmp_path / "out.csv"
    score_file(model, source, target, 2)
    content = target.read_bytes()
    target.write_bytes(content.replace(b"A", b"B", 1))

    assert not score_file(model, source, target, 2).unchanged
    assert target.read_bytes() == content


def test_other_reasons_are_another_output(model, source, tmp_path) -> None:
    score_file(model, source, tmp_path / "out.csv", 2)

    assert not score_file(model, source, tmp_path / "out.csv", 1).unchanged


def test_another_release_of_leadq_scores_again_and_goes_on_with_nothing_of_the_old_one(
    model, source, tmp_path, monkeypatch
) -> None:
    score_file(model, source, tmp_path / "out.csv", 2)
    cut_off(model, source, tmp_path / "cut.csv")
    monkeypatch.setattr(batch, "package_version", lambda _: "99.0")

    again = score_file(model, source, tmp_path / "out.csv", 2)
    resumed = score_file(model, source, tmp_path / "cut.csv", 2)

    assert not again.unchanged
    assert resumed.manifest is not None
    assert resumed.manifest.resumed == 0


def test_of_an_address_the_manifest_names_the_table_alone(model, crm, tmp_path) -> None:
    leads = pd.read_csv(crm / "nightly.csv", dtype=str)
    with closing(sqlite3.connect(tmp_path / "crm.db")) as connection:
        leads.to_sql("tonight", connection, index=False)
    address = f"sqlite:{tmp_path}/crm.db?table=tonight&order={leads.columns[0]}"

    summary = score_file(model, Path(address), tmp_path / "out.csv", 0)

    assert summary.manifest is not None
    assert summary.manifest.input == "tonight"


def test_the_manifest_says_what_the_output_was_made_of(model, source, tmp_path) -> None:
    target = tmp_path / "out.parquet"
    score_file(model, source, target, 2, kept=Kept(MONDAY, Cut()))

    told = json.loads(manifest_path(target).read_text())
    assert manifest_path(target).name == "out.parquet.manifest.json"
    assert told["job"]["input_digest"] == sha256(source.read_bytes()).hexdigest()
    assert told["job"]["input_bytes"] == source.stat().st_size
    assert told["job"]["model_digest"] == model.digest
    assert told["output_digest"] == sha256(target.read_bytes()).hexdigest()
    assert (told["read"], told["rejected"]) == (told["scored"] + 1, 1)
    assert told["begun"] == MONDAY.isoformat()
    assert min(told["seconds"], told["rows_per_second"], told["peak_memory_mb"]) > 0


@pytest.mark.parametrize("carried", [0, 1, 2])
def test_a_kill_between_the_renames_is_healed_by_the_next_run(
    model, source, tmp_path, monkeypatch, carried
) -> None:
    target, rename = tmp_path / "out.csv", Path.replace
    target.write_text("last night's")
    left = [carried]

    def killed(self: Path, place: Path) -> Path:
        if place.parent == tmp_path:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
        return rename(self, place)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        score_file(model, source, target, 2)
    assert (target.read_text() == "last night's") == (carried < 2)
    monkeypatch.undo()

    # Whatever is asked next: what was done is brought to its place.
    assert score_file(model, source, target, 2).unchanged
    assert files(tmp_path) == {"out.csv", "out.rejects.csv", "out.csv.manifest.json"}


def test_the_second_at_one_target_is_told(model, source, tmp_path) -> None:
    with (
        alone(tmp_path / ".out.csv.work"),
        pytest.raises(BusyError, match=r"process \d+ is at this already"),
    ):
        score_file(model, source, tmp_path / "out.csv", 2)


def test_a_folder_that_is_removed_under_the_job_is_told_and_harms_nothing(
    model, source, tmp_path
) -> None:
    target = tmp_path / "gone" / "out.csv"

    def remove(*_: object) -> None:
        for path in sorted(target.parent.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        target.parent.rmdir()

    with pytest.raises(OutputError, match="cannot be written"):
        score_file(model, source, target, 2, kept=Kept(MONDAY, remove))

    assert not target.parent.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_takes_no_more_leaves_the_old_output_and_the_next_run_goes_on(
    model, source, tmp_path, kind
) -> None:
    target, whole = tmp_path / f"out{kind}", tmp_path / f"whole{kind}"
    score_file(model, source, whole, 2)
    target.write_text("last night's")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (whole.stat().st_size * 2 // 3, before[1]))
    try:
        with pytest.raises(OutputError, match=r"cannot be written: .*; what is done is kept"):
            score_file(model, source, target, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert target.read_text() == "last night's"

    summary = score_file(model, source, target, 2)

    assert summary.manifest is not None
    assert summary.manifest.resumed > 0
    assert target.read_bytes() == whole.read_bytes()


def test_a_file_that_is_changed_while_it_is_read_is_no_output(model, source, tmp_path) -> None:
    def grow(*_: object) -> None:
        with source.open("a") as file:
            file.write("more\n")

    with pytest.raises(FileError, match="changed while it was read"):
        score_file(model, source, tmp_path / "out.csv", 2, kept=Kept(MONDAY, grow))

    assert files(tmp_path) == set()


def test_a_file_of_which_too_much_is_no_lead_stops_the_job(model, source, tmp_path) -> None:
    with source.open("a") as file:
        file.write("broken\n" * 50)

    with pytest.raises(FileError, match=r"rows are no leads, more than the 10% that may be"):
        score_file(model, source, tmp_path / "out.csv", 2)

    assert files(tmp_path) == set()
    assert score_file(model, source, tmp_path / "out.csv", 2, Choices(max_reject=0.5)).rejected


def test_columns_of_the_input_go_along_where_they_are_asked_for(model, source, tmp_path) -> None:
    score_file(model, source, tmp_path / "out.parquet", 0, Choices(columns=("campaign",)))
    score_file(model, source, tmp_path / "all.parquet", 0, Choices(columns=("all",)))

    names = pq.read_schema(tmp_path / "out.parquet").names
    assert names[-1] == "campaign"
    header = source.read_text().partition("\n")[0].split(",")
    assert set(header) <= set(pq.read_schema(tmp_path / "all.parquet").names)
    with pytest.raises(UsageError, match="--keep colour: not in"):
        score_file(model, source, tmp_path / "out.csv", 0, Choices(columns=("colour",)))


def test_row_groups_have_the_bounds_of_the_chunks(model, source, tmp_path) -> None:
    score_file(model, source, tmp_path / "out.parquet", 0)

    found = pq.read_metadata(tmp_path / "out.parquet")
    assert [found.row_group(i).num_rows for i in range(found.num_row_groups)] == [20] * 4


def test_a_journal_of_another_job_is_swept(tmp_path) -> None:
    with alone(tmp_path / "work"):
        first = Journal(tmp_path / "work", {"input": "a"}, {})
        first.add(b"part", 1, 0)
        (tmp_path / "work" / "part-000007").write_bytes(b"of nobody")
        assert len(Journal(tmp_path / "work", {"input": "a"}, {}).parts) == 1
        assert not (tmp_path / "work" / "part-000007").exists()

        assert Journal(tmp_path / "work", {"input": "b"}, {}).parts == []
        assert files(tmp_path / "work") == {"lock", "journal.jsonl"}


def test_the_chunks_come_in_order_and_few_are_held(model, source, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(batch, "cores", lambda: 4)
    score_file(model, source, tmp_path / "four.csv", 2)
    monkeypatch.setattr(batch, "cores", lambda: 1)
    score_file(model, source, tmp_path / "one.csv", 2)

    assert (tmp_path / "four.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
    assert not journal.has_parts(tmp_path / ".one.csv.work")
