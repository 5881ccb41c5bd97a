"""The database: made ready, written whole or not at all, the same on both kinds."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, func, insert, select, text

from features.errors import StoreError
from features.store.database import Store, engine_of, open_store
from features.store.tables import Audit, Row
from tests import postgres
from tests.features.store.making import NOW


def _note(connection: Connection, what: str = "x") -> None:
    connection.execute(insert(Audit), [{"at": NOW, "who": "kim", "act": "test", "what": what}])


def _notes(store: Store) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(Audit)).scalar_one()


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(empty_url: str) -> None:
    store = open_store(empty_url)
    with store.reading() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Row.metadata)
    assert differences == []
    store.close()


def test_a_store_opened_again_keeps_what_it_holds(store: Store, store_url: str) -> None:
    store.write(_note)
    again = open_store(store_url)
    assert _notes(again) == 1
    again.close()


def test_a_write_that_fails_leaves_nothing(store: Store) -> None:
    def half(connection: Connection) -> None:
        _note(connection)
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        store.write(half)
    assert _notes(store) == 0


def test_a_reader_sees_one_state_while_another_writes(store: Store) -> None:
    with store.reading() as connection:
        count = select(func.count()).select_from(Audit)
        before = connection.execute(count).scalar_one()
        store.write(_note)
        assert connection.execute(count).scalar_one() == before
    assert _notes(store) == before + 1


def test_many_writers_at_once_lose_nothing(store: Store) -> None:
    failures: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(10):
                store.write(_note)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert _notes(store) == 80


def test_several_may_make_the_schema_at_once(empty_url: str) -> None:
    stores: list[Store] = []
    threads = [
        threading.Thread(target=lambda: stores.append(open_store(empty_url))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores) == 6
    for store in stores:
        store.close()


def test_a_store_of_a_newer_leadq_is_refused(store: Store, store_url: str) -> None:
    store.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(StoreError, match="schema 9999"):
        open_store(store_url)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("store.db", "no address of a database"),
        ("mysql://host/name", "mysql is no database that the store knows"),
        ("sqlite://", "needs a file"),
    ],
)
def test_a_wrong_address_is_told_with_its_cure(url: str, what: str) -> None:
    with pytest.raises(StoreError, match=what):
        open_store(url)


def test_an_address_that_does_not_answer_is_told_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        open_store(f"postgresql://kim:secret@/leads?host={tmp_path}")
    assert "LEADQ_STORE__URL" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_after_many_writes_postgresql_knows_its_tables(
    postgresql: postgres.Server, postgresql_store: str
) -> None:
    url = postgresql.fresh(template=postgresql_store)
    store = open_store(url)
    for _ in range(5):
        store.write(_note)
    store.close()
    again = open_store(url)
    with again.reading() as connection:
        rows = text("SELECT reltuples FROM pg_class WHERE relname = 'audit'")
        assert connection.execute(rows).scalar_one() == 5
    again.close()


def test_a_folder_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"none: no such folder; make it, or mend LEADQ_STORE"):
        open_store(f"sqlite:///{tmp_path / 'none' / 'a.db'}")
    assert not list(tmp_path.iterdir())


def test_a_store_names_its_address_without_the_password() -> None:
    store = Store(engine_of("postgresql://kim:secret@db.example/leads"))
    assert "db.example/leads" in store.address
    assert "secret" not in store.address
