"""Writing the simulated CRM: plain CSV files, each of which appears whole or not at all."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path

from features.simulate.crm import Crm
from features.simulate.dirt import Row, break_rows
from features.simulate.draw import Table


def write(crm: Crm, directory: Path) -> dict[str, int]:
    """Write all files of the CRM into `directory`, which is made if need be.

    Returns:
        Rows in each file by its name, header not counted; if broken rows were asked for, also
        how many of export.csv's rows they are, under "export.csv (bad rows)".

    """
    directory.mkdir(parents=True, exist_ok=True)
    rows = {name: _rows(table) for name, table in crm.tables.items()}
    rows["export.csv"] = break_rows(crm.settings, rows["export.csv"])
    for name, table in crm.tables.items():
        _write_whole(directory / name, [tuple(table), *rows[name]])
    counts = {name: len(lines) for name, lines in rows.items()}
    bad = crm.settings.bad_rows
    return counts | ({"export.csv (bad rows)": bad} if bad else {})


def _rows(table: Table) -> list[Row]:
    return list(zip(*table.values(), strict=True))


def _write_whole(path: Path, rows: Iterable[Row]) -> None:
    """Write beside the goal and move into place, so that no reader meets half a file."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8", newline="") as lines:
            csv.writer(lines, lineterminator="\n").writerows(rows)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
