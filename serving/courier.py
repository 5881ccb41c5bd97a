"""The courier: brings what happened to the hooks, signed, again and again until it arrives.

Signed by Standard Webhooks (https://www.standardwebhooks.com): the receiver verifies it with any
of its libraries, and drops what comes twice by `webhook-id`.
"""

from __future__ import annotations

import functools
from calendar import timegm
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

import structlog
from standardwebhooks import Webhook

from features.agreement import Agreement, load
from features.errors import LeadqError
from features.home import Home
from features.store import deliveries
from features.store.database import Store
from features.store.deliveries import Letter
from features.store.hooks import (
    KnownHook,
    find_recycled,
    live_hooks,
    remove_hook,
    secret_of,
    tell_recycled,
)
from serving.post import post
from serving.steady import Steady

log = structlog.get_logger()

Now = Callable[[], datetime]
Post = Callable[[str, Mapping[str, str], bytes], int]
"""Sends headers and body to an address and returns the status of the reply, or raises
`serving.post.PostError`."""

AGAIN_AFTER = tuple(
    timedelta(seconds=seconds) for seconds in (5, 60, 600, 3600, 6 * 3600, 24 * 3600)
)
"""How long after each failed try the next one is due; after the last one it is given up."""
_JITTER = 0.2
"""Of the wait at most, added: so that not all come back in one moment."""
_HOOKS_AT_ONCE = 8
_TURN = timedelta(seconds=5)
"""How long a round sends to one hook, so that others need not wait for a slow one."""
_GONE = 410
_SECONDS = 1.0
"""Between two looks for what is due."""
_TROUBLE_SECONDS = 30.0
_LOOK_AGAIN = timedelta(minutes=1)
_LOOK_EVERY = timedelta(hours=1)
"""How often leads are looked for whose time has come again."""


class Round(NamedTuple):
    """What came of one round."""

    delivered: int = 0
    failed: int = 0
    dead: int = 0
    """Given up, among those that failed."""

    def plus(self, other: Round) -> Round:
        """Add up two rounds."""
        return Round(*map(sum, zip(self, other, strict=True)))


def deliver_due(store: Store, secret: bytes, now: Now, send: Post) -> Round:
    """Send what is due, to several hooks at once; each has its turn.

    Args:
        store: where deliveries wait; others may send from it at the same time.
        secret: of the service, from which those of the hooks are derived.
        now: gives the moment, in UTC.
        send: sends one message.

    Raises:
        StoreError: when the store cannot be reached; what was sent then may be sent again.

    """
    moment = now()
    with store.reading() as connection:
        due = set(deliveries.hooks_due(connection, moment))
        hooks = [hook for hook in live_hooks(connection) if hook.key in due]
    if not hooks:
        return Round()
    with ThreadPoolExecutor(min(len(hooks), _HOOKS_AT_ONCE)) as pool:
        rounds = list(pool.map(lambda hook: _turn(store, hook, secret, now, send), hooks))
    return functools.reduce(Round.plus, rounds)


def _turn(store: Store, hook: KnownHook, secret: bytes, now: Now, send: Post) -> Round:
    """Send to one hook until nothing is due, its turn is over, or a try fails."""
    webhook, done, began = Webhook(secret_of(hook, secret)), Round(), now()
    while now() < began + _TURN:
        letter = store.write(functools.partial(deliveries.take, hook=hook.key, now=now()))
        if letter is None:
            break
        one = _send(store, hook, webhook, letter, now, send)
        done = done.plus(one)
        if one.failed:
            break
    return done


def _send(
    store: Store, hook: KnownHook, webhook: Webhook, letter: Letter, now: Now, send: Post
) -> Round:
    status, error = _status(hook, webhook, letter, now(), send)
    moment = now()
    if status == _GONE:
        store.write(lambda c: remove_hook(c, hook.key, "the receiver (410 Gone)", moment))
        log.warning("a hook is removed", reason=f"hook {hook.key}: its receiver answered 410 Gone")
        return Round(failed=1)
    if not error:
        store.write(lambda c: deliveries.mark_delivered(c, letter, moment))
        return Round(delivered=1)
    wait = wait_after(letter)
    due = None if wait is None else moment + wait
    store.write(lambda c: deliveries.mark_failed(c, letter, error, due))
    if due is None:
        log.error("a webhook is given up", reason=f"hook {hook.key}, {letter.event}: {error}")
        return Round(failed=1, dead=1)
    return Round(failed=1)


