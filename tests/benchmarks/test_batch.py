"""The measurement of files scores real files, and fails when a way to score fails."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from benchmarks import batch_job
from benchmarks.batch import Bench, lay_down, write_rows
from benchmarks.usual import fit_usual


@pytest.fixture
def bench(trained, crm: Path, tmp_path: Path) -> Bench:
    folder, work = tmp_path / "model", tmp_path / "work"
    folder.mkdir()
    work.mkdir()
    (folder / "home").symlink_to(trained[0].root)
    (folder / "crm").symlink_to(crm)
    return Bench(folder, work)


def test_a_file_of_any_size_has_the_leads_of_an_export_under_new_ids(crm, tmp_path: Path) -> None:
    write_rows(crm / "export.csv", tmp_path / "many.csv", 9_000)

    header, *lines = (tmp_path / "many.csv").read_text("utf-8").splitlines()
    assert header == (crm / "export.csv").read_text("utf-8").splitlines()[0]
    assert len({line.split(",")[0] for line in lines}) == 9_000
    assert len({line.partition(",")[2] for line in lines}) == 4_000


def test_a_value_of_several_lines_stays_one(tmp_path: Path) -> None:
    (tmp_path / "export.csv").write_text('id,note\n1,"two\nlines"\n2,one\n')

    write_rows(tmp_path / "export.csv", tmp_path / "many.csv", 3)

    written = (tmp_path / "many.csv").read_text()
    assert written == 'id,note\nR0,"two\nlines"\nR1,one\nR2,"two\nlines"\n'


def test_an_export_that_ends_inside_of_quotes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "export.csv").write_text('id,note\n1,"two\n')

    with pytest.raises(ValueError, match="ends inside of quotes"):
        write_rows(tmp_path / "export.csv", tmp_path / "many.csv", 3)


def test_another_export_does_not_take_the_place_of_the_one_that_was_learned(
    tmp_path: Path,
) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("id,x\n1,a\n")
    second.write_text("id,x\n1,b\n")
    lay_down(first, tmp_path / "model")
    lay_down(first, tmp_path / "model")

    with pytest.raises(SystemExit, match="holds another export already"):
        lay_down(second, tmp_path / "model")
    assert (tmp_path / "model" / "crm" / "export.csv").read_text() == first.read_text()


def test_a_file_is_scored_and_the_share_of_the_model_is_told(bench: Bench) -> None:
    found = bench.run("leadq", "leadq", 500, 3)

    assert found["rows"] == 500
    assert 0 < found["model_cpu"] < found["cpu"]
    assert 0 < found["peak_gb"] < 2


def test_a_way_that_fails_is_told_with_its_last_words(bench: Bench) -> None:
    with pytest.raises(RuntimeError, match="usual"):
        bench.run("usual", "usual", 10, 0)


def test_where_a_model_has_no_trees_those_of_the_usual_pipeline_are_the_floor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads = pd.DataFrame({"id": range(400), "x": [str(i % 40) for i in range(400)]}, dtype=str)
    fit_usual(leads[["x"]], [int(i % 40 > 20) for i in range(400)], 62, tmp_path)
    leads.to_csv(tmp_path / "leads.csv", index=False)
    scorer = SimpleNamespace(blend=SimpleNamespace(members=()))
    model = SimpleNamespace(artefact=SimpleNamespace(scorer=scorer))
    monkeypatch.setattr(batch_job, "model_of", lambda folder: model)

    found = batch_job.by_floor(tmp_path, tmp_path / "leads.csv", tmp_path / "out.csv", 0)

    assert found["rows"] == 400
