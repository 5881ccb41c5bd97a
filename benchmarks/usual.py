"""What most people would deploy: FastAPI, a frame of pandas, a pipeline of scikit-learn.

    BENCH_FOLDER=... uvicorn benchmarks.usual:app

The pipeline is fitted on the same leads, with as many leaves as leadq's own trees have.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import pandas as pd
from fastapi import FastAPI
from sklearn.compose import make_column_transformer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

_FILE = "usual.joblib"
app = FastAPI()


def fit_usual(frame: pd.DataFrame, won: Any, leaves: int, folder: Path) -> None:
    """Fit the pipeline and keep it in a folder.

    Args:
        frame: the leads as text, one column a field, shape (leads, fields).
        won: 1 or 0 for each, shape (leads,).
        leaves: how many the trees shall have together; a tree has 31.
        folder: where to.

    """
    numbers = [
        n
        for n in frame
        if pd.to_numeric(frame[n], errors="coerce").notna().sum() > 0.5 * frame[n].notna().sum()
    ]
    texts = [name for name in frame if name not in numbers]
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    encode = make_column_transformer((codes, texts), remainder="passthrough")
    trees = lightgbm.LGBMClassifier(n_estimators=max(1, leaves // 31), n_jobs=1, verbose=-1)
    pipeline = make_pipeline(encode, trees)
    pipeline.fit(_typed(frame, numbers), won)
    joblib.dump((pipeline, list(frame.columns), numbers), folder / _FILE)


def _typed(frame: pd.DataFrame, numbers: list[str]) -> pd.DataFrame:
    texts = frame.drop(columns=numbers).fillna("").astype(str)
    read = {name: pd.to_numeric(frame[name], errors="coerce").astype(float) for name in numbers}
    return texts.assign(**read)


@cache
def _pipeline() -> tuple[Pipeline, list[str], list[str]]:
    loaded: tuple[Pipeline, list[str], list[str]] = joblib.load(
        Path(os.environ["BENCH_FOLDER"]) / _FILE
    )
    return loaded


@app.post("/")
def score(body: dict[str, Any]) -> dict[str, list[float]]:
    """Score the leads of a request."""
    pipeline, names, numbers = _pipeline()
    frame = pd.DataFrame(body["leads"], columns=names)
    found = pipeline.predict_proba(_typed(frame, numbers))[:, 1]
    return {"probability": found.tolist()}
