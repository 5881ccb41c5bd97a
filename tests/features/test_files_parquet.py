from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .making import a_file, an_agreement, nightly_of, read, refused


def written(folder: Path, **columns: Any) -> Path:
    path = folder / "leads.parquet"
    pq.write_table(pa.table({"id": pa.array([1, 2]), **columns}), path)
    return path


@pytest.mark.parametrize(
    ("values", "cells"),
    [
        (pa.array([7, None]), [7.0, None]),
        (pa.array([2**60 + 1, None]), ["1152921504606846977", None]),
        (pa.array([1.5, float("nan")]), [1.5, None]),
        (pa.array([True, None]), ["true", None]),
        (pa.array([" a ", ""]), ["a", None]),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
        (pa.array([b"a", None]), ["a", None]),
        (pa.array([Decimal("1.50"), Decimal("2.00")]), [1.5, 2.0]),
        (pa.array([date(2026, 1, 5), None]), ["2026-01-05", None]),
        (pa.array([time(10, 30), None]), ["10:30:00", None]),
        (pa.array([["a", "b"], []]), ["a;b", None]),
        (pa.nulls(2), [None, None]),
        (
            pa.array([datetime(2026, 1, 5), None], pa.timestamp("us", "Europe/Berlin")),
            ["2026-01-05T01:00:00+01:00", None],
        ),
        (
            pa.array([1767609000000000001, None], pa.timestamp("ns")),
            ["2026-01-05T10:30:00.000000001", None],
        ),
    ],
)
def test_typed_values_become_cells(tmp_path: Path, values: pa.Array, cells: list[Any]) -> None:
    assert read(written(tmp_path, x=values)).cells["x"] == cells


def test_a_long_decimal_id_keeps_every_digit(tmp_path: Path) -> None:
    ids = pa.array([Decimal("12345678901234567890"), Decimal("5")], pa.decimal128(38, 0))
    assert read(written(tmp_path, x=ids)).cells["x"] == ["12345678901234567890", 5.0]


def test_rows_are_counted_from_one(tmp_path: Path) -> None:
    assert read(written(tmp_path, x=["a", "b"])).lines == [1, 2]


def test_a_nested_column_does_not_cost_the_columns_beside_it(tmp_path: Path) -> None:
    cells = read(written(tmp_path, x=[{"a": 1}, {"a": 2}])).cells
    assert cells == {"id": [1.0, 2.0], "x": ['{"a": 1}', '{"a": 2}']}


def test_a_time_beyond_the_calendar_is_one_clear_line(tmp_path: Path) -> None:
    path = written(tmp_path, x=pa.array([10**15, None], pa.timestamp("ms")))
    refused(path, r"leads\.parquet: unreadable near row 1: date value out of range")


@pytest.mark.parametrize("keep", [20, 200, -8])
def test_a_broken_off_file_is_refused(tmp_path: Path, keep: int) -> None:
    whole = written(tmp_path, x=["a", "b"]).read_bytes()
    refused(a_file(tmp_path, whole[:keep], "leads.parquet"), "is a broken Parquet file")


def test_damage_inside_a_file_is_refused(tmp_path: Path) -> None:
    damaged = bytearray(written(tmp_path, x=["a", "b"]).read_bytes())
    damaged[8:60] = b"\xff" * 52
    path = a_file(tmp_path, bytes(damaged), "leads.parquet")
    refused(path, r"leads\.parquet: unreadable near row 1")


def test_a_file_without_columns_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({}), tmp_path / "leads.parquet")
    refused(tmp_path / "leads.parquet", "only one column found")


def test_an_empty_file_keeps_its_columns(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"id": pa.array([], pa.string()), "x": pa.array([], pa.int64())}),
        tmp_path / "leads.parquet",
    )
    assert read(tmp_path / "leads.parquet").columns == ("id", "x")


def test_an_id_that_is_a_list_is_set_aside_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "leads.parquet"
    pq.write_table(pa.table({"id": [["1", "2"], ["3"], None], "town": ["a", "b", "c"]}), path)

    parts, intake = nightly_of(path, an_agreement())

    assert not sum(map(len, parts))
    assert [row.value for row in intake.rejects] == ["1;2", "3", ""]
    assert "the id is a list" in intake.rejects[0].reason
    assert intake.rejects[2].reason == "the id is missing"
