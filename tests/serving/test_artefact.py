"""The artefact: written whole, read without trust."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from features.errors import ModelError
from serving.artefact import Artefact, digest, leads_of_records, read, write
from serving.registry import LoadedModel, load_champion


@pytest.fixture(scope="module")
def model(trained) -> LoadedModel:
    return load_champion(trained[0])


@pytest.fixture
def folder(model, tmp_path: Path) -> Path:
    write(model.artefact, tmp_path / "leadq")
    return tmp_path / "leadq"


def test_what_is_written_is_read_back_and_scores_the_same(model, folder: Path) -> None:
    again = read(folder)

    assert _golden(again) == _golden(model.artefact)


def _golden(artefact: Artefact) -> list[float]:
    leads = leads_of_records(list(artefact.golden), artefact.scorer, {})
    return artefact.scorer.probabilities(leads).tolist()


def test_writing_twice_gives_the_same_bytes(model, folder: Path, tmp_path: Path) -> None:
    again = write(model.artefact, tmp_path / "elsewhere")

    assert again == digest(folder) == model.digest


def test_a_changed_file_is_refused_by_its_digest(model, folder: Path) -> None:
    with (folder / "trees.txt").open("a") as file:
        file.write("\n")

    with pytest.raises(ModelError, match="not those that were registered"):
        read(folder, model.digest)


def test_a_model_that_scores_otherwise_is_refused_by_its_golden_rows(folder: Path) -> None:
    main = json.loads((folder / "artefact.json").read_text())
    main["offset"] += 0.001
    (folder / "artefact.json").write_text(json.dumps(main))

    with pytest.raises(ModelError, match="golden row 0 scores"):
        read(folder)


def test_an_artefact_of_a_newer_format_is_refused(folder: Path) -> None:
    main = json.loads((folder / "artefact.json").read_text())
    (folder / "artefact.json").write_text(json.dumps({**main, "format": 99}))

    with pytest.raises(ModelError, match="artefact format 99"):
        read(folder)


@pytest.mark.parametrize("name", ["artefact.json", "encoder.json", "trees.txt", "golden.json"])
@pytest.mark.parametrize("content", ["", "{}", "tree\nnonsense", "[1, 2]"])
def test_a_broken_file_is_a_clear_error(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content)

    with pytest.raises(ModelError):
        read(folder)


def test_a_missing_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is no readable model"):
        read(tmp_path / "nowhere")


def test_a_write_that_fails_leaves_the_old_artefact(model, folder: Path, monkeypatch) -> None:
    before = digest(folder)
    monkeypatch.setattr("serving.artefact.digest", _full_disk)

    with pytest.raises(OSError, match="no space"):
        write(model.artefact, folder)

    assert digest(folder) == before
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def _full_disk(folder: Path) -> str:
    raise OSError("no space left")


def test_the_artefact_is_text_and_json_alone(folder: Path) -> None:
    for path in folder.iterdir():
        assert path.suffix in (".json", ".txt")
        path.read_text(encoding="utf-8")


def test_the_cache_is_fetched_anew_when_its_copy_was_changed(trained) -> None:
    home = trained[0]
    copy = next(home.folder("models").iterdir())
    (copy / "encoder.json").write_text("[]")

    again = load_champion(home)

    assert digest(copy) == again.digest


def test_the_champion_survives_the_loss_of_the_cache(trained) -> None:
    home = trained[0]
    shutil.rmtree(home.folder("models"))

    assert load_champion(home).version == "1"
