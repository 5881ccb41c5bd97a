"""Who may ask: keys held in memory, checked without the store, the same way whatever is sent."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, update
from starlette.exceptions import HTTPException

from features.errors import StoreError
from features.store import api_keys
from features.store.api_keys import Scope, create, hash_of, known_keys
from features.store.database import Store
from features.store.sessions import end_session
from features.store.tables import ApiKey
from serving import access as checking
from serving.access import Access, Bucket
from tests.features.store.making import NOW

SECRET = b"s" * 32
HOUR = timedelta(hours=1)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.at = NOW.replace(tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.at


class Desk:
    """An `Access` with a store that can be switched off, and clocks that are set by hand."""

    def __init__(
        self, store: Store, folder: Path, rate: float = 100.0, every: float = 0.01
    ) -> None:
        self.store = store
        self.is_down = self.is_locked = False
        self.wall, self.steady = Clock(), Clock()
        file = folder / "keys.json"
        self.access = Access(SECRET, rate, file, self.opened, every, self.wall, self.steady)

    def opened(self) -> Any:
        """This stands for the store."""
        return self

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        if self.is_down:
            raise StoreError("no answer")
        with self.store.reading() as connection:
            yield connection

    def close(self) -> None:
        """The store is closed by its fixture."""

    def write(self, work: Callable[[Connection], Any]) -> Any:
        if self.is_locked:
            raise StoreError("somebody writes")
        return self.store.write(work)

    def key(self, *scopes: Scope, expires: datetime | None = None) -> str:
        made = self.store.write(lambda c: create(c, "CRM", scopes, expires, SECRET, "kim", NOW))
        self.access.refresh()
        return made

    def refused(self, authorization: str | None, scope: Scope = "score") -> HTTPException:
        with pytest.raises(HTTPException) as refused:
            self.access.check(authorization, scope)
        return refused.value

    def may(self, key: str, scope: Scope = "score") -> bool:
        try:
            return self.access.check(f"Bearer {key}", scope).name == key[:14]
        except HTTPException:
            return False

    def used(self) -> datetime | None:
        with self.store.reading() as connection:
            return known_keys(connection)[0].used


@pytest.fixture
def desk(store: Store, tmp_path: Path) -> Desk:
    return Desk(store, tmp_path)


def test_a_key_lets_its_holder_in_under_its_prefix(desk: Desk) -> None:
    key = desk.key("score")
    assert desk.access.check(f"Bearer {key}", "score").name == key[:14]
    assert desk.access.check(f"bearer  {key} ", "score").name == key[:14]


@pytest.mark.parametrize("scope", api_keys.SCOPES)
def test_a_key_is_good_for_its_own_scope_alone(desk: Desk, scope: Scope) -> None:
    key = desk.key(scope)
    assert [other for other in api_keys.SCOPES if desk.may(key, other)] == [scope]


def test_a_key_without_the_scope_is_told_which_one_it_needs(desk: Desk) -> None:
    refused = desk.refused(f"Bearer {desk.key('score')}", "admin")
    assert refused.status_code == 403
    assert "needs the scope admin" in refused.detail
    assert 'scope="admin"' in (refused.headers or {})["WWW-Authenticate"]


def not_let_in(desk: Desk) -> dict[str, str | None]:
    """What may be sent that lets nobody in, by what is wrong with it."""
    key = desk.key("score")
    revoked = desk.key("score")
    desk.store.write(lambda c: api_keys.revoke(c, revoked, "kim", NOW))
    expired = desk.key("score", expires=NOW + HOUR)
    desk.wall.at += 3600
    desk.access.refresh()
    return {
        "nothing": None,
        "empty": "",
        "no key": "Bearer",
        "another scheme": f"Basic {key}",
        "bare": key,
        "a wrong key": f"Bearer {key[:-1]}{'0' if key[-1] != '0' else '1'}",
        "an unknown prefix": f"Bearer leadq_zzzzzzzz{key[14:]}",
        "the prefix alone": f"Bearer {key[:14]}",
        "a key and more": f"Bearer {key}0",
        "a long one": f"Bearer {key}{'0' * 100_000}",
        "no text": "Bearer \udcff\x00é",
        "the hash": f"Bearer {hash_of(key, SECRET).hex()}",
        "revoked": f"Bearer {revoked}",
        "expired": f"Bearer {expired}",
    }


def test_whatever_is_wrong_with_a_key_is_told_in_the_same_words(desk: Desk) -> None:
    told = {
        name: (refused.status_code, refused.detail, tuple((refused.headers or {}).items()))
        for name, sent in not_let_in(desk).items()
        for refused in [desk.refused(sent)]
    }
    assert len(set(told.values())) == 1, told
    status, detail, headers = told["nothing"]
    assert status == 401
    assert "Bearer KEY" in detail
    assert dict(headers)["WWW-Authenticate"].startswith("Bearer")


def test_whatever_is_wrong_with_a_key_one_hash_is_made_and_one_compared(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = not_let_in(desk)
    steps: list[str] = []

    def hashed(key: str, secret: bytes) -> bytes:
        steps.append("hash")
        return hash_of(key, secret)

    def compared(one: bytes, other: bytes) -> bool:
        steps.append(f"compare {len(one)} and {len(other)}")
        return one == other

    monkeypatch.setattr(checking, "hash_of", hashed)
    monkeypatch.setattr(checking, "compare_digest", compared)
    for name, sent in wrong.items():
        steps.clear()
        desk.refused(sent)
        assert steps == ["hash", "compare 32 and 32"], name


def test_a_key_ends_at_the_moment_in_which_it_expires(desk: Desk) -> None:
    key = desk.key("score", expires=NOW + HOUR)
    desk.wall.at += 3599
    assert desk.may(key)
    desk.wall.at += 1
    assert not desk.may(key)


def test_a_revoked_key_stops_with_the_next_reading(desk: Desk) -> None:
    key = desk.key("score")
    desk.store.write(lambda c: api_keys.revoke(c, key, "kim", NOW))
    desk.access.refresh()
    assert not desk.may(key)


def test_both_keys_work_while_one_takes_the_place_of_the_other(desk: Desk) -> None:
    old = desk.key("score")
    new = desk.store.write(lambda c: api_keys.rotate(c, old, HOUR, SECRET, "kim", NOW))
    desk.access.refresh()
    assert (desk.may(old), desk.may(new)) == (True, True)
    desk.wall.at += 3600
    assert (desk.may(old), desk.may(new)) == (False, True)


def test_keys_are_read_in_the_background(desk: Desk) -> None:
    desk.access.start()
    try:
        assert desk.refused(None).status_code == 401
        key = desk.store.write(lambda c: create(c, "CRM", ("score",), None, SECRET, "kim", NOW))
        for _ in range(500):
            if desk.may(key):
                break
            time.sleep(0.01)
        assert desk.may(key)
    finally:
        desk.access.close()


def test_the_thread_outlives_what_nobody_foresaw(store: Store, tmp_path: Path) -> None:
    tries: list[int] = []

    def opened() -> Store:
        tries.append(1)
        if len(tries) == 1:
            raise ZeroDivisionError
        return store

    access = Access(SECRET, 1.0, tmp_path / "keys.json", opened, 0.01)
    access.start()
    for _ in range(500):
        with pytest.raises(HTTPException) as refused:
            access.check(None, "score")
        if refused.value.status_code == 401:
            break
        time.sleep(0.01)
    access.close()
    assert refused.value.status_code == 401


def test_keys_go_on_while_the_store_is_down(desk: Desk) -> None:
    key = desk.key("score")
    desk.is_down = True
    desk.access.refresh()
    assert desk.may(key)


def test_a_restart_without_the_store_knows_the_keys_known_last(
    desk: Desk, store: Store, tmp_path: Path
) -> None:
    key, expired = desk.key("score"), desk.key("score", expires=NOW + HOUR)
    revoked = desk.key("score")
    store.write(lambda c: api_keys.revoke(c, revoked, "kim", NOW))
    desk.access.refresh()

    again = Desk(store, tmp_path)
    again.is_down = True
    again.wall.at += 3600
    again.access.start()
    again.access.close()
    assert [again.may(k) for k in (key, expired, revoked)] == [True, False, False]


def test_a_session_that_was_ended_stays_ended_after_a_restart_without_the_store(
    desk: Desk, store: Store, tmp_path: Path
) -> None:
    desk.key("read")
    store.write(lambda c: end_session(c, "token", "kim", NOW))
    desk.access.refresh()

    again = Desk(store, tmp_path)
    again.is_down = True
    again.access.start()
    again.access.close()
    assert again.access.has_ended("token")
    assert not again.access.has_ended("another")


def test_the_file_for_a_restart_opens_nothing(desk: Desk, tmp_path: Path) -> None:
    key = desk.key("score")
    text = (tmp_path / "keys.json").read_text()
    assert key[14:] not in text
    assert SECRET.decode() not in text
    assert not desk.may(json.loads(text)["keys"][0]["hash"])


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '{"keys": [{}], "ended": {}}', '{"keys": [], "ended": [1]}', "null"]
)
def test_a_broken_file_for_a_restart_is_as_good_as_none(
    desk: Desk, tmp_path: Path, text: str
) -> None:
    (tmp_path / "keys.json").write_text(text)
    desk.is_down = True
    desk.access.start()
    desk.access.close()
    refused = desk.refused("Bearer x")
    assert refused.status_code == 503
    assert (refused.headers or {})["Retry-After"] == "1"


def test_use_is_written_down_by_the_thread_and_not_by_the_check(desk: Desk) -> None:
    key = desk.key("score")
    desk.may(key)
    assert desk.used() is None
    desk.access.refresh()
    assert desk.used() == NOW


def test_keys_are_read_although_use_cannot_be_written_down(desk: Desk) -> None:
    key = desk.key("score")
    desk.may(key)
    desk.is_locked = True
    desk.store.write(lambda c: api_keys.revoke(c, key, "kim", NOW))
    desk.access.refresh()
    assert (desk.may(key), desk.used()) == (False, None)
    desk.is_locked = False
    desk.access.refresh()
    assert desk.used() == NOW


def test_a_refused_key_was_not_used(desk: Desk) -> None:
    key = desk.key("score")
    desk.may(key, "admin")
    desk.may(key[:-1] + "x")
    desk.access.refresh()
    assert desk.used() is None


def test_a_key_may_ask_as_often_as_its_rate_says(store: Store, tmp_path: Path) -> None:
    desk = Desk(store, tmp_path, rate=5.0)
    key, other = desk.key("score"), desk.key("score")
    assert [desk.may(key) for _ in range(6)] == [True] * 5 + [False]
    refused = desk.refused(f"Bearer {key}")
    assert (refused.status_code, (refused.headers or {})["Retry-After"]) == (429, "1")
    assert desk.may(other)
    desk.steady.at += 0.2
    assert [desk.may(key) for _ in range(2)] == [True, False]


def test_reading_the_keys_again_does_not_fill_the_bucket(store: Store, tmp_path: Path) -> None:
    desk = Desk(store, tmp_path, rate=1.0)
    key = desk.key("score")
    assert desk.may(key)
    desk.key("read")
    assert desk.refused(f"Bearer {key}").status_code == 429


def test_a_wrong_scope_counts_as_asking(store: Store, tmp_path: Path) -> None:
    desk = Desk(store, tmp_path, rate=1.0)
    key = desk.key("score")
    assert desk.refused(f"Bearer {key}", "admin").status_code == 403
    assert desk.refused(f"Bearer {key}", "admin").status_code == 429


def test_a_slow_rate_lets_one_through_and_says_how_long_to_wait() -> None:
    bucket = Bucket(0.1, 0.0)
    assert [bucket.wait(0.0), bucket.wait(0.0), bucket.wait(4.0)] == pytest.approx([0.0, 10.0, 6.0])
    assert bucket.wait(10.0) == 0.0


def test_a_damaged_key_is_refused_and_named_and_the_others_go_on(
    desk: Desk, store: Store, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = desk.key("score")
    damaged = update(ApiKey).where(ApiKey.prefix == broken[:14]).values(hash="no hash")
    store.write(lambda c: c.execute(damaged))
    new = desk.key("score")

    assert (desk.may(new), desk.may(broken)) == (True, False)
    assert broken[:14] in capsys.readouterr().out + caplog.text
