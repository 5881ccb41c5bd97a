"""What the API is sent: a body of JSON within limits, which holds one item or many."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from itertools import chain
from types import NoneType
from typing import Any, NamedTuple

import orjson
from starlette.exceptions import HTTPException

from features.home import ServeSettings
from features.leads import Fault, Faults

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_WHOLE = 2**63
"""From it on orjson reads an integer as the nearest float: an id would become another one."""
_DIGITS = 4000
"""Python reads no integer of more than 4,300."""
JSON, FORM = b"application/json", b"application/x-www-form-urlencoded"
_PLAIN = b"identity"
_TEXTS, _OBJECTS = {str}, {dict}
_PLAIN_KINDS = {str, int, bool, NoneType}
_SHOWN = 100
"""Characters of a name that a reply repeats."""


class _HugeIntegerError(Exception):
    """There may be an integer that orjson has changed."""


class GoneError(Exception):
    """The caller has left before the request was whole."""


def check_kind(headers: Mapping[bytes, bytes], limits: ServeSettings, wanted: bytes = JSON) -> None:
    """Refuse a body by its headers alone, before any of it is read.

    Args:
        headers: of the request.
        limits: how long a body may be.
        wanted: `JSON`, or `FORM` for what a page sends.

    Raises:
        HTTPException: 413 or 415.

    """
    kind = headers.get(b"content-type", wanted)
    if kind != wanted and not _is(wanted, kind):
        name = "JSON" if wanted == JSON else "a form"
        raise HTTPException(
            415, f"the body must be {name}; send it with Content-Type: {wanted.decode()}"
        )
    if headers.get(b"content-encoding", _PLAIN).lower() != _PLAIN:
        raise HTTPException(415, "the body is encoded; send it plain, without Content-Encoding")
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length[:20]) > limits.body_bytes:
        raise _too_large(limits.body_bytes)


def _is(wanted: bytes, kind: bytes) -> bool:
    plain = kind.partition(b";")[0].strip().lower()
    is_like_json = plain.startswith(b"application/") and plain.endswith(b"+json")
    return plain == wanted or (wanted == JSON and is_like_json)


class BodyReader:
    """Reads bodies as far as the limits allow.

    One timer watches all that are being read: a timer for each would cost as much as all else
    that is done to a request before it is scored.
    """

    def __init__(self, limits: ServeSettings) -> None:
        self._limits = limits
        self._reading: dict[asyncio.Task[Any], float] = {}
        """Who reads, and since when; the longest first."""
        self._given_up: set[asyncio.Task[Any]] = set()
        self._is_watched = False

    async def read(self, receive: Receive, most: int | None = None) -> bytes:
        """Return a whole body.

        Args:
            receive: gives it in parts.
            most: bytes, where fewer are taken than the limits allow.

        Raises:
            HTTPException: 408 where it comes too slowly, 413 where it is too large.
            GoneError: the caller has left.

        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # a coroutine runs in one
        loop = asyncio.get_running_loop()
        self._reading[task] = loop.time()
        allowed = self._limits.body_bytes
        if not self._is_watched:
            self._watch(loop)
        try:
            return await self._whole(receive, min(most or allowed, allowed))
        except asyncio.CancelledError:
            if task not in self._given_up:
                raise
            self._given_up.discard(task)
            task.uncancel()
        finally:
            del self._reading[task]
        seconds = self._limits.body_seconds
        raise HTTPException(
            408,
            f"the body did not come within {seconds:g} s; send it again, or less",
            {"Connection": "close"},
        )

    @staticmethod
    async def _whole(receive: Receive, most: int) -> bytes:
        content, more = await _part(receive)
        if more:
            parts = bytearray(content)
            while more and len(parts) <= most:
                part, more = await _part(receive)
                parts += part
            content = bytes(parts)
        if len(content) > most:
            raise _too_large(most)
        return content

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give up whoever reads for too long, and look again as long as anybody reads."""
        for task, since in list(self._reading.items()):
            if loop.time() - since < self._limits.body_seconds:
                break
            self._given_up.add(task)
            task.cancel()
        self._is_watched = bool(self._reading)
        if self._is_watched:
            loop.call_later(self._limits.body_seconds / 4, self._watch, loop)


async def _part(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise GoneError
    return message.get("body", b""), message.get("more_body", False)


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, f"the body is over {most:,} bytes; send fewer items in one request")


class Items(NamedTuple):
    """What a request holds, and what is wrong with the size of some of it."""

    values: list[Any]
    faults: Faults
    """By position: items that are larger than the limits allow."""


def read_items(content: bytes, many: str, limits: ServeSettings) -> Items:
    """Read the items of a request.

    Args:
        content: the body: `{many: [item, ...]}`, or one item.
        many: the name under which a list of items stands.
        limits: how many there may be, and how large.

    Raises:
        HTTPException: 400, 413 or 422 where it is not.

    """
    try:
        items = _items_in(orjson.loads(content), many, limits)
        return Items(items, _faults(items, limits, content, by_orjson=True))
    except (orjson.JSONDecodeError, _HugeIntegerError):
        items = _items_in(_read_leniently(content, many), many, limits)
        return Items(items, _faults(items, limits, content, by_orjson=False))


def whole_items(content: bytes, many: str, limits: ServeSettings) -> list[Any]:
    """Read items as `read_items` does, and refuse them all where one is too large."""
    items = read_items(content, many, limits)
    for position, fault in items.faults.items():
        place = f"{many}[{position}]" + (f", {fault.field}" if fault.field else "")
        raise HTTPException(413, f"{place}: {fault.reason}")
    return items.values


def _read_leniently(content: bytes, many: str) -> Any:
    """Read what orjson refuses or would change: NaN, Infinity, half a character, huge integers."""
    try:
        return json.loads(content, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f'the body is not JSON; send {{"{many}": [{{...}}]}}') from error


def _integer(digits: str) -> int | str:
    """Read an integer; one that is too long for Python stays text, as in a file."""
    return int(digits) if len(digits) <= _DIGITS else digits


def _items_in(body: Any, many: str, limits: ServeSettings) -> list[Any]:
    if not isinstance(body, dict):
        raise HTTPException(422, f'send {{"{many}": [{{...}}, ...]}} or one of them as an object')
    if many not in body:
        return [body]
    items = body[many]
    if not isinstance(items, list):
        raise HTTPException(422, f'"{many}" must be a list')
    if len(items) > limits.items:
        raise HTTPException(413, f"{len(items):,} {many}; at most {limits.items:,} in one call")
    return items


def _faults(items: list[Any], limits: ServeSettings, content: bytes, by_orjson: bool) -> Faults:
    # What orjson has not read may be in UTF-16, or have integers that became text.
    has_long = len(content) > limits.text and (
        not by_orjson or _may_have_long(content, limits.text)
    )
    if not has_long and _are_plain(items, limits):  # what most requests are
        return {}
    return {
        position: fault
        for position, item in enumerate(items)
        if isinstance(item, dict) and (fault := _fault(item, limits, has_long, by_orjson))
    }


def _are_plain(items: list[Any], limits: ServeSettings) -> bool:
    """Whether items are objects of few fields, of which none holds others or is a float."""
    if not {*map(type, items)} <= _OBJECTS or max(map(len, items), default=0) > limits.fields:
        return False
    return {*map(type, chain.from_iterable(map(dict.values, items)))} <= _PLAIN_KINDS


def _may_have_long(content: bytes, longest: int) -> bool:
    """Whether a text of UTF-8 may be longer: whether so many bytes come without a quote."""
    if rb"\"" in content:  # a quote within a text
        return True
    at = 0
    while len(content) - at > longest:
        at = content.rfind(b'"', at, at + longest + 1) + 1
        if not at:
            return True
    return False


def _fault(
    item: dict[str, Any], limits: ServeSettings, has_long: bool, by_orjson: bool
) -> Fault | None:
    """Say what is too large in one item; this is run for each value of each lead."""
    if len(item) > limits.fields:
        return Fault("", None, f"{len(item):,} fields; send at most {limits.fields:,}")
    longest = limits.text
    kinds = set(map(type, item.values()))
    if kinds == _TEXTS and (not has_long or max(map(len, (*item, *item.values()))) <= longest):
        return None
    for name, value in item.items():
        kind = type(value)
        if kind is str:
            if len(value) > longest:
                long = f"{len(value):,} characters; send at most {longest:,}"
                return Fault(name[:_SHOWN], None, long)
        elif kind is float:
            if by_orjson and not -_WHOLE < value < _WHOLE:
                raise _HugeIntegerError
        elif (kind is dict or kind is list) and (reason := _nested(value, limits, by_orjson)):
            return Fault(name[:_SHOWN], None, reason)
    widest = max(item, key=len, default="") if has_long else ""
    if len(widest) > longest:
        return Fault(widest[:_SHOWN], None, f"its name is over {longest:,} characters")
    return None


def _nested(value: Any, limits: ServeSettings, by_orjson: bool) -> str | None:
    """Say what is too large within a value that holds others; level by level, never deeper."""
    level = [value]
    for _ in range(limits.depth):
        inner: list[Any] = []
        for holder in level:
            inner += holder.values() if isinstance(holder, dict) else holder
            if isinstance(holder, dict) and len(holder) > limits.fields:
                return f"{len(holder):,} fields; send at most {limits.fields:,}"
        for each in inner:
            if isinstance(each, str) and len(each) > limits.text:
                return f"{len(each):,} characters; send at most {limits.text:,}"
            if by_orjson and isinstance(each, float) and not -_WHOLE < each < _WHOLE:
                raise _HugeIntegerError
        level = [each for each in inner if isinstance(each, dict | list)]
        if not level:
            return None
    return f"over {limits.depth} lists and objects within one another; send text or a number"
