"""What the API is sent: a body of JSON, which holds one item or many."""

from __future__ import annotations

import json
from typing import Any

from fastapi import HTTPException, Request

MAX_BYTES = 20_000_000
MAX_ITEMS = 10_000


async def items_of(request: Request, many: str) -> list[Any]:
    """Read the items of a request.

    Args:
        request: its body is `{many: [item, ...]}`, or one item.
        many: the name under which a list of items stands.

    Raises:
        HTTPException: 400, 413 or 422 where it is not.

    """
    body = await _body(request, many)
    if not isinstance(body, dict):
        raise HTTPException(422, f'send {{"{many}": [{{...}}, ...]}} or one of them as an object')
    items = body.get(many)
    if many not in body:
        return [body]
    if not isinstance(items, list):
        raise HTTPException(422, f'"{many}" must be a list')
    if len(items) > MAX_ITEMS:
        raise HTTPException(413, f"{len(items):,} {many}; at most {MAX_ITEMS:,} in one call")
    return items


async def _body(request: Request, many: str) -> Any:
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > MAX_BYTES:
            raise HTTPException(413, f"the body is over {MAX_BYTES:,} bytes; send fewer {many}")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f'the body is not JSON; send {{"{many}": [{{...}}]}}') from error
