"""Scores come into a table of a database: one row for each lead and version, all or none."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import create_engine, text

from features.errors import UsageError
from features.score_table import TableError, put_scores


def scores(folder: Path, rows: list[tuple[str, str, float | None]]) -> Path:
    ids, versions, chances = zip(*rows, strict=True)
    path = folder / "scores.parquet"
    reasons = [[{"field": "size", "log_odds": 0.5}] for _ in rows]
    columns = {"id": ids, "model_version": versions, "probability": chances, "reasons": reasons}
    pq.write_table(pa.table({name: list(cells) for name, cells in columns.items()}), path)
    return path


@pytest.fixture
def address(empty_url: str) -> str:
    """Of a table that is not there yet, on each kind of database in turn."""
    if empty_url.startswith("sqlite"):
        path = empty_url.removeprefix("sqlite:///")
        sqlite3.connect(path).close()
        return f"sqlite:{path}?table=scored"
    place = empty_url.partition("://")[2]
    return f"postgresql://{place}{'&' if '?' in place else '?'}table=scored"


def found(empty_url: str) -> list[Any]:
    engine = create_engine(empty_url)
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT id, model_version, probability, reasons FROM scored ORDER BY 1, 2")
        ).all()
    engine.dispose()
    return [tuple(row) for row in rows]


def test_a_lead_has_one_row_for_each_version_with_its_newest_score(
    address: str, empty_url: str, tmp_path: Path
) -> None:
    assert put_scores(address, scores(tmp_path, [("a", "1", 0.5), ("b", "1", None)]), "id") == 2
    put_scores(address, scores(tmp_path, [("a", "1", 0.25), ("a", "2", 0.75)]), "id")

    reasons = '[{"field": "size", "log_odds": 0.5}]'
    assert found(empty_url) == [
        ("a", "1", 0.25, reasons), ("a", "2", 0.75, reasons), ("b", "1", None, reasons),
    ]  # fmt: skip


def test_a_table_without_the_key_takes_nothing(
    address: str, empty_url: str, tmp_path: Path
) -> None:
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE scored (id TEXT, model_version TEXT, probability FLOAT, reasons TEXT)"
            )
        )
    engine.dispose()

    with pytest.raises(TableError, match="a key of id and model_version"):
        put_scores(address, scores(tmp_path, [("a", "1", 0.5)]), "id")

    assert found(empty_url) == []


def test_an_address_without_a_table_is_refused(address: str, tmp_path: Path) -> None:
    file = scores(tmp_path, [("a", "1", 0.5)])

    with pytest.raises(UsageError, match="names no table"):
        put_scores(address.replace("table=scored", "table="), file, "id")
