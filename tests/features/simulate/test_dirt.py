import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.simulate import Crm, simulate, write

from .conftest import SETTINGS


def tidy(name: str) -> str:
    return " ".join(name.replace("_", " ").split()).casefold()


def test_campaign_names_are_the_planned_ones_once_tidied(crm: Crm) -> None:
    planned = {tidy(name) for name in crm.campaigns.names}
    assert {tidy(name) for name in crm.export["campaign"]} <= planned
    assert not set(crm.export["campaign"]) <= set(crm.campaigns.names)


def test_a_clean_world_has_no_stray_spelling_and_no_placeholder() -> None:
    crm = simulate(replace(SETTINGS, dirt=0.0))
    assert len(set(crm.export["industry"])) == 13  # twelve and the empty one


def test_fields_left_alone_hold_placeholders(crm: Crm) -> None:
    assert {"", "Select", "N/A", "unknown", "-"} <= set(crm.export["budget"])


def test_nothing_is_missing_unless_asked_for() -> None:
    crm = simulate(replace(SETTINGS, missing=0.0))
    assert all(crm.export["message"])


def test_chats_leave_more_empty_than_forms(crm: Crm) -> None:
    chat = np.char.strip(np.char.lower(crm.export["form_type"])) == "web chat"
    gone = np.array(crm.export["annual_revenue"]) == ""
    assert gone[chat].mean() > 1.5 * gone[~chat].mean()


def test_revenue_is_written_with_thousands_marks(crm: Crm) -> None:
    assert all("," in cell for cell in crm.export["annual_revenue"] if cell)


def test_idle_columns_say_nothing(crm: Crm) -> None:
    assert set(crm.export["fax"]) == {""}
    assert crm.export["newsletter_print"].count("No") > 0.99 * SETTINGS.leads


@pytest.mark.parametrize("bad_rows", [0, 8])
def test_bad_rows_are_put_in_and_counted(tmp_path: Path, bad_rows: int) -> None:
    counts = write(simulate(replace(SETTINGS, leads=100, bad_rows=bad_rows)), tmp_path)
    assert counts["export.csv"] == 100 + bad_rows
    assert counts.get("export.csv (bad rows)", 0) == bad_rows


def test_bad_rows_are_broken_in_four_ways(tmp_path: Path) -> None:
    write(simulate(replace(SETTINGS, leads=100, bad_rows=8)), tmp_path)
    with (tmp_path / "export.csv").open(encoding="utf-8", newline="") as lines:
        header, *rows = csv.reader(lines)
    ids = Counter(row[0] for row in rows)
    found = (
        sum(len(row) < len(header) for row in rows),
        ids[""],
        sum("February" in row[1] for row in rows),
        sum(count - 1 for lead, count in ids.items() if lead.startswith("L-") and count > 1),
    )
    assert found == (2, 2, 2, 2)
