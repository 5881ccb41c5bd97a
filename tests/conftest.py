"""What is costly is made once: a simulated CRM, an agreement, a trained home."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from features.agreement import Agreement, load
from features.home import Home, MlflowSettings, Settings
from features.simulate import Settings as Market
from features.simulate import simulate, write
from features.store.database import Store, open_store
from serving.build_kernel import ALL
from tests import postgres
from tests.training.firms import clear, write_export
from training.propose import propose
from training.render import render
from training.roles import Told
from training.train import Training, train

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


def pytest_sessionstart() -> None:
    """Compile our own C where a source has changed, so that no test speaks of an old one."""
    for one in ALL:
        if not one.is_current():
            one.build()


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


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres.Server]:
    """A running PostgreSQL; without one the tests of the store fail rather than skip."""
    # Not in pytest's folder: the path of a socket must be short.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        with postgres.server(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_kind(request: pytest.FixtureRequest) -> str:
    """Each kind of database in turn."""
    return str(request.param)


@pytest.fixture
def empty_url(store_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without any table, of each kind in turn."""
    if store_kind == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    server: postgres.Server = request.getfixturevalue("postgresql")
    return server.fresh()


@pytest.fixture(scope="session")
def sqlite_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of SQLite with the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("store") / "store.db"
    open_store(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def postgresql_store(postgresql: postgres.Server) -> str:
    """The name of a database with the newest schema, to be copied."""
    url = postgresql.fresh()
    open_store(url).close()
    return str(make_url(url).database)


@pytest.fixture
def store_url(store_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a store that holds nothing yet, on each kind of database in turn."""
    if store_kind == "sqlite":
        path = tmp_path / "store.db"
        shutil.copy(request.getfixturevalue("sqlite_store"), path)
        return f"sqlite:///{path}"
    server: postgres.Server = request.getfixturevalue("postgresql")
    return server.fresh(template=request.getfixturevalue("postgresql_store"))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store that holds nothing yet, on each kind of database in turn."""
    opened = open_store(store_url)
    yield opened
    opened.close()
