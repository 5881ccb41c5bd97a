"""API keys: who may use the service, and for what.

A key is `leadq_`, eight characters, `_` and 256 bits. By the first fourteen characters, its prefix,
it is named everywhere. The whole is shown once; kept is its HMAC-SHA-256 under `LEADQ_SECRET`. So a
copy of the store opens nothing, and whoever writes to the store cannot make a key without the
secret.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Row, insert, or_, select, update

from features.errors import UsageError
from features.store.audit import audit
from features.store.tables import ApiKey
from features.store.texts import MAX_NAME, storable

Scope = Literal["score", "feedback", "read", "admin", "sales", "marketing"]
"""What a key may be good for. None holds another: a key has exactly those that it was given.

sales and marketing open the pages of either side; read and admin open pages too."""
SCOPES: tuple[Scope, ...] = get_args(Scope)
PREFIX_LENGTH = 14
USED_EVERY = timedelta(minutes=1)
"""Of the times at which a key is used at most one a minute is written down."""


@dataclass(frozen=True)
class KnownKey:
    """What is kept of a key."""

    prefix: str
    hash: str = field(repr=False)
    name: str
    scopes: tuple[str, ...]
    created: datetime
    expires: datetime | None
    used: datetime | None
    revoked: datetime | None

    def state(self, now: datetime) -> str:
        """Say whether the key is `live`, `expired` or `revoked`."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "live"


def hash_of(key: str, secret: bytes) -> bytes:
    """Return the keyed hash of a key (HMAC-SHA-256, 32 bytes); whatever is sent has one."""
    return hmac.digest(secret, key.encode("utf-8", "replace"), "sha256")


def scopes_of(text: str) -> tuple[Scope, ...]:
    """Read scopes joined by commas.

    Raises:
        UsageError: when there is none, or one that does not exist.

    """
    said = {word.strip() for word in text.split(",")} - {""}
    if odd := sorted(said - set(SCOPES)):
        raise UsageError(f"{', '.join(odd)}: no scope of a key; say some of {', '.join(SCOPES)}")
    if not said:
        raise UsageError(f"a key needs a scope; say some of {', '.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in said)


def create(
    connection: Connection,
    name: str,
    scopes: Sequence[str],
    expires: datetime | None,
    secret: bytes,
    who: str,
    now: datetime,
) -> str:
    """Make a key and return it; nothing can show it again.

    Args:
        connection: writes to the store.
        name: whose it is, in the words of those who look after it.
        scopes: some of `SCOPES`.
        expires: from when on it is refused; None: never.
        secret: the service's own.
        who: makes it, for the audit log.
        now: this moment.

    Raises:
        UsageError: when the name is missing or too long, or the key would have expired already.

    """
    name = storable(name.strip())
    if not name or len(name) > MAX_NAME:
        raise UsageError(f"name the key by whom it is for, in at most {MAX_NAME} characters")
    if expires is not None and expires <= now:
        raise UsageError(f"{expires:%Y-%m-%d}: is over already; say a day to come")
    key = f"leadq_{secrets.token_hex(4)}_{secrets.token_hex(32)}"
    prefix = prefix_of(key)
    connection.execute(
        insert(ApiKey).values(
            prefix=prefix,
            hash=hash_of(key, secret).hex(),
            name=name,
            scopes=",".join(scopes),
            created=now,
            expires=expires,
        )
    )
    until = f"until {_told(expires)}" if expires else "until it is revoked"
    audit(connection, "key new", f"{prefix} ({name}): {', '.join(scopes)}; {until}", who, now)
    return key


def rotate(
    connection: Connection, prefix: str, grace: timedelta, secret: bytes, who: str, now: datetime
) -> str:
    """Make a key in the place of another and return it; the other goes on for the grace.

    The new one has the name and the scopes of the old one, and lives as long as that was given.

    Raises:
        UsageError: when there is no such key, or it is not live any more.

    """
    old = live_key(connection, prefix, now)
    expires = now + (old.expires - old.created) if old.expires else None
    ends = min(now + grace, old.expires or datetime.max)
    key = create(connection, old.name, old.scopes, expires, secret, who, now)
    connection.execute(update(ApiKey).where(ApiKey.prefix == old.prefix).values(expires=ends))
    what = f"{old.prefix} ({old.name}) by {prefix_of(key)}; ends {_told(ends)}"
    audit(connection, "key rotate", what, who, now)
    return key


def revoke(connection: Connection, prefix: str, who: str, now: datetime) -> KnownKey:
    """Revoke a key for good, and return it as it was; one that is revoked already stays so.

    Raises:
        UsageError: when there is no such key.

    """
    key = _find(connection, prefix)
    if key.revoked is None:
        connection.execute(update(ApiKey).where(ApiKey.prefix == key.prefix).values(revoked=now))
        audit(connection, "key revoke", f"{key.prefix} ({key.name})", who, now)
    return key


def live_key(connection: Connection, prefix: str, now: datetime) -> KnownKey:
    """Return a key by its prefix.

    Raises:
        UsageError: when there is no such key, or it is not live any more.

    """
    key = _find(connection, prefix)
    if (state := key.state(now)) != "live":
        raise UsageError(f"{key.prefix} is {state} already; make a new one with: leadq keys new")
    return key


def known_keys(connection: Connection) -> list[KnownKey]:
    """Return all keys there have been, the oldest first."""
    rows = connection.execute(select(ApiKey.__table__).order_by(ApiKey.key))
    return [_known(row) for row in rows]


def write_used(connection: Connection, used: Mapping[str, datetime]) -> None:
    """Write down when keys were used, unless that was written within the minute before."""
    for prefix, at in used.items():
        long_ago = or_(ApiKey.used.is_(None), ApiKey.used <= at - USED_EVERY)
        connection.execute(update(ApiKey).where(ApiKey.prefix == prefix, long_ago).values(used=at))


def prefix_of(text: str) -> str:
    """Return the prefix of a key, or a prefix as it is: never more of a key than may be shown."""
    return text.strip()[:PREFIX_LENGTH]


def _find(connection: Connection, text: str) -> KnownKey:
    prefix = prefix_of(text)
    row = connection.execute(select(ApiKey.__table__).where(ApiKey.prefix == prefix)).one_or_none()
    if row is None:
        raise UsageError(f"{prefix}: there is no such key; see them with: leadq keys list")
    return _known(row)


def _known(row: Row[Any]) -> KnownKey:
    values = row._asdict()
    del values["key"]
    return KnownKey(**values | {"scopes": tuple(values["scopes"].split(","))})


def _told(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
