"""Made-up leads whose end is known: whether they win, when, what they are worth, for the tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

import numpy as np

from features.encoder import Encoder
from features.leads import History, Leads
from serving.members import Additive, ColumnTable, Vector
from serving.scorer import Blend, Scorer
from tests.training.firms import agreed
from training.labels import Labelled, label

START = datetime(2024, 1, 1)
AS_OF = START + timedelta(days=720)
HORIZON = 90
PRODUCTS = ("basic", "plus", "pro")
FIELDS = {"product": "category", "visits": "number", "noise": "number"}
AGREED = agreed(
    {"created": "created", "closed": "closed", "value": "value", "campaign": "campaign"},
    {name: {"use": "yes", "kind": kind} for name, kind in FIELDS.items()},
    horizon_days=HORIZON,
)


@dataclass(frozen=True)
class World:
    """Leads, what becomes of them in the end, and a scorer that knows their probabilities."""

    leads: Leads
    won: Vector
    day: Vector
    """On which day after its creation each would be won."""
    scorer: Scorer

    def exported(self, as_of: datetime = AS_OF) -> History:
        """What an export at `as_of` tells of it."""
        return history_of(self.leads, self.won, self.day, as_of)


@cache
def world(rows: int, seed: int, slow_product: bool = False, strayed: float = 0.0) -> World:
    """Make a world.

    Args:
        rows: how many leads, created evenly up to `AS_OF`.
        seed: of all draws.
        slow_product: whether wins of the product "pro" take longer than the others.
        strayed: how far each campaign is better or worse than its leads look, anew each quarter.

    """
    random = np.random.default_rng(seed)
    leads = leads_of(rows, seed)
    drawn = random.random(rows)
    slow = np.array([p == "pro" for p in leads.column("product")])
    day = HORIZON * random.beta(np.where(slow & slow_product, 5.0, 1.7), 3.4)
    better = np.exp(random.normal(0, strayed, 60))[_groups(leads)]
    won = drawn < np.clip(chances_of(leads) * better, 0, 1)
    return World(leads, won, day, scorer_of(leads))


def _groups(leads: Leads) -> list[int]:
    """The number of each lead's campaign and quarter, below 60."""
    quarters = [int((c - START).days // HORIZON) if c else 0 for c in leads.created]
    names = [str(name) for name in leads.column("campaign")]
    return [6 * quarter + int(name[-1]) for quarter, name in zip(quarters, names, strict=True)]


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


def scorer_of(leads: Leads) -> Scorer:
    """A scorer that knows the true probabilities."""
    encoder = Encoder.fit(leads, AGREED, AGREED.used_fields())
    flat = ColumnTable((0.0,), (0.0,), 0.0, 0.0, by_code=False)
    rising = ColumnTable((0.0, 40.0), (0.0, 10.0), 0.0, 0.0, by_code=False)
    tables = tuple(rising if c.field == "visits" else flat for c in encoder.columns)
    return Scorer(AGREED, encoder, Blend((Additive(-2.2, tables),)))


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


def with_values(leads: Leads, values: Vector, won: Vector) -> Leads:
    """The same leads, the won ones with their values."""
    cells = [float(v) if w else None for v, w in zip(values, won, strict=True)]
    return Leads(leads.ids, {**leads.columns, "value": cells}, leads.created)


def labelled_with(values: Vector, leads: Leads, won: Vector) -> Labelled:
    """Matured leads, the won ones with their values."""
    far = START + timedelta(days=2000)
    days = np.full(len(leads), 20.0)
    return label(history_of(with_values(leads, values, won), won, days, far), AGREED)
