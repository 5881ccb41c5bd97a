"""What a run said of the later leads, kept so that runs can be compared lead by lead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from serving.members import Vector
from training.labels import Labels

LATER_FILE = "later.parquet"
_SCHEMA = pa.schema({"won": pa.int8(), "probability": pa.float64(), "day": pa.int32()})


@dataclass(frozen=True)
class Later:
    """Outcomes and probabilities of the later leads, each of shape (rows,), by sorted id."""

    won: Labels
    probability: Vector
    day: npt.NDArray[np.intp] | None
    """Days since the first later lead came in; None where creation times are not known."""


def later_table(
    ids: Sequence[str],
    labels: Labels,
    probability: Vector,
    created: Sequence[datetime | None],
) -> pa.Table:
    """Return won, probability and day of the later leads, and nothing else.

    The rows stand in the order of the sorted ids, as in the digest `judged_on`, so the tables of
    two runs with equal digests line up row by row although the ids are not written. `day` counts
    calendar days since the first later lead came in; it is null where a creation time is missing.
    """
    by_id = sorted(range(len(ids)), key=lambda i: (ids[i], int(labels[i])))
    dates = [None if created[i] is None else created[i].date() for i in by_id]  # type: ignore[union-attr]
    first = min((date for date in dates if date is not None), default=None)
    days = [None if date is None or first is None else (date - first).days for date in dates]
    columns = [np.asarray(labels)[by_id], np.asarray(probability)[by_id], days]
    arrays = [pa.array(c, kind.type) for c, kind in zip(columns, _SCHEMA, strict=True)]
    return pa.table(arrays, schema=_SCHEMA)


def write_later(table: pa.Table, folder: Path) -> Path:
    """Write the table into a folder, and return the file."""
    path = folder / LATER_FILE
    pq.write_table(table, path, compression="zstd")
    return path


def read_later(path: Path) -> Later:
    """Read what `write_later` wrote."""
    table = pq.read_table(path, schema=_SCHEMA)
    day = table["day"]
    return Later(
        table["won"].to_numpy(),
        table["probability"].to_numpy(),
        None if day.null_count else day.to_numpy(),
    )


def window(created: Sequence[datetime | None]) -> str:
    """Return the first and the last day on which leads came in, or nothing without times."""
    known = [moment.date() for moment in created if moment is not None]
    return f"{min(known)} to {max(known)}" if known else ""
