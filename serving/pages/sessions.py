"""Who is signed in to the pages: a signed cookie in the place of an API key.

The cookie names the key and an end, and is signed under the service's secret. The key itself is
looked up at each request, so a key that is revoked ends its sessions, and so is whether somebody
has signed out: a copy of the cookie is then good for nothing. What changes something must
come from a page of the same host (Origin) and carry the session's token, so that no other site can
send it.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.exceptions import HTTPException

from serving.access import NO_KEYS, SESSION_HOURS, Access, Caller, Holder

COOKIE = "leadq"
LINK_SECONDS = 900
"""How long an address that signs in may wait to be opened."""
_FAILURES, _WITHIN = 10, 60.0
"""Failed sign-ins of one address in so many seconds, beyond which it has to wait."""
_ADDRESSES = 10_000
_LINK, _SESSION = "link", "session"
_DEMO = "demo"
"""Stands in the place of a key where the service asks for none."""
ROLES = ("sales", "marketing", "admin", "read")
"""The scopes that open pages."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in."""

    caller: Caller
    """As the audit log names them."""
    name: str
    """As colleagues call them: the name of the key."""
    scopes: frozenset[str]
    token: str
    """That everything they send must carry."""
    can_leave: bool = True
    """Whether there is a cookie to be given back."""

    def may(self, scopes: Sequence[str]) -> bool:
        """Whether one of the scopes is theirs."""
        return not self.scopes.isdisjoint(scopes)


class Sessions:
    """Begins sessions and finds whose a request is.

    Args:
        secret: under which cookies are signed; the same for all workers.
        access: knows the keys; None: everybody is signed in, as on a service without keys.
        wall: the time of day, in seconds since 1970.

    """

    def __init__(
        self, secret: bytes, access: Access | None, wall: Callable[[], float] = time.time
    ) -> None:
        self._secret = hmac.digest(secret, b"leadq pages", "sha256")
        self._access = access
        self._wall = wall
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    @property
    def has_keys(self) -> bool:
        """Whether a key is asked for."""
        return self._access is not None

    def sign_in(self, key: str, address: str) -> str:
        """Return the cookie of a new session for whoever has a key.

        Args:
            key: as it was typed.
            address: where it came from, by which failures are counted.

        Raises:
            HTTPException: 401 where the key is not good, 403 where it opens no page, 429 after too
                many failures, 503 while no keys are known.

        """
        if self._access is None:
            return self._cookie(_DEMO)
        try:
            holder = self._access.holder_of(key.strip())
            self._access.again(holder.caller.name, ROLES)
        except HTTPException as refused:
            if refused.status_code == 401:
                self._count_failure(address)
            raise
        return self._cookie(holder.caller.name)

    def _count_failure(self, address: str) -> None:
        """Count a key that is not good; a good one gets in whatever others try from its address.

        Raises:
            HTTPException: 429 after too many.

        """
        failed = self._failures.get(address, [])
        failed = [at for at in failed if at > self._wall() - _WITHIN]
        if len(failed) >= _FAILURES:
            raise HTTPException(
                429, "too many keys that were not good; wait a minute", {"Retry-After": "60"}
            )
        self._failures[address] = [*failed, self._wall()]
        self._failures.move_to_end(address)
        while len(self._failures) > _ADDRESSES:
            self._failures.popitem(last=False)

    def enter(self, headers: Mapping[bytes, bytes], scopes: Sequence[str]) -> Session:
        """Return the session of a request that may see what one of the scopes opens.

        Raises:
            HTTPException: 401 without a live session, 403 where its key has none of the scopes,
                429 where the key asks too often, 503 while no keys are known.

        """
        if self._access is None:
            return Session(NO_KEYS, _DEMO, frozenset(ROLES), self._token(_DEMO), can_leave=False)
        prefix, token = self._live(headers, self._access)
        return _session(self._access.again(prefix, scopes), token)

    def of(self, headers: Mapping[bytes, bytes]) -> Session | None:
        """Return the session of a request, whatever it asks for; None where nobody is signed in.

        This is no call of the key, so it is found too where the key asks too often.
        """
        if self._access is None:
            return self.enter(headers, ROLES)
        try:
            prefix, token = self._live(headers, self._access)
            return _session(self._access.look_up(prefix), token)
        except HTTPException:
            return None

    def end(self, session: Session, at: datetime) -> None:
        """End a session, also for whoever has copied its cookie; the store must know it already."""
        if self._access is not None:
            self._access.end(session.token, at)

    def link(self, prefix: str) -> str:
        """Return a word that signs in whoever has the key of this prefix; once, and soon."""
        end = self._wall() + LINK_SECONDS
        return self._signed(_LINK, f"{prefix}.{end:.0f}", secrets.token_hex(8))

    def of_link(self, word: str) -> tuple[str, str]:
        """Read such a word: return the cookie that it is worth, and its name, to be used up.

        Raises:
            HTTPException: 401 where it is not good or its time is over.

        """
        prefix, nonce = self._verified(_LINK, word)
        if self._access is not None:
            self._access.again(prefix, ROLES)
        return self._cookie(prefix), nonce

    def _cookie(self, prefix: str) -> str:
        end = self._wall() + 3600 * SESSION_HOURS
        return self._signed(_SESSION, f"{prefix}.{end:.0f}", secrets.token_hex(16))

    def _signed(self, use: str, what: str, nonce: str) -> str:
        """Sign what is good for one use alone: a link is no session, and a session no link."""
        text = f"{what}.{nonce}"
        return f"{text}.{self._hmac(f'{use} {text}')}"

    def _token(self, nonce: str) -> str:
        return self._hmac(f"token {nonce}")[:32]

    def _hmac(self, text: str) -> str:
        return hmac.digest(self._secret, text.encode(), "sha256").hex()

    def _live(self, headers: Mapping[bytes, bytes], access: Access) -> tuple[str, str]:
        """Return the key's prefix and the token of a session that has not ended."""
        prefix, nonce = self._verified(_SESSION, cookie_in(headers.get(b"cookie", b"")))
        token = self._token(nonce)
        if access.has_ended(token):
            raise _nobody()
        return prefix, token

    def _verified(self, use: str, text: str) -> tuple[str, str]:
        """Return prefix and nonce of what was signed for a use."""
        told, _, signature = text.rpartition(".")
        is_right = hmac.compare_digest(self._hmac(f"{use} {told}").encode(), signature.encode())
        parts = told.split(".")
        if not is_right or len(parts) != 3 or self._wall() >= float(parts[1]):
            raise _nobody()
        return parts[0], parts[2]


