"""Runs in AutoGluon's own environment: `python autogluon_worker.py FOLDER`.

The folder holds train.parquet, test.parquet and job.json; probability.npy is written beside them.
It imports nothing of leadq.
"""

import json
import os
import sys
from pathlib import Path

# Before numpy and the learners are imported: one core each, as for every other contender.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor


def work(folder: Path) -> None:
    """Fit within the budget and write the probability of each test row to be won."""
    job = json.loads((folder / "job.json").read_text())
    train = pd.read_parquet(folder / "train.parquet")
    test = pd.read_parquet(folder / "test.parquet")
    # Log loss, because probabilities are judged: its default, accuracy, ignores them.
    predictor = TabularPredictor(
        label=job["outcome"],
        problem_type="binary",
        eval_metric="log_loss",
        path=str(folder / "models"),
        verbosity=0,
    )
    predictor.fit(
        train,
        presets="best_quality",
        time_limit=job["seconds"],
        num_cpus=1,
        num_gpus=0,
        ag_args_ensemble={
            "fold_fitting_strategy": "sequential_local",
            "model_random_seed": job["seed"],
        },
    )
    won = predictor.predict_proba(test)[1].to_numpy()
    np.save(folder / "probability.npy", won)


if __name__ == "__main__":
    work(Path(sys.argv[1]))
