"""Made-up leads, agreements and exports of other firms, for the tests of training."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from features.agreement import Agreement, FieldUse, from_dict
from features.cells import Cell
from features.leads import History, Leads
from training.labels import Labelled

START = datetime(2024, 1, 1)


def agreed(
    columns: dict[str, str] | None = None,
    fields: dict[str, dict[str, str]] | None = None,
    **changes: Any,
) -> Agreement:
    """The smallest agreement there is, with changes."""
    content = {
        "format": 1,
        "version": 1,
        "name": "made up",
        "columns": {"id": "id", "outcome": "outcome", **(columns or {})},
        "outcomes": {"won": ["won"], "lost": ["lost"]},
        "grades": {"A": 0.5, "B": 0.25, "C": 0.1},
        "fields": fields or {},
        **changes,
    }
    return from_dict(content)


IN_TIME = {"created": "created", "closed": "closed"}


def history(
    dispositions: Sequence[str],
    created: Sequence[datetime | None] | None = None,
    closed: Sequence[datetime | None] | None = None,
    columns: dict[str, list[Cell]] | None = None,
    serial: Sequence[float] | None = None,
) -> History:
    """A history from its parts; what is not given is empty."""
    rows = len(dispositions)
    nothing = [None] * rows
    leads = Leads([str(i) for i in range(rows)], columns or {}, list(created or nothing))
    places = list(serial or [float("nan")] * rows)
    return History(leads, list(dispositions), list(closed or nothing), places)  # type: ignore[arg-type]


def labelled(labels: Sequence[int], **columns: list[Cell]) -> Labelled:
    """Labelled leads without a time."""
    dispositions = ["won" if won else "lost" for won in labels]
    told = history(dispositions, columns=columns)
    return Labelled(told, np.array(labels, dtype=np.int8), unlabelled={}, as_of=None)  # type: ignore[arg-type]


def use(kind: str = "category") -> FieldUse:
    """A field that may be used."""
    return FieldUse.model_validate({"use": "yes", "kind": kind})


@dataclass(frozen=True)
class Enquiry:
    """One lead of an invented firm, from which each test writes an export in its own words."""

    number: int
    code: str
    created: datetime
    closed: datetime | None
    state: str
    """won, lost, junk, later or open."""
    size: int
    source: str
    visits: int
    name: str
    phone: str

    def at(self, pattern: str) -> str:
        """When it came in, in the firm's way of writing times."""
        return self.created.strftime(pattern)

    def done(self, pattern: str) -> str:
        """When it was decided, or nothing."""
        return self.closed.strftime(pattern) if self.closed else ""


def enquiries(rows: int = 600, seed: int = 1) -> list[Enquiry]:
    """Leads over three quarters of a year; the larger ones buy more often."""
    random = Random(seed)
    return [_enquiry(i, random) for i in range(rows)]


def _enquiry(i: int, random: Random) -> Enquiry:
    size = random.choice([5, 20, 80, 300, 1200])
    chance = random.random()
    won = 0.2 + 0.2 * (size > 50)
    bounds = ((won, "won"), (0.7, "lost"), (0.8, "junk"), (0.9, "later"), (1.0, "open"))
    state = next(name for bound, name in bounds if chance < bound)
    created = START + timedelta(hours=14 * i + random.random() * 6)
    decided = state in ("won", "lost", "junk")
    return Enquiry(
        number=1000 + 3 * i,
        code=f"{random.getrandbits(60):015X}",
        created=created,
        closed=created + timedelta(days=random.randint(3, 50)) if decided else None,
        state=state,
        size=size,
        source=random.choice(["Google", "Partner", "Trade fair"]),
        visits=random.randint(0, 20),
        name=f"{random.choice(['Anna', 'Bert'])} {random.choice(['Abel', 'Cohn'])}{i}",
        phone=str(random.randint(10**9, 10**10 - 1)),
    )


def with_times(e: Enquiry) -> dict[str, object]:
    """An export with the times of creation and closing, and three honest fields."""
    words = {"won": "Won", "lost": "Lost", "junk": "Spam"}
    return {
        "id": e.code, "created": e.at("%Y-%m-%d %H:%M"), "closed": e.done("%Y-%m-%d"),
        "status": words.get(e.state, "Open"), "size": e.size, "source": e.source,
        "visits": e.visits,
    }  # fmt: skip


def decided(e: Enquiry, chance: float) -> dict[str, object]:
    """A lead that is won with this chance and lost otherwise, within two months."""
    won = Random(e.number).random() < chance
    closed = e.closed or e.created.replace(hour=23)
    return with_times(e) | {
        "status": "Won" if won else "Lost",
        "closed": closed.strftime("%Y-%m-%d"),
    }


def clear(e: Enquiry) -> dict[str, object]:
    """Those who visit often buy."""
    return decided(e, 0.04 + 0.9 * (e.visits / 20) ** 2)


def write_export(
    folder: Path,
    row: Callable[[Enquiry], dict[str, object]],
    rows: int = 600,
    delimiter: str = ",",
    encoding: str = "utf-8",
) -> Path:
    """Write the enquiries as one firm's CRM would export them."""
    records = [row(enquiry) for enquiry in enquiries(rows)]
    path = folder / "export.csv"
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, list(records[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(records)
    return path