def _nobody() -> HTTPException:
    return HTTPException(401, "nobody is signed in, or the time is over; sign in")


def _session(holder: Holder, token: str) -> Session:
    return Session(holder.caller, holder.name, holder.scopes, token)


def link_to(address: str, word: str) -> str:
    """Return the address that signs in by a word; see `Sessions.link`."""
    return f"{address.rstrip('/')}/sign-in/once?word={word}"


def cookie_in(header: bytes) -> str:
    """Return the session's cookie of a header; empty where there is none."""
    for part in header.decode("latin-1").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def need_same_host(headers: Mapping[bytes, bytes]) -> None:
    """Refuse what a page of another site has sent; a browser says where each form comes from.

    Raises:
        HTTPException: 403.

    """
    origin, host = (headers.get(name, b"").decode("latin-1") for name in (b"origin", b"host"))
    if not host or origin not in (f"http://{host}", f"https://{host}"):
        raise HTTPException(
            403,
            "this was not sent by a page of this service; open the page again. Behind a proxy: "
            "it must pass the Host header on",
        )


def need_token(session: Session, sent: str) -> None:
    """Refuse what does not carry the session's token.

    Raises:
        HTTPException: 403.

    """
    if not hmac.compare_digest(session.token.encode(), sent.encode("utf-8", "replace")):
        raise HTTPException(403, "this form is of another session; open the page again")


def set_cookie(value: str, headers: Mapping[str, str]) -> str:
    """Return the header that gives a browser its session; over TLS alone where it came so."""
    # Whoever makes this header up changes nothing but a cookie of its own.
    is_tls = headers.get("x-forwarded-proto", "").split(",")[0].strip() == "https"
    age = 3600 * SESSION_HOURS if value else 0
    end = f"Max-Age={age}; Path=/; HttpOnly; SameSite=Lax{'; Secure' if is_tls else ''}"
    return f"{COOKIE}={value}; {end}"
