"""Made-up leads with values and days of winning, and a scorer for them, for the tests."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from features.agreement import Agreement
from features.encoder import Encoder
from features.leads import History, Leads
from serving.members import Additive, ColumnTable, Vector
from serving.scorer import Blend, Scorer
from tests.training.firms import agreed
from training.labels import Labelled, label

START = datetime(2024, 1, 1)
HORIZON = 90
PRODUCTS = ("basic", "plus", "pro")


def agreement(**columns: str) -> Agreement:
    """An agreement with all times, a value and a campaign; `columns` change it."""
    names = {"created": "created", "closed": "closed", "value": "value", "campaign": "campaign"}
    fields = {name: {"use": "yes", "kind": kind} for name, kind in FIELDS.items()}
    return agreed({**names, **columns}, fields, horizon_days=HORIZON)


FIELDS = {"product": "category", "visits": "number", "noise": "number"}


def leads_of(rows: int, seed: int, days: float = 720) -> Leads:
    """Leads created evenly over `days`; nothing in `noise` means anything."""
    random = np.random.default_rng(seed)
    columns = {
        "product": random.choice(PRODUCTS, rows).tolist(),
        "visits": random.poisson(4, rows).astype(float).tolist(),
        "noise": random.normal(size=rows).tolist(),
        "campaign": [f"campaign {i}" for i in random.integers(0, 6, rows)],
        "value": [None] * rows,
    }
    created = [START + timedelta(days=days * i / rows) for i in range(rows)]
    return Leads([f"L{i}" for i in range(rows)], columns, list(created))


def chances_of(leads: Leads) -> Vector:
    """The true probabilities: visits raise them."""
    visits = np.array(leads.column("visits"), dtype=float)
    return np.asarray(1 / (1 + np.exp(2.2 - 0.25 * visits)))


def scorer_of(leads: Leads, agreed_on: Agreement) -> Scorer:
    """A scorer that knows the true probabilities."""
    encoder = Encoder.fit(leads, agreed_on, agreed_on.used_fields())
    flat = ColumnTable((0.0,), (0.0,), 0.0, 0.0, by_code=False)
    rising = ColumnTable((0.0, 40.0), (0.0, 10.0), 0.0, 0.0, by_code=False)
    tables = tuple(rising if c.field == "visits" else flat for c in encoder.columns)
    return Scorer(agreed_on, encoder, Blend((Additive(-2.2, tables),)))


def history_of(
    leads: Leads, won: Vector, win_day: Vector, as_of: datetime, seed: int = 0
) -> History:
    """What an export at `as_of` tells: wins on their day, losses on a day of their own."""
    random = np.random.default_rng(seed)
    lost_day = HORIZON * random.beta(1.5, 2.5, len(leads))
    dispositions, closed = [], []
    for i, created in enumerate(leads.created):
        assert created
        end = created + timedelta(days=float(win_day[i] if won[i] else lost_day[i]))
        known = end < as_of
        dispositions.append(("won" if won[i] else "lost") if known else "open")
        closed.append(end if known else None)
    told = [i for i, created in enumerate(leads.created) if created and created < as_of]
    nothing = [float("nan")] * len(leads)
    return History(leads, dispositions, closed, nothing).take(told)  # type: ignore[arg-type]


def labelled_with(values: Vector, leads: Leads, won: Vector, agreed_on: Agreement) -> Labelled:
    """Matured leads, the won ones with their values."""
    cells = [float(v) if w else None for v, w in zip(values, won, strict=True)]
    told = Leads(leads.ids, {**leads.columns, "value": cells}, leads.created)
    far = START + timedelta(days=2000)
    days = np.full(len(leads), 20.0)
    return label(history_of(told, won, days, far), agreed_on.model_copy())
