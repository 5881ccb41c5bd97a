"""What databases say of moments is exact to the microsecond."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from features.store.database import Store
from features.store.moments import days_later, midnight, seconds
from features.store.tables import Lead

INSTANT = timedelta(microseconds=1)
EVE = datetime(2026, 3, 29) - INSTANT


@pytest.fixture
def kept(store: Store) -> Store:
    """A store with one lead that was created in the last microsecond of a day."""
    row = {"key": 1, "id": "a", "created": EVE, "added": EVE + 2 * INSTANT}
    store.write(lambda c: c.execute(sa.insert(Lead), [row]))
    return store


def told(store: Store, expression: Any) -> Any:
    with store.reading() as connection:
        return connection.execute(sa.select(expression)).scalar_one()


def test_the_last_microsecond_of_a_day_is_of_that_day(kept: Store) -> None:
    assert told(kept, midnight(Lead.created)) == datetime(2026, 3, 28)
    assert told(kept, midnight(Lead.added)) == datetime(2026, 3, 29)
    assert told(kept, days_later(Lead.created, 2)) == date(2026, 3, 30)


def test_the_time_between_two_moments_is_told_to_the_microsecond(kept: Store) -> None:
    assert told(kept, seconds(Lead.added, Lead.created)) == pytest.approx(2e-6, abs=1e-9)
    assert told(kept, seconds(Lead.created, Lead.added)) == pytest.approx(-2e-6, abs=1e-9)
