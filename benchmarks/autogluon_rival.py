"""AutoGluon as a contender, in an environment of its own: its needs are not leadq's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from benchmarks.measures import Floats, Labels

ENVIRONMENT = Path(__file__).parents[1] / ".venv-autogluon"
PACKAGE = "autogluon.tabular[lightgbm,catboost,xgboost]==1.6.3"
"""Without torch, which weighs gigabytes; AutoGluon leaves its neural members out by itself."""
_WORKER = Path(__file__).with_name("autogluon_worker.py")
_GRACE = 3
"""AutoGluon may overrun its budget; after this many times the budget it is stopped."""


def build(environment: Path = ENVIRONMENT) -> Path:
    """Return the interpreter of AutoGluon's environment, which is made at the first call.

    Raises:
        RuntimeError: when it cannot be installed.

    """
    python = environment / "bin" / "python"
    done = environment / ".installed"
    if done.exists():
        return python
    print(f"installing {PACKAGE} into {environment} (once)", file=sys.stderr)
    steps = (
        [sys.executable, "-m", "venv", str(environment)],
        [str(python), "-m", "pip", "install", "--quiet", PACKAGE],
    )
    for step in steps:
        ran = subprocess.run(step, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise RuntimeError(f"{' '.join(step)} failed: {ran.stderr.strip()[-500:]}")
    done.touch()
    return python


def autogluon(
    python: Path, seconds: int, train: pd.DataFrame, labels: Labels, test: pd.DataFrame, seed: int
) -> Floats:
    """AutoGluon's best quality within a budget of seconds, on one core.

    Args:
        python: the interpreter of its environment, from `build`.
        seconds: its budget for the fit.
        train: columns to learn from; see `rivals.prepared`.
        labels: 1 won, 0 not.
        test: columns of the rows to score.
        seed: decides what it draws.

    Raises:
        RuntimeError: when it fails.
        subprocess.TimeoutExpired: when it does not come back in time.

    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        train.assign(**{"the outcome": labels}).to_parquet(folder / "train.parquet")
        test.to_parquet(folder / "test.parquet")
        job = {"outcome": "the outcome", "seconds": seconds, "seed": seed}
        (folder / "job.json").write_text(json.dumps(job))
        ran = subprocess.run(
            [str(python), str(_WORKER), str(folder)],
            capture_output=True,
            text=True,
            check=False,
            timeout=_GRACE * seconds + 60,
        )
        if ran.returncode:
            raise RuntimeError(f"AutoGluon failed: {ran.stderr.strip()[-500:]}")
        return np.asarray(np.load(folder / "probability.npy"))
