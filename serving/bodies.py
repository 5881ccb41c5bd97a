"""What the API is sent: a body of JSON within limits, which holds one item or many."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, NamedTuple

import orjson
from starlette.exceptions import HTTPException

from features.home import ServeSettings
from features.leads import Fault, Faults

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_WHOLE = 2**63
"""Beyond it orjson reads an integer as the nearest float: an id would become another one."""
_SHOWN = 100
"""Characters of a name that a reply repeats."""


class _HugeIntegerError(Exception):
    """There may be an integer that orjson has changed."""


class GoneError(Exception):
    """The caller has left before the request was whole."""


def check_kind(headers: Mapping[bytes, bytes], limits: ServeSettings) -> None:
    """Refuse a body by its headers alone, before any of it is read.

    Raises:
        HTTPException: 413 or 415.

    """
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind not in (b"", b"application/json") and not (
        kind.startswith(b"application/") and kind.endswith(b"+json")
    ):
        raise HTTPException(
            415, "the body must be JSON; send it with Content-Type: application/json"
        )
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise HTTPException(415, "the body is encoded; send it plain, without Content-Encoding")
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length[:20]) > limits.body_bytes:
        raise _too_large(limits)


async def read_body(receive: Receive, limits: ServeSettings) -> bytes:
    """Read a body as far as the limits allow.

    Raises:
        HTTPException: 408 where it comes too slowly, 413 where it is too large.
        GoneError: the caller has left.

    """
    try:
        async with asyncio.timeout(limits.body_seconds):
            part, more = await _part(receive)
            if not more and len(part) <= limits.body_bytes:
                return part
            return await _rest(receive, bytearray(part), more, limits)
    except TimeoutError as error:
        raise HTTPException(
            408,
            f"the body did not come within {limits.body_seconds:g} s; send it again, or less",
            {"Connection": "close"},
        ) from error


async def _rest(receive: Receive, content: bytearray, more: bool, limits: ServeSettings) -> bytes:
    while len(content) <= limits.body_bytes:
        if not more:
            return bytes(content)
        part, more = await _part(receive)
        content += part
    raise _too_large(limits)


async def _part(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise GoneError
    return message.get("body", b""), message.get("more_body", False)


def _too_large(limits: ServeSettings) -> HTTPException:
    return HTTPException(
        413, f"the body is over {limits.body_bytes:,} bytes; send fewer items in one request"
    )


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
        return Items(items, _faults(items, limits, by_orjson=True))
    except (orjson.JSONDecodeError, _HugeIntegerError):
        items = _items_in(_read_leniently(content, many), many, limits)
        return Items(items, _faults(items, limits, by_orjson=False))


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
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f'the body is not JSON; send {{"{many}": [{{...}}]}}') from error


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


def _faults(items: list[Any], limits: ServeSettings, by_orjson: bool) -> Faults:
    found: Faults = {}
    for position, item in enumerate(items):
        if isinstance(item, dict) and (fault := _fault(item, limits, by_orjson)):
            found[position] = fault
    return found


def _fault(item: dict[str, Any], limits: ServeSettings, by_orjson: bool) -> Fault | None:
    """Say what is too large in one item; this is run for each value of each lead."""
    if len(item) > limits.fields:
        return Fault("", None, f"{len(item):,} fields; send at most {limits.fields:,}")
    longest = limits.text
    for name, value in item.items():
        kind = type(value)
        if kind is str:
            if len(value) > longest:
                long = f"{len(value):,} characters; send at most {longest:,}"
                return Fault(name[:_SHOWN], None, long)
        elif kind is float:
            if by_orjson and not -_WHOLE <= value <= _WHOLE:
                raise _HugeIntegerError
        elif (kind is dict or kind is list) and (deep := _nested(value, limits, by_orjson)):
            return Fault(name[:_SHOWN], None, deep)
        if len(name) > longest:
            return Fault(name[:_SHOWN], None, f"its name is over {longest:,} characters")
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
            if by_orjson and isinstance(each, float) and not -_WHOLE <= each <= _WHOLE:
                raise _HugeIntegerError
        level = [each for each in inner if isinstance(each, dict | list)]
        if not level:
            return None
    return f"over {limits.depth} lists and objects within one another; send text or a number"
