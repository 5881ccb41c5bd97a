"""Log-odds and exact contributions by leadq's kernel, beside LightGBM with the same trees.

    python -m benchmarks.kernel FOLDER [--json]

FOLDER is an artefact, as in LEADQ_HOME/models. Rows are drawn at random from the knots and codes
of its tables. Both sides run in turn on one thread; told is the median over the turns, in time of
the processor, which other work on the machine stretches less.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from features.encoder import Matrix
from serving.artefact import read
from serving.members import Additive, Trees
from serving.scorer import Blend

ROWS = 100
TURNS = 15


def drawn(tables: Additive, rows: int, seed: int = 0) -> Matrix:
    """Return rows of cells as the tables know them, a tenth of them missing."""
    generator = np.random.default_rng(seed)
    columns = []
    for table in tables.tables:
        if table.by_code:
            columns.append(generator.integers(0, len(table.values), rows).astype(float))
        else:
            places = generator.random(rows) * (len(table.knots) - 1)
            columns.append(np.interp(places, range(len(table.knots)), table.knots))
    matrix = np.column_stack(columns)
    matrix[generator.random(matrix.shape) < 0.1] = np.nan
    return matrix


def measured(blend: Blend) -> dict[str, Any]:
    """Return microseconds and differences."""
    tables = next(member for member in blend.members if isinstance(member, Additive))
    trees = next(member for member in blend.members if isinstance(member, Trees))
    booster = lightgbm.Booster(model_str=trees.text)
    many = drawn(tables, ROWS)

    def peer(matrix: Matrix, **wanted: bool) -> Matrix:
        return np.asarray(booster.predict(matrix, num_threads=1, **wanted))

    ways: dict[str, Callable[[Matrix], Matrix]] = {
        "score": trees.log_odds,
        "contributions": lambda matrix: trees.explained(matrix)[1],
        "score of the blend": blend.log_odds,
        "contributions of the blend": lambda matrix: blend.explained(matrix)[1],
        "score by LightGBM": lambda matrix: peer(matrix, raw_score=True),
        "contributions by LightGBM": lambda matrix: peer(matrix, pred_contrib=True),
    }
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in ways}
    rows = [row[np.newaxis].copy() for row in many]
    for _ in range(TURNS):
        for name, way in ways.items():
            times[name][0].extend(_seconds(way, row) for row in rows)
            times[name][1].append(_seconds(way, many) / ROWS)
    apart = np.abs(trees.explained(many)[1] - peer(many, pred_contrib=True)).max()
    started = time.thread_time()
    Trees(trees.text)
    loaded = time.thread_time() - started
    return {
        "trees": trees.size[0],
        "leaves": trees.size[1],
        "columns": many.shape[1],
        "load_ms": 1e3 * loaded,
        "max_abs_reason_error": float(apart),
        "same_scores": bool(np.array_equal(trees.log_odds(many), peer(many, raw_score=True))),
        "microseconds": {
            name: {
                "one_row": 1e6 * statistics.median(one),
                f"a_row_of_{ROWS}": 1e6 * statistics.median(batch),
            }
            for name, (one, batch) in times.items()
        },
    }


def _seconds(way: Callable[[Matrix], Matrix], matrix: Matrix) -> float:
    started = time.thread_time()
    way(matrix)
    return time.thread_time() - started


def main() -> None:
    """Measure the artefact that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    found = measured(read(told.folder).scorer.blend)
    if told.json:
        print(json.dumps(found))
        return
    print(f"{found['trees']} trees, {found['leaves']} leaves, {found['columns']} columns")
    print(f"loaded in {found['load_ms']:.0f} ms; the same scores: {found['same_scores']}; ", end="")
    print(f"largest difference of a contribution: {found['max_abs_reason_error']:.1g}")
    print(f"{'microseconds':30}{'one row':>10}{f'a row of {ROWS}':>15}")
    for name, times in found["microseconds"].items():
        one, batch = times.values()
        print(f"{name:30}{one:10.1f}{batch:15.1f}")


if __name__ == "__main__":
    main()