def _status(
    hook: KnownHook, webhook: Webhook, letter: Letter, at: datetime, send: Post
) -> tuple[int, str]:
    """Return the status of the reply (0: none), and why it is no success, or an empty text."""
    try:
        status = send(hook.url, headers_of(webhook, letter, at), letter.body.encode())
    except LeadqError as error:
        return 0, str(error)
    except Exception as error:
        # Whatever it is, the others must go on, and this one be tried again.
        log.error("a webhook cannot be sent", reason=f"hook {hook.key}: {type(error).__name__}")
        return 0, f"cannot be sent: {type(error).__name__}"
    if 200 <= status < 300:
        return status, ""
    told = ", and redirects are not followed" if 300 <= status < 400 else ""
    return status, f"the receiver answered {status}{told}"


def headers_of(webhook: Webhook, letter: Letter, at: datetime) -> dict[str, str]:
    """Sign a message as Standard Webhooks says.

    Args:
        webhook: knows the secret.
        letter: what is sent.
        at: when, in UTC.

    """
    return {
        "content-type": "application/json",
        "user-agent": "leadq",
        "webhook-id": letter.event,
        "webhook-timestamp": str(timegm(at.timetuple())),
        "webhook-signature": webhook.sign(letter.event, at, letter.body),
    }


def wait_after(letter: Letter) -> timedelta | None:
    """Return how long to wait after a failed try, or None where it was the last one.

    The jitter hangs on event and try, so it is the same wherever it is computed.
    """
    if letter.tries > len(AGAIN_AFTER):
        return None
    drawn = sha256(f"{letter.key} {letter.event} {letter.tries}".encode()).digest()
    share = int.from_bytes(drawn[:4], "big") / 2**32
    return AGAIN_AFTER[letter.tries - 1] * (1 + _JITTER * share)


def look_round(store: Store, agreement: Callable[[], Agreement], now: datetime) -> int:
    """Find the leads whose time has come again, and forget old deliveries; return how many.

    Args:
        store: where leads and deliveries are.
        agreement: gives the one whose delays hold; asked only where a hook wants such leads.
        now: this moment.

    Raises:
        LeadqError: when the store cannot be reached, or there is no agreement.

    """
    store.write(lambda connection: deliveries.forget_old(connection, now))
    with store.reading() as connection:
        is_wanted = any("recycled" in hook.events for hook in live_hooks(connection))
    news = []
    if is_wanted:
        agreed = agreement()
        with store.reading() as connection:
            news = find_recycled(connection, agreed, now)
        store.write(lambda connection: tell_recycled(connection, news, now))
    return len(news)


class Courier(Steady):
    """Sends from a thread of its own, so that nothing else waits for a slow receiver.

    Args:
        home: its secret, its agreement, and where messages may go.
        open_it: opens the store; called again while it fails.
        now: gives the moment, in UTC.

    """

    def __init__(self, home: Home, open_it: Callable[[], Store], now: Now) -> None:
        super().__init__(open_it)
        self._home = home
        self._now = now
        self._look_at: datetime | None = None

    def step(self) -> float:
        """Send what is due; return after how many seconds to look again."""
        moment = self._now()
        if self._look_at is None or moment >= self._look_at:
            is_done = self._tried("leads that come back are not told", self._look)
            self._look_at = moment + (_LOOK_AGAIN if is_done is None else _LOOK_EVERY)
        delivered = self._tried("webhooks wait", self._send)
        if delivered is None:
            return _TROUBLE_SECONDS
        return 0.0 if delivered else _SECONDS

    def _look(self, store: Store) -> int:
        return look_round(store, lambda: self._agreement(store), self._now())

    def _send(self, store: Store) -> int:
        """Send what is due; return how much was delivered."""
        with store.reading() as connection:
            if not deliveries.hooks_due(connection, self._now()):
                return 0
        to = functools.partial(post, allow_private=self._home.hooks.private)
        return deliver_due(store, self._home.secret, self._now, to).delivered

    def _agreement(self, store: Store) -> Agreement:
        path = self._home.serve.agreement
        if path.exists():
            return load(path)
        # Here, because a model and what reads it are needed by few.
        from serving.published import load_champion

        return load_champion(store).artefact.scorer.agreement
