"""The rivals, each with its defaults and the data as a sensible data scientist would give it.

A rival is a function of (train columns, labels, test columns, seed) that returns a probability
for each test row. Columns are numbers, or texts with None for missing; see `prepared`.
"""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from benchmarks.measures import Floats, Labels
from features.cells import number
from features.profile import find_decimal

Rival = Callable[[pd.DataFrame, Labels, pd.DataFrame, int], Floats]
_SMOOTHING = 0.1
_QUANTILES = 10
_MOST_LEVELS = 254
"""HistGradientBoosting takes no more categories than fit into its 255 bins."""


def prepared(raw: pd.DataFrame) -> pd.DataFrame:
    """Return the columns as pandas reads them: numbers as numbers, all else as text or None.

    Numbers with a decimal comma or with marks of thousands are numbers too: nobody's figures shall
    depend on cleaning. Texts that are unique in each row are dropped as ids, and empty columns
    with them.
    """
    frame = pd.read_csv(StringIO(raw.to_csv(index=False)), low_memory=False)
    frame.columns = raw.columns
    decimal = find_decimal(column.tolist() for _, column in raw.items())
    kept = {}
    for name, column in frame.items():
        numbers = _numbers(column, decimal)
        filled = column.dropna()
        if numbers is not None:
            kept[name] = numbers
        elif filled.nunique() < len(filled):
            kept[name] = _texts(column)
    return pd.DataFrame(kept, index=frame.index)


def _numbers(column: pd.Series, decimal: str) -> pd.Series | None:
    """Return a column as numbers; None where it is empty or holds anything else."""
    if column.dtype == bool or column.isna().all():
        return None
    if pd.api.types.is_numeric_dtype(column):
        return column.astype(float)
    try:
        read = {cell: number(str(cell), decimal) for cell in column.dropna().unique()}
    except ValueError:
        return None
    return column.map(read).astype(float)


def _texts(column: pd.Series) -> pd.Series:
    return column.map(str, na_action="ignore").astype(object).where(column.notna(), None)


def _parts(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the names of the texts and of the numbers."""
    texts = [name for name in frame if frame[name].dtype == object]
    return texts, [name for name in frame if name not in texts]


def base_rate(train: pd.DataFrame, labels: Labels, test: pd.DataFrame, seed: int) -> Floats:
    """The share won among the rows to train on, for everyone."""
    model = DummyClassifier(strategy="prior").fit(train, labels)
    return np.asarray(model.predict_proba(test)[:, 1])


def naive_bayes(train: pd.DataFrame, labels: Labels, test: pd.DataFrame, seed: int) -> Floats:
    """Naive Bayes as in Odoo's predictive lead scoring.

    Odoo counts for every value of a field how many won and how many lost leads had it, adds 0.1
    to each count so that none is zero, and divides by the field's total over its values. Empty
    values and values without a count say nothing. The products with the shares of won and lost
    are set against one another, and the result is held between .01 % and 99.99 %. Source:
    `_pls_get_naive_bayes_probabilities` in odoo/odoo, addons/crm/models/crm_lead.py. Odoo's fields
    are choices; numbers are put into ten bins of equal count here.
    """
    won = labels == 1
    score = np.full(len(test), np.log(won.mean() / (1 - won.mean())))
    for name in train:
        known, asked = _values(train[name], test[name])
        counts = {side: known[rows].value_counts() for side, rows in ((1, won), (0, ~won))}
        values = known.dropna().unique()
        share = {
            side: (counted := found.reindex(values, fill_value=0) + _SMOOTHING) / counted.sum()
            for side, found in counts.items()
        }
        score += asked.map(np.log(share[1] / share[0])).astype(float).fillna(0.0).to_numpy()
    return np.asarray(np.clip(np.round(1 / (1 + np.exp(-score)), 4), 0.0001, 0.9999))


def _values(known: pd.Series, asked: pd.Series) -> tuple[pd.Series, pd.Series]:
    if known.dtype == object or known.nunique() <= _QUANTILES:
        return known, asked
    edges = known.quantile(np.linspace(0, 1, _QUANTILES + 1)[1:-1]).unique()
    return _bins(known, edges), _bins(asked, edges)


def _bins(column: pd.Series, edges: Floats) -> pd.Series:
    return pd.Series(np.searchsorted(edges, column)).where(column.notna().to_numpy())


def logistic(train: pd.DataFrame, labels: Labels, test: pd.DataFrame, seed: int) -> Floats:
    """Plain logistic regression: one-hot, median, standard scale."""
    texts, numbers = _parts(train)
    columns = make_column_transformer(
        (OneHotEncoder(min_frequency=10, handle_unknown="infrequent_if_exist"), texts),
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
    )
    # Its default of 100 steps is too few for some sets, and says so.
    model = make_pipeline(columns, LogisticRegression(max_iter=2000, random_state=seed))
    return np.asarray(model.fit(train, labels).predict_proba(test)[:, 1])


def lightgbm(train: pd.DataFrame, labels: Labels, test: pd.DataFrame, seed: int) -> Floats:
    """LightGBM with defaults and pandas categories."""
    from lightgbm import LGBMClassifier

    known, asked = _categories(train, test)
    model = LGBMClassifier(n_jobs=1, random_state=seed, verbose=-1).fit(known, labels)
    return np.asarray(model.predict_proba(asked)[:, 1])


def _categories(train: pd.DataFrame, test: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Texts as categories of the rows to train on; plain names, which LightGBM asks for."""
    known, asked = train.copy(), test.copy()
    for name in _parts(train)[0]:
        kind = pd.CategoricalDtype(sorted(train[name].dropna().unique()))
        for frame in (known, asked):
            # pandas warns where a value is no category; missing is what is meant there.
            frame[name] = frame[name].where(frame[name].isin(kind.categories), None).astype(kind)
    known.columns = asked.columns = [f"f{i}" for i in range(known.shape[1])]
    return known, asked


def hist_gradient_boosting(
    train: pd.DataFrame, labels: Labels, test: pd.DataFrame, seed: int
) -> Floats:
    """HistGradientBoosting with defaults, categories as codes that it is told of."""
    texts, numbers = _parts(train)
    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=_MOST_LEVELS
    )
    columns = make_column_transformer((codes, texts), ("passthrough", numbers))
    model = HistGradientBoostingClassifier(
        categorical_features=np.arange(len(texts)), random_state=seed
    )
    fitted = make_pipeline(columns, model).fit(train, labels)
    return np.asarray(fitted.predict_proba(test)[:, 1])


def catboost(train: pd.DataFrame, labels: Labels, test: pd.DataFrame, seed: int) -> Floats:
    """CatBoost with defaults, texts as its own categories."""
    from catboost import CatBoostClassifier

    texts, _ = _parts(train)
    model = CatBoostClassifier(
        thread_count=1, random_seed=seed, verbose=0, allow_writing_files=False
    )
    filled = dict.fromkeys(texts, "")
    model.fit(train.fillna(filled), labels, cat_features=texts)
    return np.asarray(model.predict_proba(test.fillna(filled))[:, 1])


RIVALS: dict[str, Rival] = {
    "base_rate": base_rate,
    "naive_bayes": naive_bayes,
    "logistic": logistic,
    "lightgbm": lightgbm,
    "hist_gradient_boosting": hist_gradient_boosting,
    "catboost": catboost,
}
"""The rivals that run in leadq's own environment."""
