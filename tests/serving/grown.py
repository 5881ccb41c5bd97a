"""Trees and tables for tests of the kernel, and rows for them."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np

from serving.members import Additive, ColumnTable, Trees

NAN = float("nan")
ROWS = 300


def made_up(seed: int, zeros: bool = False) -> tuple[Any, Any]:
    """Three numbers and three codes with gaps, zeros and ties, and labels that need them all."""
    generator = np.random.default_rng(seed)
    matrix = np.column_stack(
        [
            generator.normal(size=ROWS),
            generator.poisson(1.0, ROWS),
            generator.integers(-3, 4, ROWS) / 2,
            generator.integers(0, 3, ROWS),
            generator.integers(0, 70, ROWS),
            generator.integers(0, 9, ROWS),
        ]
    ).astype(float)
    if zeros:
        matrix[generator.random(matrix.shape) < 0.2] = 0.0
    matrix[generator.random(matrix.shape) < 0.1] = NAN
    known = np.nan_to_num(matrix)
    score = known[:, 0] * (known[:, 3] == 1) + known[:, 4] % 3 + known[:, 1] - known[:, 2] ** 2
    return matrix, (score + generator.normal(size=ROWS) > np.median(score)).astype(int)


def grown(seed: int, trees: int = 12, **parameters: Any) -> tuple[lightgbm.Booster, Any]:
    """LightGBM's trees and the rows that they learned from."""
    matrix, labels = made_up(seed, bool(parameters.get("zero_as_missing")))
    told = {
        "objective": "binary",
        "verbosity": -1,
        "num_threads": 1,
        "seed": seed,
        "learning_rate": 0.3,
        "min_data_in_leaf": 3,
        "min_data_per_group": 2,
        "cat_smooth": 1.0,
        "deterministic": True,
        "force_col_wise": True,
        **parameters,
    }
    data = lightgbm.Dataset(matrix, labels, categorical_feature=[3, 4, 5], params=told)
    return lightgbm.train(told, data, num_boost_round=trees), matrix


def members() -> dict[str, Any]:
    """One of each kind, over the same six columns."""
    numbers = ColumnTable((-1.0, 0.0, 2.0), (0.3, -0.1, 0.7), 0.2, 0.1, by_code=False)
    codes = ColumnTable(tuple(range(70)), tuple(i / 7 for i in range(70)), 0.5, 0.2, by_code=True)
    tables = Additive(0.1, (numbers, numbers, numbers, codes, codes, codes))
    return {"trees": Trees(grown(5)[0].model_to_string()), "tables": tables}


MEMBERS = members()
