"""One small world for all tests that only look at it, and how to read its columns."""

from dataclasses import dataclass

import numpy as np
import pytest

from features.simulate import Crm, Settings, simulate
from features.simulate.draw import Floats, Mask, Times

SETTINGS = Settings(leads=8_000, seed=3)


@pytest.fixture(scope="session")
def crm() -> Crm:
    return simulate(SETTINGS)


@dataclass(frozen=True)
class History:
    """The history of a CRM as arrays (leads,)."""

    created: Times
    closed: Times
    decided: Mask
    won: Mask
    truth: Floats


def history(crm: Crm) -> History:
    """Labels as a reader of the export makes them, for leads whose horizon is over."""
    created = np.array(crm.export["created_at"], dtype="datetime64[m]")
    closed = np.array([at or "NaT" for at in crm.export["closed_at"]], dtype="datetime64[m]")
    status, horizon = np.array(crm.export["status"]), np.timedelta64(crm.settings.horizon_days, "D")
    worked_out = np.isin(status, ["Closed Won", "Closed Lost", "Disqualified"])
    return History(
        created=created,
        closed=closed,
        decided=worked_out & (created + horizon <= crm.settings.as_of),
        won=(status == "Closed Won") & (closed < created + horizon),
        truth=np.array(crm.truth["probability"][: crm.settings.leads], dtype=float),
    )
