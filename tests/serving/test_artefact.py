"""The artefact: written whole, read without trust."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from features.errors import ModelError
from features.leads import Faults, Leads
from serving.artefact import (
    Artefact,
    Files,
    LoadedModel,
    digest,
    files_in,
    leads_of_records,
    read,
    read_files,
    write,
)
from serving.members import Additive, Trees
from serving.replies import score_records
from serving.scorer import Blend, sigmoid
from serving.spread import Spread
from tests.training.firms import agreed, use
from training.fit import FAST, fit
from training.golden import golden_rows, reference

ROOT = Path(__file__).parents[2]


def make(seed: int = 0) -> Artefact:
    """A small model, trained anew each time."""
    random = np.random.default_rng(7)
    size, source = random.normal(size=400), random.choice(["Google", "Partner", "Fair"], 400)
    labels = (random.random(400) < 1 / (1 + np.exp(1 - size - (source == "Fair")))).astype(np.int8)
    columns = {"size": size.tolist(), "source": source.tolist()}
    leads = Leads([str(i) for i in range(400)], columns, [None] * 400)
    agreement = agreed({"source": "source"})
    fields = {"size": use("number"), "source": use()}
    fitted = fit(leads, labels, np.ones(400), agreement, fields, seed=seed, effort=FAST)
    encoder = fitted.scorer.encoder
    matrix = encoder.encode(leads)
    golden = golden_rows(encoder, matrix, agreement)
    return Artefact(fitted.scorer, dict(fitted.parameters), reference(encoder, matrix), golden)


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    return make()


@pytest.fixture
def folder(artefact, tmp_path: Path) -> Path:
    write(artefact, tmp_path / "leadq")
    return tmp_path / "leadq"


def test_what_is_written_is_read_back_and_scores_the_same(artefact, folder: Path) -> None:
    again = read(folder)

    assert _golden(again) == _golden(artefact)


def test_what_sums_may_be_off_by_is_kept_and_counts_in_the_digest(artefact, tmp_path) -> None:
    plain = write(artefact, tmp_path / "plain")
    doubting = replace(artefact, scorer=replace(artefact.scorer, spread=Spread(0.25, 0.5)))

    digest_of_both = write(doubting, tmp_path / "doubting")

    assert read(tmp_path / "doubting", digest_of_both).scorer.spread == Spread(0.25, 0.5)
    assert read(tmp_path / "plain", plain).scorer.spread is None
    assert digest_of_both != plain


def test_both_kinds_of_members_are_read_back(folder: Path) -> None:
    assert [type(member) for member in read(folder).scorer.blend.members] == [Additive, Trees]


@pytest.mark.parametrize("kept", [0, 1])
def test_one_kind_of_members_is_enough(artefact, tmp_path: Path, kept: int) -> None:
    blend = Blend((artefact.scorer.blend.members[kept],), artefact.scorer.blend.offset)
    alone = replace(artefact, scorer=replace(artefact.scorer, blend=blend))
    write(alone, tmp_path / "leadq")

    assert _golden(read(tmp_path / "leadq")) == _golden(alone)


def test_a_model_that_learned_nothing_is_read_back_too(artefact, tmp_path: Path) -> None:
    nothing = replace(artefact, scorer=replace(artefact.scorer, blend=Blend((), -1.5)))
    write(nothing, tmp_path / "leadq")

    assert set(_golden(read(tmp_path / "leadq"))) == {sigmoid(-1.5)}


def test_a_record_whose_id_is_a_list_is_no_lead(artefact) -> None:
    name = artefact.scorer.agreement.columns.id
    faults: Faults = {}
    leads_of_records([{name: ["a", "b"]}, {name: "a"}, {name: ("a",)}], artefact.scorer, faults)
    assert {i: fault.field for i, fault in faults.items()} == {0: name, 2: name}
    assert "the id is a list" in faults[0].reason


def _golden(artefact: Artefact) -> list[float]:
    leads = leads_of_records(list(artefact.golden), artefact.scorer, {})
    return artefact.scorer.probabilities(leads).tolist()


def test_writing_twice_gives_the_same_bytes(artefact, folder: Path, tmp_path: Path) -> None:
    again = write(artefact, tmp_path / "elsewhere")

    assert again == digest(files_in(folder))


def test_training_twice_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write(make(), tmp_path / "elsewhere" / "other")

    again = tmp_path / "elsewhere" / "other"
    assert _bytes(again) == _bytes(folder)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_another_process_in_another_folder_gives_the_same_bytes(
    folder: Path, tmp_path: Path
) -> None:
    here = tmp_path / "another"
    here.mkdir()
    code = (
        "import pathlib; from tests.serving.test_artefact import make, write; "
        "print(write(make(), pathlib.Path('leadq')))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "77"}

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=here, env=environment, check=True, capture_output=True
    )

    assert done.stdout.decode().strip() == digest(files_in(folder))


def test_another_seed_gives_another_model(folder: Path, tmp_path: Path) -> None:
    assert write(make(seed=1), tmp_path / "other") != digest(files_in(folder))


def test_a_changed_file_is_refused_by_its_digest(folder: Path) -> None:
    registered = digest(files_in(folder))
    with (folder / "trees.txt").open("a") as file:
        file.write("\n")

    with pytest.raises(ModelError, match="not those that were registered"):
        read(folder, registered)


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


def test_a_write_that_fails_leaves_the_old_artefact(artefact, folder: Path, monkeypatch) -> None:
    before = digest(files_in(folder))
    monkeypatch.setattr("serving.artefact.digest", _full_disk)

    with pytest.raises(OSError, match="no space"):
        write(artefact, folder)

    assert digest(files_in(folder)) == before
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def _full_disk(files: Files) -> str:
    raise OSError("no space left")


def test_the_artefact_is_text_and_json_alone(folder: Path) -> None:
    for path in folder.iterdir():
        assert path.suffix in (".json", ".txt")
        path.read_text(encoding="utf-8")


def damaged(content: bytes, random: Random) -> bytes:
    """A file as a bad disk, a cut wire or a careless hand leaves it."""
    at = random.randrange(len(content))
    number = random.choice([b"-1", b"0", b"1e308", b"NaN", b"null", b'"x"', b"[]", b"2147483648"])
    digits = next((i for i in range(at, len(content)) if content[i : i + 1].isdigit()), at)
    return random.choice(
        [
            content[:at],
            content[:at] + content[at + random.randrange(1, 30) :],
            content[:at] + bytes([random.randrange(256)]) + content[at + 1 :],
            content[:digits] + number + content[digits + 1 :],
            content[:at] + b"[" * 5000 + content[at:],
            content[:at] + random.choice([b"]", b"}", b",", b'"', b"\\ud800"]) + content[at:],
        ]
    )


@pytest.mark.parametrize(
    "name",
    [
        "additive.json",
        "artefact.json",
        "encoder.json",
        "golden.json",
        "reference.json",
        "trees.txt",
    ],
)
def test_whatever_is_damaged_the_model_is_refused_or_scores(folder: Path, name: str) -> None:
    files, random, refusals = dict(files_in(folder)), Random(name), []
    whole = files[name]
    for _ in range(40):
        files[name] = damaged(whole, random)
        try:
            score_records(LoadedModel("1", "", read_files(files, "here")), [{"id": "a"}], 5)
        except ModelError as error:
            refusals.append(str(error))
    assert refusals
    assert max(map(len, refusals)) < 400
