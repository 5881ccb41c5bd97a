"""Sales speaks while a model is retrained: nothing that was said is lost, and nothing fails."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from features.home import Home, Settings, StoreSettings
from features.store.database import open_store
from features.store.feedback import keep
from features.store.said import Said
from features.store.tables import Disposition
from tests.training.firms import START, enquiries
from tests.training.test_retrain import AGREED, NOW, Firm, clear

WRITERS, WORDS = 8, 20
ENQUIRIES = enquiries(300)


def test_eight_writers_and_a_retraining_at_once_lose_nothing(
    store_url: str, tmp_path: Path
) -> None:
    firm = Firm(tmp_path)
    firm.home = Home(Settings(home=tmp_path / "home", store=StoreSettings(url=store_url)))
    firm.store.close()
    firm.store = open_store(store_url)
    firm.export(clear, rows=300)
    failures: list[Exception] = []

    def write(writer: int) -> None:
        try:
            for i in range(WORDS):
                said = Said(f"{writer}-{i}", "lost", _at(i), by=f"rep {writer}")
                more = Said(_lead(writer, i), "contacted", _at(i), by=f"rep {writer}")
                firm.store.write(lambda c, s=(said, more): keep(c, s, AGREED, "rest", NOW))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(WRITERS)]
    for thread in threads:
        thread.start()
    result = firm.retrain()
    for thread in threads:
        thread.join()

    assert failures == []
    assert result.outcome == "first"
    with firm.store.reading() as connection:
        said = select(func.count()).where(Disposition.code == "contacted")
        assert connection.execute(said).scalar_one() == WRITERS * WORDS
    firm.store.close()


def _at(i: int) -> datetime:
    return START + timedelta(days=400, minutes=i)


def _lead(writer: int, i: int) -> str:
    return ENQUIRIES[writer * WORDS + i].code
