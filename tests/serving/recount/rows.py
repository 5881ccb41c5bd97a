"""The raw rows of a store, and what they say of a lead: which words stand, and which one counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from features.store import tables
from features.store.database import Store

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STEPS = ("contacted", "accepted", "qualified", "opportunity")
ACCEPTED = ("accepted", "qualified", "opportunity", "won")
RANK = ("open", "unreachable", "not_ready", "in_contract", "unqualified", "lost", "won")
"""Of two words of one moment the one further along counts."""
Row = dict[str, Any]
_READ = (
    *("leads", "snapshots", "handoffs", "dispositions", "scores", "spend", "notes"),
    *("decisions", "answers", "promotions", "agreements", "signatures"),
)


def key_of(name: str | None) -> str:
    """What two spellings of one name have in common."""
    return " ".join((name or "").split()).casefold()


def campaign_of(name: str | None) -> str:
    """What two spellings of one campaign have in common, where no hyphen is a sign."""
    return key_of((name or "").translate({ord("_"): " ", ord("-"): " "}))


@dataclass(frozen=True)
class Rows:
    """All rows that figures are made of, by table."""

    by_table: dict[str, list[Row]]

    @classmethod
    def of(cls, store: Store) -> Rows:
        """Read them."""
        with store.reading() as connection:
            found = {
                name: [
                    dict(row._mapping)
                    for row in connection.execute(select(tables.Row.metadata.tables[name]))
                ]
                for name in _READ
            }
        return cls(found)

    def __getitem__(self, name: str) -> list[Row]:
        return self.by_table[name]

    def of_leads(self, name: str) -> dict[int, list[Row]]:
        """The rows of a table by lead, in the order of their moments."""
        found: dict[int, list[Row]] = defaultdict(list)
        for row in sorted(self[name], key=lambda row: (row["at"], row["key"])):
            found[row["lead"]].append(row)
        return found

    def words(self, as_of: datetime) -> dict[int, list[Row]]:
        """What was said of each lead before a moment, and was never taken back."""
        found: dict[int, list[Row]] = defaultdict(list)
        for lead, said in self.of_leads("dispositions").items():
            found[lead] = [word for word in _standing(said) if word["at"] < as_of]
        return found


def _standing(said: Iterable[Row]) -> list[Row]:
    """Lay the words upon one another as they came in; `open` on a page takes the top one off."""
    heap: list[Row] = []
    for word in sorted(said, key=lambda row: (row["received"], row["at"], row["key"])):
        if word["origin"] == "page" and word["code"] == "open":
            heap[-1:] = []
        else:
            heap.append(word)
    return heap


def that_counts(said: Sequence[Row]) -> Row | None:
    """The word on a lead that counts: the newest one that is no step."""
    return max(
        (word for word in said if word["code"] not in STEPS),
        key=lambda w: (w["at"], RANK.index(w["code"]), w["origin"] != "export", w["digest"]),
        default=None,
    )


def value_of(word: Row, said: Sequence[Row]) -> float | None:
    """What a win is worth: as the word says, else as another of the same moment does."""
    if word["value"] is not None:
        return float(word["value"])
    beside = [w["value"] for w in said if w["code"] == "won" and w["at"] == word["at"]]
    return max((float(v) for v in beside if v is not None), default=None)


def born(lead: Row) -> datetime:
    """When a lead was created, or first heard of."""
    found: datetime = lead["created"] or lead["added"]
    return found
