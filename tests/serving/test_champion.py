"""The champion as a service follows it: taken when it is sound, never at the running one's cost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException
from structlog.testing import capture_logs

from features.errors import StoreError
from features.store.database import Store, open_to_look
from serving import champion as followed
from serving.api import build
from serving.archive import pack
from serving.cache import Cache
from serving.champion import Live
from serving.replies import score_records
from tests import postgres
from tests.serving.versions import (
    LEAD,
    Follow,
    champion,
    crown,
    files,
    probability,
    scored,
)


def test_the_store_s_champion_scores(live: Live) -> None:
    assert scored(live) == ("1", pytest.approx(probability(1), abs=1e-12))
    assert live.trouble == ""


def test_a_promotion_is_taken_at_the_next_look(live: Live, store: Store) -> None:
    crown(store, 2)
    assert scored(live)[0] == "1"
    live.poll()
    assert scored(live) == ("2", pytest.approx(probability(2), abs=1e-12))


def test_a_step_back_is_taken_too(live: Live, store: Store) -> None:
    for version in (2, 1):
        crown(store, version, act="rollback" if version == 1 else "promote")
        live.poll()
    assert scored(live)[0] == "1"
    assert live.swaps == 3


def test_what_is_champion_already_is_not_fetched_again(live: Live, monkeypatch) -> None:
    monkeypatch.setattr(followed, "content_of", lambda *_: pytest.fail("fetched"))
    live.poll()
    assert live.trouble == ""


def test_a_store_that_is_down_is_told_once_and_scores_go_on(store: Store, tmp_path: Path) -> None:
    def down() -> Store:
        raise StoreError("postgresql://kim@secret-host/leads: refused")

    Cache(tmp_path).keep(champion(1), pack(files(1)))
    live = Live(Cache(tmp_path), down)
    with capture_logs() as told:
        live.start()
        live.poll()
        live.poll()
    live.stop()
    assert scored(live)[0] == "1"
    assert [line["log_level"] for line in told] == ["info", "error"]
    assert "secret-host" not in live.trouble


def test_a_store_that_was_wiped_leaves_the_model_and_a_new_one_is_taken(
    live: Live, store: Store
) -> None:
    store.write(lambda c: c.exec_driver_sql("DELETE FROM promotions"))
    store.write(lambda c: c.exec_driver_sql("DELETE FROM published_models"))
    live.poll()
    assert scored(live)[0] == "1"
    assert "names no champion" in live.trouble
    crown(store, 2)
    live.poll()
    assert scored(live)[0] == "2"


def test_a_store_without_its_tables_leaves_the_model(live: Live, store: Store) -> None:
    for table in ("published_models", "promotions"):
        store.write(lambda c, table=table: c.exec_driver_sql(f"DROP TABLE {table}"))
    live.poll()
    assert scored(live)[0] == "1"
    assert live.trouble == "the store does not answer"


def test_looking_at_a_store_makes_no_file(follow: Follow, tmp_path: Path) -> None:
    live = follow(f"sqlite:///{tmp_path / 'store.db'}", tmp_path / "models")
    live.poll()
    assert live.model is None
    assert not (tmp_path / "store.db").exists()


def test_a_restart_without_a_store_serves_the_last_verified_model(
    follow: Follow, live: Live, store: Store, tmp_path: Path
) -> None:
    for version in (2, 3):
        crown(store, version, None if version == 2 else b"broken")
        live.poll()
    again = follow(f"sqlite:///{tmp_path / 'nowhere.db'}", tmp_path / "models")
    again.start()
    again.stop()
    assert scored(again) == ("2", pytest.approx(probability(2), abs=1e-12))


def test_without_store_and_cache_the_service_says_why_it_is_not_ready(
    follow: Follow, tmp_path: Path
) -> None:
    live = follow(f"sqlite:///{tmp_path / 'nowhere.db'}", tmp_path / "models")
    with TestClient(build(live)) as client:
        reply = client.get("/readyz")
    assert reply.status_code == 503
    assert "the store does not answer" in reply.json()["detail"]
    assert "retry-after" in reply.headers


@pytest.mark.parametrize("damage", ["pointer", "archive", "no archive"])
def test_a_damaged_cache_is_passed_over(
    follow: Follow, live: Live, store_url: str, tmp_path: Path, damage: str
) -> None:
    folder = tmp_path / "models"
    archive = folder / f"{champion(1).digest}.zip"
    if damage == "pointer":
        (folder / "champion.json").write_text('{"version": "1", "digest": "../../etc/passwd"}')
    elif damage == "archive":
        archive.write_bytes(archive.read_bytes()[:100])
    else:
        archive.unlink()
    again = follow(store_url, folder)
    again.start()
    again.stop()
    assert scored(again)[0] == "1"


class KilledError(BaseException):
    """Ends a process at a moment."""


@pytest.mark.parametrize("moment", range(4))
def test_who_dies_while_swapping_leaves_one_whole_model(
    tmp_path: Path, monkeypatch, moment: int
) -> None:
    cache, steps = Cache(tmp_path), []
    cache.keep(champion(1), pack(files(1)))
    replace, write = Path.replace, Path.write_bytes

    def dying(step: Callable[..., object]) -> Callable[..., object]:
        def run(*args: object) -> object:
            steps.append(step)
            if len(steps) > moment:
                raise KilledError
            return step(*args)

        return run

    monkeypatch.setattr(Path, "replace", dying(replace))
    monkeypatch.setattr(Path, "write_bytes", dying(write))
    with pytest.raises(KilledError) if moment < 3 else pytest.MonkeyPatch.context():
        cache.keep(champion(2), pack(files(2)))

    last = Cache(tmp_path).last()
    assert last is not None
    assert last.version == ("1" if moment < 3 else "2")


def test_a_disk_that_takes_nothing_does_not_keep_a_champion_from_scoring(
    follow: Follow, store: Store, store_url: str, tmp_path: Path
) -> None:
    (tmp_path / "models").write_text("no folder")
    crown(store, 1)
    live = follow(store_url, tmp_path / "models")
    with capture_logs() as told:
        live.poll()
    assert scored(live)[0] == "1"
    assert "the model is not kept for a restart" in [line["event"] for line in told]


def test_the_cache_keeps_a_few_archives_alone(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for version in range(1, 8):
        cache.keep(champion(version), pack(files(version)))
    assert len(list(tmp_path.glob("*.zip"))) == 3
    last = cache.last()
    assert last is not None
    assert last.version == "7"


def test_two_processes_share_a_home(
    follow: Follow, store: Store, store_url: str, tmp_path: Path
) -> None:
    both = [follow(store_url, tmp_path) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        for version in range(1, 12):
            crown(store, version)
            list(pool.map(Live.poll, both))
            assert {scored(live)[0] for live in both} == {str(version)}
    last = Cache(tmp_path).last()
    assert last is not None
    assert last.version == "11"


def test_under_load_every_answer_is_of_one_version_and_none_fails(live: Live, store: Store) -> None:
    done = Event()

    def ask() -> list[tuple[str, list[float]]]:
        found = []
        while not done.is_set():
            reply = score_records(live.ready(), [LEAD] * 5, 3)
            found.append((reply["model_version"], [r["probability"] for r in reply["results"]]))
        return found

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        for version in (2, 1) * 10:
            crown(store, version)
            live.poll()
        done.set()
        answers = [answer for future in asking for answer in future.result()]

    assert {version for version, _ in answers} <= {"1", "2"}
    for version, probabilities in answers:
        assert probabilities == [pytest.approx(probability(int(version)), abs=1e-12)] * 5
    assert live.swaps == 21


def test_the_service_serves_what_was_promoted_while_it_runs(live: Live, store: Store) -> None:
    with TestClient(build(live)) as client:
        assert client.post("/v1/score", json=LEAD).json()["model_version"] == "1"
        crown(store, 2)
        live.poll()
        reply = client.post("/v1/score", json=LEAD).json()
        crown(store, 3, b"broken")
        live.poll()
        ready = client.get("/readyz").json()
    assert reply["model_version"] == "2"
    assert reply["results"][0]["probability"] == pytest.approx(probability(2), abs=1e-12)
    assert (ready["status"], ready["model_version"]) == ("ready", "2")
    assert "version 3" in ready["detail"]


def test_a_thread_follows_until_it_is_stopped(live: Live) -> None:
    live.start()
    live.stop()
    live._thread.join(30)
    assert not live._thread.is_alive()


def test_without_a_model_asking_for_it_is_answered_503(follow: Follow, tmp_path: Path) -> None:
    with pytest.raises(HTTPException, match="being loaded") as told:
        follow(f"sqlite:///{tmp_path / 'nowhere.db'}", tmp_path).ready()
    assert told.value.status_code == 503


def test_a_slow_server_is_given_up(postgresql: postgres.Server) -> None:
    looking = open_to_look(postgresql.fresh())
    with looking.reading() as connection:
        patience = connection.exec_driver_sql("SHOW statement_timeout").scalar_one()
    looking.close()
    assert patience == "5s"


def test_following_the_champion_imports_nothing_of_training() -> None:
    code = (
        "import sys, serving.champion; "
        "print(sorted({'mlflow', 'pandas', 'sklearn', 'lightgbm', 'scipy', 'alembic'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
