"""One way to score a file, in a process of its own; the last line tells what it took.

    python -m benchmarks.batch_job {leadq,usual,floor} FOLDER SOURCE TARGET REASONS

FOLDER is one of `benchmarks.serving.prepare`. What is imported and loaded beforehand is not timed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from serving.artefact import Artefact, LoadedModel, read
from serving.members import Trees
from serving.pace import peak_memory_mb
from serving.scorer import Blend
from serving.timing import Timing
from serving.value import ValueModel

TOP = 5
"""Reasons that the usual pipeline writes."""
_MODEL = (
    (Blend, "log_odds"),
    (Blend, "explained"),
    (ValueModel, "expected"),
    (Timing, "expected_days"),
)
"""What evaluates the model."""


def model_of(folder: Path) -> LoadedModel:
    """Return the trained model."""
    (made,) = folder.glob("home/artefacts/models/m-*/artifacts")
    return LoadedModel("1", "0" * 64, read(made / "artifacts" / "leadq"))


def by_leadq(folder: Path, source: Path, target: Path, reasons: int) -> dict[str, float]:
    """Score with leadq; tell also the time of the processor within the model."""
    import pandas  # noqa: F401 - Arrow imports it at its first array

    from serving.batch import Choices, score_file

    # In memory that the processes share which the job starts.
    model, within = model_of(folder), multiprocessing.Value("d")
    for kind, name in _MODEL:
        setattr(kind, name, _timed(getattr(kind, name), within))
    started, before = time.perf_counter(), _processor_time()
    done = score_file(model, source, target, reasons, Choices(force=True))
    assert done.manifest is not None
    return {
        "rows": done.scored,
        "seconds": time.perf_counter() - started,
        "cpu": _processor_time() - before,
        "model_cpu": within.value,
        "peak_gb": _gb(done.manifest.peak_memory_mb),
    }


def _processor_time() -> float:
    """Return the seconds of this process and of those that it has waited for."""
    return sum(os.times()[:4])


def _timed(function: Callable[..., Any], within: Any) -> Callable[..., Any]:
    def timed(*args: Any) -> Any:
        started = time.thread_time()
        try:
            return function(*args)
        finally:
            with within.get_lock():
                within.value += time.thread_time() - started

    return timed


def by_usual(folder: Path, source: Path, target: Path, reasons: int) -> dict[str, float]:
    """Score with pandas and the pipeline; for reasons with LightGBM's `pred_contrib`."""
    import pandas as pd

    calibrated, pipeline = _usual(folder)
    pipeline[-1].set_params(n_jobs=os.cpu_count())
    started, before = time.perf_counter(), _processor_time()
    frame = pd.read_csv(source, dtype=str)
    out = pd.DataFrame(
        {"id": frame.iloc[:, 0], "probability": calibrated.predict_proba(frame)[:, 1]}
    )
    if reasons:
        matrix = pipeline[:-1].transform(frame)
        names = pipeline[:-1][-1].get_feature_names_out()
        parts = pipeline[-1].booster_.predict(matrix, pred_contrib=True)[:, :-1]
        strongest = np.argsort(-np.abs(parts), axis=1)[:, :TOP]
        for place in range(TOP):
            out[f"reason_{place}"] = names[strongest[:, place]]
            out[f"effect_{place}"] = parts[np.arange(len(parts)), strongest[:, place]]
    out.to_csv(target, index=False)
    return {
        "rows": len(frame),
        "seconds": time.perf_counter() - started,
        "cpu": _processor_time() - before,
    }


def _usual(folder: Path) -> tuple[Any, Any]:
    """Return the calibrated classifier and the pipeline within."""
    import mlflow.sklearn

    calibrated = mlflow.sklearn.load_model(str(folder / "usual"))
    return calibrated, calibrated.calibrated_classifiers_[0].estimator.estimator


def by_floor(folder: Path, source: Path, target: Path, reasons: int) -> dict[str, float]:
    """Let LightGBM predict leadq's own trees: no reading, no encoding, no reasons, no writing.

    Where leadq's model came out without trees, it predicts those of the usual pipeline.
    """
    from benchmarks.serving import own_trees

    artefact = model_of(folder).artefact
    trees = own_trees(artefact)
    booster, matrix = _own(artefact, trees[0], source) if trees else _of_usual(folder, source)
    started = time.perf_counter()
    booster.predict(matrix, raw_score=True, num_threads=os.cpu_count())
    return {"rows": len(matrix), "seconds": time.perf_counter() - started}


def _own(artefact: Artefact, trees: Trees, source: Path) -> tuple[Any, Any]:
    """Return leadq's trees as LightGBM's, and the leads as they read them."""
    import lightgbm

    from features.files import open_table
    from features.reading import admit_nightly

    scorer = artefact.scorer
    table = open_table(source, scorer.agreement.export)
    admitted = (admit_nightly(c, scorer.agreement, False) for c in table.chunks([].append))
    matrix = np.concatenate([scorer.encoder.encode(part.batch) for part in admitted])
    return lightgbm.Booster(model_str=trees.text), matrix


def _of_usual(folder: Path, source: Path) -> tuple[Any, Any]:
    """Return the trees of the usual pipeline, and the leads as they read them."""
    import pandas as pd

    _, pipeline = _usual(folder)
    return pipeline[-1].booster_, pipeline[:-1].transform(pd.read_csv(source, dtype=str))


WAYS = {"leadq": by_leadq, "usual": by_usual, "floor": by_floor}


def main() -> None:
    """Score as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("reasons", type=int)
    told = parser.parse_args()
    found = WAYS[told.way](told.folder, told.source, told.target, told.reasons)
    print(json.dumps({"peak_gb": _gb(peak_memory_mb()), **found}))


def _gb(mb: float) -> float:
    return mb * 2**20 / 1e9


if __name__ == "__main__":
    main()
