"""What most people would deploy: a pipeline of scikit-learn over a frame of pandas.

    BENCH_FOLDER=... uvicorn benchmarks.usual:app
    mlflow models serve --env-manager local -m FOLDER/usual

FastAPI serves it, and so does MLflow. The pipeline is fitted on the same leads, with as many
leaves as leadq's own trees have.
"""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import lightgbm
import mlflow.sklearn
import pandas as pd
from fastapi import FastAPI
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

_FOLDER = "usual"
_AS_IT_IS = "passthrough"
_MOST_VALUES = 1000
"""A text with more values, such as a message, would be left out; scikit-learn is slow with them."""
app = FastAPI()


def fit_usual(frame: pd.DataFrame, won: Any, leaves: int, folder: Path) -> Path:
    """Fit the pipeline and keep it as a model of MLflow; return its folder.

    Args:
        frame: the leads as text, one column a field, shape (leads, fields).
        won: 1 or 0 for each, shape (leads,).
        leaves: how many the trees shall have together; a tree has 31.
        folder: where to.

    Raises:
        ValueError: when all leads ended alike: the trees would have no leaves.

    """
    if len(set(won)) < 2:
        raise ValueError(f"all {len(won):,} leads ended alike: {won[0]}")
    numbers = [
        n
        for n in frame
        if pd.to_numeric(frame[n], errors="coerce").notna().sum() > 0.5 * frame[n].notna().sum()
    ]
    texts = [n for n in frame if n not in numbers and frame[n].nunique() <= _MOST_VALUES]
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    encode = make_column_transformer((codes, texts), (_AS_IT_IS, numbers))
    trees = lightgbm.LGBMClassifier(n_estimators=max(1, leaves // 31), n_jobs=1, verbose=-1)
    known = {"names": list(frame.columns), "numbers": numbers}
    pipeline = make_pipeline(FunctionTransformer(_typed, kw_args=known), encode, trees)
    calibrated = CalibratedClassifierCV(
        FrozenEstimator(pipeline.fit(frame, won)), method="isotonic"
    )
    calibrated.fit(frame, won)
    made = folder / _FOLDER
    shutil.rmtree(made, ignore_errors=True)
    mlflow.sklearn.save_model(
        calibrated,
        made,
        serialization_format="cloudpickle",
        pyfunc_predict_fn="predict_proba",
        pip_requirements=[],
    )
    return made


def _typed(frame: pd.DataFrame, names: list[str], numbers: list[str]) -> pd.DataFrame:
    frame = frame.reindex(columns=names)
    texts = frame.drop(columns=numbers).fillna("").astype(str)
    read = {name: pd.to_numeric(frame[name], errors="coerce").astype(float) for name in numbers}
    return texts.assign(**read)


@cache
def _pipeline() -> CalibratedClassifierCV:
    return mlflow.sklearn.load_model(str(Path(os.environ["BENCH_FOLDER"]) / _FOLDER))


@app.post("/")
def score(body: dict[str, Any]) -> dict[str, list[float]]:
    """Score the leads of a request."""
    found = _pipeline().predict_proba(pd.DataFrame(body["leads"]))[:, 1]
    return {"probability": found.tolist()}
