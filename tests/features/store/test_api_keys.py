"""API keys as they are kept: made once, shown once, rotated, revoked, found in the audit log."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from features.errors import UsageError
from features.store import api_keys
from features.store.api_keys import KnownKey, create, hash_of, known_keys, prefix_of, scopes_of
from features.store.database import Store
from features.store.tables import ApiKey, Audit
from tests.features.store.making import NOW

SECRET = b"s" * 32
DAY = timedelta(days=1)


def made(store: Store, expires: datetime | None = None, name: str = "CRM") -> str:
    scopes = ("score", "feedback")
    return store.write(lambda c: create(c, name, scopes, expires, SECRET, "kim", NOW))


def rotated(store: Store, key: str, now: datetime = NOW, grace: timedelta = DAY) -> str:
    return store.write(lambda c: api_keys.rotate(c, key[:14], grace, SECRET, "kim", now))


def revoke(store: Store, key: str, now: datetime = NOW) -> KnownKey:
    return store.write(lambda c: api_keys.revoke(c, key[:14], "kim", now))


def kept(store: Store) -> list[KnownKey]:
    with store.reading() as connection:
        return known_keys(connection)


def audited(store: Store) -> list[tuple[str, str, str]]:
    with store.reading() as connection:
        rows = connection.execute(select(Audit.who, Audit.act, Audit.what).order_by(Audit.key))
        return [(who, act, what) for who, act, what in rows]


def test_a_key_is_kept_as_a_keyed_hash_alone(store: Store) -> None:
    key = made(store)
    with store.reading() as connection:
        row = str(connection.execute(select(ApiKey.__table__)).one())
    assert key[:14] in row
    assert hash_of(key, SECRET).hex() in row
    assert key[14:] not in row


def test_a_key_has_256_bits_beside_its_prefix(store: Store) -> None:
    one, other = made(store), made(store)
    assert one[:6] == "leadq_"
    assert len(bytes.fromhex(one[15:])) == 32
    assert one[:14] != other[:14]
    assert one[15:] != other[15:]


def test_another_secret_gives_another_hash(store: Store) -> None:
    key = made(store)
    assert hash_of(key, SECRET) != hash_of(key, b"t" * 32)


def test_no_act_writes_more_of_a_key_than_its_prefix_into_the_audit_log(store: Store) -> None:
    old = made(store)
    new = rotated(store, old)
    revoke(store, new)
    acts = audited(store)
    assert [(who, act) for who, act, _ in acts] == [
        ("kim", "key new"), ("kim", "key new"), ("kim", "key rotate"), ("kim", "key revoke"),
    ]  # fmt: skip
    told = " ".join(what for *_, what in acts)
    assert old[:14] in told
    assert new[:14] in told
    assert old[14:] not in told
    assert new[14:] not in told


def test_a_key_in_the_place_of_another_is_good_for_the_same(store: Store) -> None:
    new = rotated(store, made(store))
    old_one, new_one = kept(store)
    assert new_one.prefix == new[:14]
    assert (new_one.name, new_one.scopes) == (old_one.name, old_one.scopes)
    assert new_one.expires is None


def test_the_old_key_goes_on_for_its_grace_and_no_longer(store: Store) -> None:
    rotated(store, made(store))
    old, _ = kept(store)
    assert old.state(NOW + DAY - timedelta(seconds=1)) == "live"
    assert old.state(NOW + DAY) == "expired"


def test_a_grace_does_not_lengthen_a_life(store: Store) -> None:
    rotated(store, made(store, expires=NOW + timedelta(hours=1)))
    assert kept(store)[0].expires == NOW + timedelta(hours=1)


def test_the_new_key_lives_as_long_as_the_old_one_was_given(store: Store) -> None:
    rotated(store, made(store, expires=NOW + 30 * DAY), now=NOW + 29 * DAY)
    assert kept(store)[1].expires == NOW + 59 * DAY


def test_a_key_that_is_over_cannot_be_rotated(store: Store) -> None:
    revoked, expired = made(store), made(store, expires=NOW + DAY)
    revoke(store, revoked)
    with pytest.raises(UsageError, match="is revoked already; make a new one"):
        rotated(store, revoked)
    with pytest.raises(UsageError, match="is expired already; make a new one"):
        rotated(store, expired, now=NOW + DAY)


def test_a_key_that_is_revoked_stays_revoked_since_then(store: Store) -> None:
    key = made(store)
    assert revoke(store, key).revoked is None
    assert revoke(store, key, NOW + DAY).revoked == NOW
    assert kept(store)[0].state(NOW) == "revoked"
    assert [act for _, act, _ in audited(store)] == ["key new", "key revoke"]


def test_a_key_that_nobody_has_is_named_by_its_prefix_alone(store: Store) -> None:
    whole = "leadq_00000000_" + "a" * 64
    with pytest.raises(UsageError, match="there is no such key") as refused:
        store.write(lambda c: api_keys.revoke(c, whole, "kim", NOW))
    assert "aaaa" not in str(refused.value)


def test_a_key_may_be_named_by_the_whole_of_it(store: Store) -> None:
    key = made(store)
    store.write(lambda c: api_keys.revoke(c, f" {key}\n", "kim", NOW))
    assert kept(store)[0].revoked == NOW
    assert prefix_of(key) == kept(store)[0].prefix


def test_a_life_that_is_over_is_refused(store: Store) -> None:
    with pytest.raises(UsageError, match="2026-06-29: is over already"):
        made(store, expires=datetime(2026, 6, 29))


@pytest.mark.parametrize("name", ["", "  ", "x" * 201])
def test_a_key_needs_a_name_of_some_length(store: Store, name: str) -> None:
    with pytest.raises(UsageError, match="name the key by whom it is for"):
        made(store, name=name)


def test_scopes_are_read_in_any_order_and_kept_in_one() -> None:
    assert scopes_of("feedback, score,score") == ("score", "feedback")


@pytest.mark.parametrize(("text", "words"), [("write", "write: no scope"), (" ,", "needs a scope")])
def test_a_scope_that_does_not_exist_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=f"{words}.*score, feedback, read, admin"):
        scopes_of(text)


def test_the_time_of_use_is_written_at_most_once_a_minute(store: Store) -> None:
    prefix = made(store)[:14]

    def used(seconds: int) -> datetime | None:
        at = NOW + timedelta(seconds=seconds)
        store.write(lambda c: api_keys.write_used(c, {prefix: at}))
        return kept(store)[0].used

    assert used(0) == NOW
    assert used(59) == NOW
    assert used(60) == NOW + timedelta(seconds=60)


def test_the_hash_is_in_no_words_about_a_key(store: Store) -> None:
    made(store)
    (key,) = kept(store)
    assert key.hash not in repr(key)
