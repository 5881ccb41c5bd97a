"""Messages that others sign (Standard Webhooks), in place of a key: who may send, and once.

The signature is that of the body as it came, with the message's name and its moment; a moment more
than five minutes off is refused. The name is the idempotency key, so a message that comes again is
answered as before.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

from standardwebhooks import Webhook, WebhookVerificationError
from starlette.exceptions import HTTPException

from features.store.hooks import inbound_secret
from serving.access import Bucket, Caller, RefusedError

ROUTES = ("/v1/feedback", "/v1/handoffs")
SIGNER = Caller("inbound")
"""Who sends signed messages, as the audit log and the log name them."""
_HEADERS = (b"webhook-id", b"webhook-timestamp", b"webhook-signature")


class Inbound:
    """Verifies signed messages.

    Args:
        secret: of the service, from which theirs is derived.
        rate: messages a second, in this process.
        steady: a time that never jumps, in seconds.

    """

    def __init__(
        self, secret: bytes, rate: float, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._webhook = Webhook(inbound_secret(secret))
        self._steady = steady
        self._bucket = Bucket(rate, steady())

    @staticmethod
    def is_meant(route: str, headers: Mapping[bytes, bytes]) -> bool:
        """Tell whether a request wants to be let in by its signature, not by a key."""
        return (
            route in ROUTES and b"webhook-signature" in headers and b"authorization" not in headers
        )

    def check(self, headers: Mapping[bytes, bytes], content: bytes) -> bytes:
        """Return the name of a message, if it is signed as it should be.

        Args:
            headers: as they came, names in lower case.
            content: the body as it came.

        Raises:
            HTTPException: 401 where the signature is missing, wrong or of another time; 429 where
                messages come too often (`RefusedError`).

        """
        told = {name.decode(): headers.get(name, b"").decode("latin-1") for name in _HEADERS}
        try:
            # The comparison takes the same time however much of a signature is right.
            self._webhook.verify(content, told, json_parse=False)
        except (WebhookVerificationError, ValueError):
            raise HTTPException(
                401,
                "the signature is missing, wrong or more than five minutes off; sign the body as "
                "it is sent by the secret of: leadq hooks inbound",
            ) from None
        if wait := self._bucket.wait(self._steady()):
            raise RefusedError(
                SIGNER,
                429,
                "messages come too often; wait as long as Retry-After says",
                {"Retry-After": str(math.ceil(wait))},
            )
        return headers[b"webhook-id"]
