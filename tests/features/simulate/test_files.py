import csv
from dataclasses import replace
from pathlib import Path

import pytest

from features.simulate import Crm, Settings, simulate, write

from .conftest import SETTINGS

SMALL = replace(SETTINGS, leads=300)


def written(settings: Settings, directory: Path) -> dict[str, bytes]:
    write(simulate(settings), directory)
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    assert written(SMALL, tmp_path / "a") == written(SMALL, tmp_path / "b")


def test_another_seed_gives_another_world(tmp_path: Path) -> None:
    here, there = written(SMALL, tmp_path / "a"), written(replace(SMALL, seed=4), tmp_path / "b")
    assert all(here[name] != there[name] for name in here)


def test_counts_are_the_rows_in_the_files(tmp_path: Path, crm: Crm) -> None:
    counts = write(crm, tmp_path)
    for name, count in counts.items():
        with (tmp_path / name).open(encoding="utf-8", newline="") as lines:
            assert sum(1 for _ in csv.DictReader(lines)) == count


def test_counts_add_up(tmp_path: Path, crm: Crm) -> None:
    counts = write(crm, tmp_path)
    assert counts["truth.csv"] == counts["export.csv"] + counts["nightly.csv"] == 8_000 + 160


def test_the_night_has_as_many_leads_as_asked_for() -> None:
    assert len(simulate(replace(SMALL, night=7)).nightly["id"]) == 7
    assert len(simulate(SMALL).nightly["id"]) == 20


def test_export_and_night_have_the_same_columns(crm: Crm) -> None:
    assert list(crm.export) == list(crm.nightly)


def test_ids_are_unique_and_rise(crm: Crm) -> None:
    ids = crm.export["id"] + crm.nightly["id"]
    assert ids == sorted(set(ids)) == crm.truth["id"]


def test_a_failed_write_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = written(SMALL, tmp_path)
    crm = simulate(replace(SMALL, seed=9))

    def refuse(beside: Path, goal: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        write(crm, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
