"""A model of two fields that is made in a moment: what the service needs to score leads."""

from __future__ import annotations

from features.agreement import FieldUse
from features.encoder import Encoder
from features.leads import admit
from serving.artefact import Artefact, LoadedModel
from serving.members import Additive, ColumnTable
from serving.scorer import Blend, Scorer
from tests.features.making import an_agreement
from training.golden import reference

ROWS = 400


def small_model(version: str = "1") -> LoadedModel:
    """Return a model in which visits count, and the industry Software is worth more."""
    uses = {
        "industry": FieldUse(use="yes", kind="category"),
        "visits": FieldUse(use="yes", kind="number"),
    }
    agreement = an_agreement(fields=uses)
    columns = {
        "id": [str(i) for i in range(ROWS)],
        "created": ["2026-03-01"] * ROWS,
        "industry": ["Software" if i % 4 else "Trade" for i in range(ROWS)],
        "visits": [str(i % 20) for i in range(ROWS)],
    }
    leads = admit(columns, agreement, {}, need_created=False)
    encoder = Encoder.fit(leads, agreement, uses)
    levels = encoder.columns[0].levels or ()
    worth = tuple(0.5 if name == "software" else -0.5 for name in levels)
    codes = tuple(float(i) for i in range(len(levels)))
    tables = (
        ColumnTable(codes, worth, missing=0.0, mean=0.0, by_code=True),
        ColumnTable((0.0, 20.0), (-2.0, 2.0), missing=-1.0, mean=0.0, by_code=False),
    )
    scorer = Scorer(agreement, encoder, Blend((Additive(-1.0, tables),)))
    facts = {"as_of": "2026-06-01T00:00:00", "caution": ""}
    golden = ({"id": "1", "industry": "Software", "visits": "3"},)
    kept = reference(encoder, encoder.encode(leads))
    return LoadedModel(version, "0" * 64, Artefact(scorer, facts, kept, golden))
