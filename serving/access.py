"""Who may ask for what: API keys and how often each may ask, checked without input or output.

The keys stand in memory. A thread reads them from the store every two seconds, so a new key works
and a revoked one stops within seconds. While the store does not answer, the keys known last go on,
also through a restart: their hashes are kept in a file of the home, which opens nothing without
`LEADQ_SECRET`.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from pathlib import Path
from secrets import token_bytes
from typing import TYPE_CHECKING, Any

import structlog
from starlette.exceptions import HTTPException

from features.errors import LeadqError
from features.store.api_keys import (
    PREFIX_LENGTH,
    USED_EVERY,
    KnownKey,
    Scope,
    hash_of,
    known_keys,
    write_used,
)
from features.store.database import Store
from features.store.sessions import ended_sessions
from serving.problems import where
from serving.written import whole_or_not

if TYPE_CHECKING:
    from starlette.requests import Request

log = structlog.get_logger()

_HOW_TO_MAKE_ONE = "leadq keys new --name CRM --scope score,feedback"
_START_SECONDS = 3.0
"""A store that does not answer holds up the start for no longer."""
_CLOSE_SECONDS = 1.0
"""Nor does it hold up the end for longer."""
SESSION_HOURS = 12
"""How long somebody stays signed in to the pages: a working day."""
_BEHIND = timedelta(minutes=5)
"""By so much the clocks of two hosts may differ."""
_LONGEST = 128
"""Characters of a header that are looked at; no key is so long."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as the audit log and the log name them."""

    name: str
    """The prefix of a key, never the key."""


NO_KEYS = Caller("rest")
"""Whoever asks a service that was started without keys."""


