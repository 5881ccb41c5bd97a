"""The model as MLflow sees it: `mlflow models serve` and `pyfunc.load_model` score leads with it.

MLflow runs this file when it loads a model (models from code); the model itself is the text and
JSON of the artefact beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from features.leads import Faults
from serving.artefact import leads_of_records, read


class LeadScorer(PythonModel):  # type: ignore[misc]  # mlflow ships no types
    """Scores a data frame of leads whose values are text."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read and verify the artefact."""
        self._artefact = read(Path(context.artifacts["leadq"]))

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Return probability and grade for each row; NaN and "" where a row is no lead."""
        scorer = self._artefact.scorer
        values = model_input.astype(object).where(model_input.notna(), None)
        faults: Faults = {}
        leads = leads_of_records(values.to_dict(orient="records"), scorer, faults)
        scores = scorer.score(leads, reasons=0)
        bad = [i in faults for i in range(len(scores))]
        return pd.DataFrame(
            {
                "probability": [
                    float("nan") if b else s.probability for s, b in zip(scores, bad, strict=True)
                ],
                "grade": ["" if b else s.grade for s, b in zip(scores, bad, strict=True)],
            }
        )


mlflow.models.set_model(LeadScorer())
