"""Who signed which text of the agreement; a changed text is a new one, and an unsigned draft."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args

from sqlalchemy import Connection, insert, select

from features.agreement import Agreement
from features.errors import UsageError
from features.store.keys import insert_new
from features.store.tables import AgreementText, Signature
from features.store.texts import MAX_NAME, storable

Side = Literal["sales", "marketing"]
SIDES: tuple[Side, ...] = get_args(Side)


@dataclass(frozen=True)
class Standing:
    """Which sides signed a text of the agreement."""

    label: str
    """Of the agreement: its version and the beginning of its digest."""
    signed: Mapping[Side, tuple[str, datetime]]
    """Who signed for each side, and when: the first of those who did."""

    @property
    def sentence(self) -> str:
        """Say it in one line."""
        if not self.signed:
            return f"agreement {self.label} is an unsigned draft; sign it with: leadq sign"
        said = [
            f"{side} ({self.signed[side][0]}, {self.signed[side][1]:%Y-%m-%d})"
            for side in SIDES
            if side in self.signed
        ]
        missing = "".join(f"; {side} has not signed" for side in SIDES if side not in self.signed)
        return f"agreement {self.label} is signed by {' and '.join(said)}{missing}"


def sign(
    connection: Connection, agreement: Agreement, side: Side, by: str, now: datetime
) -> Standing:
    """Write down that somebody signs a text for a side; whoever did so before is not asked again.

    Raises:
        UsageError: when the name is empty or too long.

    """
    name = storable(by).strip()
    if not name or len(name) > MAX_NAME:
        raise UsageError(f"{by[:40]!r} is no name of 1 to {MAX_NAME} characters; say who signs")
    text = {
        "digest": agreement.digest,
        "version": agreement.version,
        "content": json.dumps(agreement.as_dict(), sort_keys=True),
        "seen": now,
    }
    connection.execute(insert_new(connection, AgreementText), [text])
    row = {"digest": agreement.digest, "side": side, "by": name}
    if not _signatures(connection, **row):
        connection.execute(insert(Signature), [row | {"at": now}])
    return standing(connection, agreement)


def standing(connection: Connection, agreement: Agreement) -> Standing:
    """Return which sides signed exactly this text."""
    signed: dict[Side, tuple[str, datetime]] = {}
    for side, by, at in _signatures(connection, digest=agreement.digest):
        signed.setdefault(side, (by, at))
    return Standing(agreement.label, signed)


def _signatures(connection: Connection, **where: str) -> list[tuple[Side, str, datetime]]:
    rows = (
        select(Signature.side, Signature.by, Signature.at)
        .filter_by(**where)
        .order_by(Signature.at, Signature.key)
    )
    return [tuple(row) for row in connection.execute(rows)]  # type: ignore[misc]


class Signing(NamedTuple):
    """Somebody signed a text for a side."""

    version: int
    digest: str
    side: Side
    by: str
    at: datetime

    @property
    def label(self) -> str:
        """Of the agreement: its version and the beginning of its digest."""
        return f"{self.version}-{self.digest[:8]}"


def signings(connection: Connection) -> list[Signing]:
    """Return who signed what, in the order of time."""
    rows = (
        select(AgreementText.version, AgreementText.digest, Signature.side, Signature.by)
        .add_columns(Signature.at)
        .join(Signature, Signature.digest == AgreementText.digest)
        .order_by(Signature.at, Signature.key)
    )
    return [Signing(*row) for row in connection.execute(rows)]


def texts(connection: Connection) -> dict[str, dict[str, Any]]:
    """Return everything agreed by each text that was signed, by digest, the oldest first."""
    rows = select(AgreementText.digest, AgreementText.content).order_by(
        AgreementText.seen, AgreementText.digest
    )
    return {digest: json.loads(content) for digest, content in connection.execute(rows)}
