"""The leak search on exports whose leaks are known: the simulated CRM and public sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.simulate import Settings, simulate, write
from features.simulate.record import ROLES
from tests.conftest import SHARED_DATA
from training.check import check
from training.leaks import Finding
from training.propose import propose
from training.roles import Told

LEAKS = {*ROLES["leak"], *ROLES["value"], *ROLES["closed"]}


def found(export: Path, told: Told) -> dict[str, Finding]:
    """What `check` finds under the agreement that `init` proposes."""
    return check(export, propose(export, told).agreement).findings


def names(findings: dict[str, Finding], *verdicts: str) -> set[str]:
    return {name for name, finding in findings.items() if finding.verdict in verdicts}


@pytest.mark.parametrize(
    "settings",
    [
        Settings(leads=2500, seed=1),
        Settings(leads=2500, seed=2, signal=0.9),
        Settings(leads=2500, seed=3, win_rate=0.04),
        Settings(leads=2500, seed=4, drift=1.0),
        Settings(leads=600, seed=5),
    ],
    ids=["plain", "strong honest fields", "rare wins", "drift", "few leads"],
)
def test_the_leaks_of_a_simulated_crm_are_found_and_nothing_else(
    settings: Settings, tmp_path: Path
) -> None:
    write(simulate(settings), tmp_path)

    findings = found(tmp_path / "export.csv", Told())
    blocked, accused = names(findings, "blocked"), names(findings, "blocked", "suspect")

    assert blocked <= LEAKS
    assert len(blocked) >= 0.4 * len(LEAKS)
    assert len(accused - LEAKS) <= 0.2 * len(accused)
    assert len(accused & LEAKS) >= 0.8 * len(LEAKS)


def test_a_strong_honest_field_of_the_simulated_crm_is_fine(tmp_path: Path) -> None:
    write(simulate(Settings(leads=2500, seed=6, signal=0.95)), tmp_path)

    assert found(tmp_path / "export.csv", Told())["form_type"].verdict == "fine"


ADVERTS = Told(outcome="Approved_Conversion", won=[str(n) for n in range(1, 40)], lost=["0"])
KNOWN = {
    "xeducation/Leads.csv": (
        Told(outcome="Converted"),
        {
            "Tags", "Lead Quality", "Lead Profile", "Last Activity", "Last Notable Activity",
            "Asymmetrique Activity Index", "Asymmetrique Profile Index",
            "Asymmetrique Activity Score", "Asymmetrique Profile Score",
        },
    ),
    "bank_marketing/bank-full.csv": (Told(outcome="y"), {"duration"}),
    "maven_crm/sales_pipeline.csv": (Told(), {"close_date", "close_value"}),
    "facebook_ads_kag/KAG_conversion_data.csv": (ADVERTS, {"Total_Conversion"}),
    "caravan_coil2000/caravan-insurance-challenge.csv": (Told(outcome="CARAVAN"), set()),
}  # fmt: skip


def thinned(export: Path, folder: Path, rows: int = 5000) -> Path:
    """A regular part of an export, for speed; none of these has a record over several lines."""
    header, *lines = export.read_text(encoding="utf-8").splitlines(keepends=True)
    part = folder / export.name
    part.write_text("".join([header, *lines[:: -(-len(lines) // rows)]]), encoding="utf-8")
    return part


@pytest.mark.parametrize("file", KNOWN)
def test_the_leaks_that_a_public_set_is_known_for_are_found_and_nothing_else(
    file: str, tmp_path: Path
) -> None:
    path = SHARED_DATA / file
    if not path.exists():
        pytest.skip(f"{file} is not on this machine; its licence forbids to ship it")
    told, leaks = KNOWN[file]

    findings = found(thinned(path, tmp_path), told)

    assert names(findings, "blocked", "suspect") == leaks
