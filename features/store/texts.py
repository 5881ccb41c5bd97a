"""Texts as every database takes them, and their digests."""

from __future__ import annotations

import hashlib
import json
from json.encoder import encode_basestring_ascii as _quoted

from features.cells import Cell
from features.spreadsheet import ROUNDED_NUMBER

MAX_NAME = 200
"""Characters of an id, a person or a campaign; databases cannot index texts of any length."""


def digest_of(text: str) -> str:
    """Return a short digest of a text, in hex (BLAKE2b, 16 bytes)."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def json_of(cell: Cell) -> str:
    """Return a cell as a snapshot writes it."""
    return _quoted(cell) if type(cell) is str else json.dumps(cell)


def storable(text: str) -> str:
    """Return a text that every database takes: no NUL, no half of a surrogate pair."""
    if "\x00" not in text and text.isascii():
        return text
    return (
        text.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


def fault_of_id(text: str) -> str | None:
    """Return why a text cannot be the id of a lead, or None. An id is never changed."""
    if not text:
        return "the id is missing"
    if len(text) > MAX_NAME:
        return f"an id has at most {MAX_NAME} characters"
    if ROUNDED_NUMBER.fullmatch(text):
        return "is a number that a spreadsheet has rounded; format the column as text there"
    return "an id holds a NUL" if "\x00" in text else None
