"""The notebooks run from top to bottom on a home with real trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import leadq
from features.home import Home
from training.compare import compare

NOTEBOOK = Path(leadq.__file__).parent.parent / "notebooks" / "compare_experiments.ipynb"


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


@pytest.fixture(scope="module")
def outputs(three_runs: Home, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the cells show, kind of content to content, in the order of the notebook."""
    notebook = read(NOTEBOOK)
    folder = {"metadata": {"path": str(tmp_path_factory.mktemp("elsewhere"))}}
    client = NotebookClient(notebook, timeout=120, resources=folder)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("LEADQ_HOME", str(three_runs.root))
        patched.delenv("LEADQ_MLFLOW__URI", raising=False)
        client.execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output["data"] for output in shown if "data" in output]


def test_the_table_has_a_line_for_each_run(outputs: list[dict[str, Any]]) -> None:
    [table] = [shown["text/html"] for shown in outputs if "text/html" in shown]

    body = table.split("<tbody>")[1]
    assert body.count("<tr>") == 3
    assert all(name in body for name in ("plain", "trees", "again"))


def test_the_sentences_say_the_same_as_compare(
    outputs: list[dict[str, Any]], three_runs: Home
) -> None:
    text = "\n".join(shown["text/plain"] for shown in outputs)
    group = compare(three_runs)[0]

    assert f"best: version {group.best}" in text
    assert text.count("95 % interval ") == 2
    assert "3 runs kept what they said" in text


def test_intervals_gain_and_calibration_are_drawn(outputs: list[dict[str, Any]]) -> None:
    assert sum("image/png" in shown for shown in outputs) == 3


def test_a_notebook_is_kept_without_what_it_showed() -> None:
    cells = [cell for cell in read(NOTEBOOK).cells if cell.cell_type == "code"]

    assert cells
    assert not any(cell.outputs or cell.execution_count for cell in cells)
