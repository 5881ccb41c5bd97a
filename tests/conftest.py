"""What is costly is made once: a simulated CRM, an agreement, a trained home."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.agreement import Agreement, load
from features.home import Home, MlflowSettings, Settings
from features.simulate import Settings as Market
from features.simulate import simulate, write
from tests.training.firms import clear, write_export
from training.propose import propose
from training.render import render
from training.roles import Told
from training.train import Training, train

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def crm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of a simulated CRM."""
    folder = tmp_path_factory.mktemp("crm")
    write(simulate(Market(leads=4000, seed=3)), folder)
    return folder


@pytest.fixture(scope="session")
def agreement_file(crm: Path) -> Path:
    """The agreement that init proposes for it."""
    path = crm / "agreement.toml"
    path.write_text(render(propose(crm / "export.csv", Told())), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def agreement(agreement_file: Path) -> Agreement:
    """The same, read."""
    return load(agreement_file)


def home_at(folder: Path) -> Home:
    """A home in a folder, whatever the environment says."""
    return Home(Settings(home=folder, mlflow=MlflowSettings()))


@pytest.fixture(scope="session")
def trained(
    crm: Path, agreement: Agreement, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Home, Training]:
    """A home with one champion, trained on the simulated CRM."""
    home = home_at(tmp_path_factory.mktemp("home"))
    return home, train(crm / "export.csv", agreement, home, preset="fast")


@pytest.fixture(scope="session")
def three_runs(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with three small trainings on one export; the first is champion."""
    folder = tmp_path_factory.mktemp("three")
    export = write_export(folder, clear, rows=500)
    agreed, home = propose(export, Told()).agreement, home_at(folder / "home")
    for name, recipe, seed in (
        ("plain", "logistic", 0),
        ("trees", "trees", 0),
        ("again", "trees", 1),
    ):
        train(export, agreed, home, name, recipe, seed, preset="fast")  # type: ignore[arg-type]
    return home


@pytest.fixture(scope="session")
def xeducation() -> Path:
    """The export of an education company (public; its licence forbids to ship it)."""
    path = SHARED_DATA / "xeducation" / "Leads.csv"
    if not path.exists():
        pytest.skip("the education company's leads are not on this machine; they cannot be shipped")
    return path
