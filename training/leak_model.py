"""How a small model does with a field and without it, beside the honest fields only."""

from __future__ import annotations

import numpy as np
from lightgbm import Dataset, train
from sklearn.metrics import roc_auc_score

from features.encoder import Column, Matrix
from training.labels import Labels

_MOST_ROWS = 6000
_ROUNDS = 40
_PARAMETERS = {
    "objective": "binary",
    "learning_rate": 0.15,
    "num_leaves": 12,
    "min_data_in_leaf": 20,
    "lambda_l2": 5.0,
    "min_data_per_group": 30,
    "cat_smooth": 20,
    "num_threads": 1,
    "seed": 0,
    "deterministic": True,
    "force_col_wise": True,
    "verbosity": -1,
}


class Bench:
    """Small trees, fitted on one half of the leads and judged on the other, both ways round."""

    def __init__(self, matrix: Matrix, columns: tuple[Column, ...], y: Labels) -> None:
        step = -(-len(y) // _MOST_ROWS)
        self._matrix, self._y = matrix[::step], y[::step]
        self._columns = columns
        self._known: dict[frozenset[str], float] = {}

    def auc(self, fields: frozenset[str]) -> float:
        """Return the ROC AUC of a model of these fields; 0.5 without any."""
        if fields not in self._known:
            self._known[fields] = self._measure(fields)
        return self._known[fields]

    def _measure(self, fields: frozenset[str]) -> float:
        at = [i for i, column in enumerate(self._columns) if column.field in fields]
        half = np.arange(len(self._y)) % 2 == 0
        if not at or any(len(np.unique(self._y[side])) < 2 for side in (half, ~half)):
            return 0.5
        categories = [k for k, i in enumerate(at) if self._columns[i].levels is not None]
        score = np.empty(len(self._y))
        for fit, judge in ((half, ~half), (~half, half)):
            data = Dataset(
                self._matrix[fit][:, at],
                self._y[fit],
                categorical_feature=categories,
                params=_PARAMETERS,
                free_raw_data=True,
            )
            score[judge] = train(_PARAMETERS, data, _ROUNDS).predict(self._matrix[judge][:, at])
        return float(roc_auc_score(self._y, score))