def caller_of(request: Request) -> Caller:
    """Return who sent a request, as the check in front of the routes found out."""
    found: Caller = getattr(request.state, "caller", NO_KEYS)
    return found


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a live key is, and what it opens."""

    caller: Caller
    name: str
    """As the key was named."""
    scopes: frozenset[str]


class RefusedError(HTTPException):
    """Somebody who is known and may not, or not now."""

    def __init__(self, caller: Caller, status: int, detail: str, headers: dict[str, str]) -> None:
        super().__init__(status, detail, headers)
        self.caller = caller


class Bucket:
    """Lets so many calls through a second, and as many at once (a token bucket)."""

    __slots__ = ("_at", "_left", "_rate")

    def __init__(self, rate: float, at: float) -> None:
        self._rate = rate
        self._left = max(rate, 1.0)
        self._at = at

    def wait(self, at: float) -> float:
        """Take a place and return 0, or return the seconds until there is one."""
        self._left = min(max(self._rate, 1.0), self._left + (at - self._at) * self._rate)
        self._at = at
        if self._left >= 1.0:
            self._left -= 1.0
            return 0.0
        return (1.0 - self._left) / self._rate


@dataclass(frozen=True, slots=True)
class _Held:
    """A key as it is held in memory."""

    hash: bytes
    expires: float
    """Seconds since 1970; infinity: never."""
    holder: Holder
    bucket: Bucket


class Access:
    """Checks keys. `start` begins to read them, `close` ends it.

    Args:
        secret: under which keys are hashed.
        rate: calls a second for each key, in this process.
        remembered: the file in which the hashes are kept for a restart without the store.
        open_store: opens the store; called by the thread, once, and again while it fails.
        every_seconds: how often the keys are read.
        wall: the time of day, in seconds since 1970; by it keys expire.
        steady: a time that never jumps, in seconds; by it calls are limited.

    """

    def __init__(
        self,
        secret: bytes,
        rate: float,
        remembered: Path,
        open_store: Callable[[], Store],
        every_seconds: float = 2.0,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secret = secret
        self._rate = rate
        self._remembered = remembered
        self._open_store = open_store
        self._every = every_seconds
        self._store: Store | None = None
        self._wall = wall
        self._steady = steady
        self._held: dict[str, _Held] | None = None
        self._keys: list[KnownKey] = []
        self._used: dict[str, float] = {}
        self._ended: dict[str, datetime] = {}
        self._looked: datetime | None = None
        self._told = ""
        self._kept = ""
        self._stop, self._tried = threading.Event(), threading.Event()
        self._reader: threading.Thread | None = None
        # Nobody knows what hashes to it, and it is good for nothing.
        nobody = Holder(NO_KEYS, "", frozenset())
        self._nobody = _Held(token_bytes(32), math.inf, nobody, Bucket(1.0, 0.0))

    def check(self, authorization: str | None, scope: Scope) -> Caller:
        """Return who asks, if they may.

        A prefix that nobody has costs the same as a wrong key, and is told in the same words: the
        hash is made and compared whatever was sent.

        Args:
            authorization: the header, as it came.
            scope: that is needed.

        Raises:
            HTTPException: 401 for a key that is missing, wrong, expired or revoked; 403 for one
                without the scope and 429 for one that asks too often (`RefusedError`, which names
                the caller for the log); 503 while no keys are known.

        """
        return self._let_in(self._right(_key_in(authorization)), (scope,))

    def holder_of(self, key: str) -> Holder:
        """Return whose a key is, whatever it opens. See `check` for what is raised."""
        return self._right(key[:_LONGEST]).holder

    def again(self, prefix: str, scopes: Sequence[str]) -> Holder:
        """Return the holder of a live key that was checked before and has one of the scopes.

        See `check` for what is raised.
        """
        found = self._live(prefix)
        self._let_in(found, scopes)
        return found.holder

    def look_up(self, prefix: str) -> Holder:
        """Return the holder of a live key, whatever it opens; this is no call of the key."""
        return self._live(prefix).holder

    def _live(self, prefix: str) -> _Held:
        found = self._known().get(prefix)
        if found is None or self._wall() >= found.expires:
            raise _not_right()
        return found

    def has_ended(self, session: str) -> bool:
        """Whether somebody has signed out of a session, here or at another worker."""
        return session in self._ended

    def end(self, session: str, at: datetime) -> None:
        """Take a session for ended here at once; other workers learn it from the store."""
        self._ended[session] = at

    def _since(self) -> tuple[datetime, datetime]:
        """Return from when on sessions may still live, and from when on their ends are unknown."""
        now = datetime.fromtimestamp(self._wall(), UTC).replace(tzinfo=None)
        oldest = now - timedelta(hours=SESSION_HOURS) - _BEHIND
        return oldest, self._looked - _BEHIND if self._looked else oldest

    def _take_ended(self, found: dict[str, datetime], oldest: datetime) -> None:
        """Add sessions that have ended, and forget those that would be over by now anyway."""
        known = {**found, **self._ended}
        self._ended = {session: at for session, at in known.items() if at >= oldest}
        self._looked = oldest + timedelta(hours=SESSION_HOURS) + _BEHIND

    def _known(self) -> dict[str, _Held]:
        if self._held is None:
            raise HTTPException(
                503, "the keys cannot be read yet; send it again", {"Retry-After": "1"}
            )
        return self._held

    def _right(self, key: str) -> _Held:
        found = self._known().get(key[:PREFIX_LENGTH], self._nobody)
        is_right = compare_digest(hash_of(key, self._secret), found.hash)
        if not is_right or self._wall() >= found.expires:
            raise _not_right()
        return found

    def _let_in(self, found: _Held, scopes: Sequence[str]) -> Caller:
        """Count a call of a live key, and see whether it has one of the scopes."""
        caller = found.holder.caller
        if wait := found.bucket.wait(self._steady()):
            said = "this key asks too often; wait as long as Retry-After says"
            raise RefusedError(caller, 429, said, {"Retry-After": str(math.ceil(wait))})
        if found.holder.scopes.isdisjoint(scopes):
            needed = " ".join(scopes)
            said = f"this key may not do that; it needs the scope {' or '.join(scopes)}"
            told = f'Bearer error="insufficient_scope", scope="{needed}"'
            raise RefusedError(caller, 403, said, {"WWW-Authenticate": told})
        self._used[caller.name] = self._wall()
        return caller

    def start(self) -> None:
        """Read the keys, and go on reading them; a store that is slow is not waited for."""
        self._recall()
        self._reader = threading.Thread(target=self._read_on, name="keys", daemon=True)
        self._reader.start()
        self._tried.wait(_START_SECONDS)

    def close(self) -> None:
        """Stop reading; a look that was begun comes to its end, unless the store hangs."""
        self._stop.set()
        if self._reader is not None:
            self._reader.join(_CLOSE_SECONDS)

    def refresh(self) -> None:
        """Read the keys from the store, and write down there which were used."""
        try:
            if self._store is None:
                self._store = self._open_store()
            oldest, since = self._since()
            with self._store.reading() as connection:
                keys = known_keys(connection)
                ended = ended_sessions(connection, since)
        except LeadqError as error:
            self._tell_once("the keys cannot be read; those known last go on", str(error))
            return
        self._take(keys)
        self._take_ended(ended, oldest)
        self._remember()
        try:
            if used := self._used_since():
                self._store.write(lambda connection: write_used(connection, used))
            self._told = ""
        except LeadqError as error:
            self._tell_once("when keys were used cannot be written down yet", str(error))

    def _take(self, keys: list[KnownKey]) -> None:
        if keys != self._keys or self._held is None:
            self._hold(keys)
            if not self._held:
                log.warning(f"nobody may ask yet; make a key with: {_HOW_TO_MAKE_ONE}")

    def _read_on(self) -> None:
        while not self._stop.is_set():
            try:
                self.refresh()
            except Exception as error:
                # A thread that ends would leave revoked keys in place for good.
                self._tell_once("reading the keys failed; those known last go on", where(error))
            self._tried.set()
            self._stop.wait(self._every)
        if self._store is not None:
            self._store.close()

    def _tell_once(self, event: str, reason: str) -> None:
        if event != self._told:
            log.error(event, reason=reason)
        self._told = event

    def _hold(self, keys: list[KnownKey]) -> None:
        before = self._held or {}
        live = [key for key in keys if key.revoked is None]
        held = {key.prefix: self._held_of(key, before.get(key.prefix)) for key in live}
        self._held = {prefix: one for prefix, one in held.items() if one is not None}
        # Last, so that keys which could not be taken are tried again.
        self._keys = keys

    def _held_of(self, key: KnownKey, before: _Held | None) -> _Held | None:
        """Return a key as it is held; None where it is damaged: it opens nothing, the others do."""
        try:
            hashed = bytes.fromhex(key.hash)
        except ValueError:
            log.error("a key is damaged and refused; revoke it and make another", key=key.prefix)
            return None
        return _Held(
            hashed,
            math.inf if key.expires is None else key.expires.replace(tzinfo=UTC).timestamp(),
            Holder(Caller(key.prefix), key.name, frozenset(key.scopes)),
            before.bucket if before else Bucket(self._rate, self._steady()),
        )

    def _used_since(self) -> dict[str, datetime]:
        used = dict(self._used)
        moments = {
            key.prefix: datetime.fromtimestamp(used[key.prefix], UTC).replace(tzinfo=None)
            for key in self._keys
            if key.prefix in used
        }
        written = {key.prefix: key.used for key in self._keys}
        return {
            prefix: at
            for prefix, at in moments.items()
            if (last := written[prefix]) is None or at - last >= USED_EVERY
        }

    def _remember(self) -> None:
        """Keep hashes and ended sessions for a restart without the store, if that can be done."""
        live = [asdict(key) | {"used": None} for key in self._keys if key.revoked is None]
        known = {"keys": live, "ended": self._ended}
        if (text := json.dumps(known, default=datetime.isoformat)) == self._kept:
            return
        try:
            with whole_or_not(self._remembered) as file:
                file.write_text(text, encoding="utf-8")
        except LeadqError as error:
            log.error("the keys cannot be kept for a restart", reason=str(error))
        self._kept = text

    def _recall(self) -> None:
        """Take the keys that were known last; a file that cannot be read is as good as none."""
        try:
            known = json.loads(self._remembered.read_text(encoding="utf-8"))
            ended = {session: datetime.fromisoformat(at) for session, at in known["ended"].items()}
            self._hold([_recalled(row) for row in known["keys"]])
            self._ended = ended
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            self._held = None


def _not_right() -> HTTPException:
    return HTTPException(
        401,
        "the key is missing, wrong, expired or revoked; send a live one as "
        "Authorization: Bearer KEY",
        {"WWW-Authenticate": 'Bearer realm="leadq"'},
    )


def _key_in(authorization: str | None) -> str:
    """Return the key in a header; where it holds none, something that is no key."""
    kind, _, key = (authorization or "")[:_LONGEST].partition(" ")
    return key.strip() if kind.lower() == "bearer" else ""


def _recalled(row: dict[str, Any]) -> KnownKey:
    moments = {name: row[name] and datetime.fromisoformat(row[name]) for name in _MOMENTS}
    return KnownKey(**row | moments | {"scopes": tuple(row["scopes"])})


_MOMENTS = ("created", "expires", "used", "revoked")
