"""A service with pages, and people who are signed in to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from features.agreement import Agreement
from features.store.api_keys import Scope, create
from features.store.database import Store, open_store
from serving.access import Access
from serving.api import Backing, build
from serving.artefact import LoadedModel
from serving.erasing import Aside
from serving.pages.sessions import Sessions
from tests.features.store.making import NOW, agreed
from tests.lives import Fixed

SECRET = b"s" * 32
HOST = "http://testserver"
BROWSER = {"Accept": "text/html,application/xhtml+xml", "Origin": HOST}


def key_for(store: Store, name: str, *scopes: Scope, expires: datetime | None = None) -> str:
    """Make a key for somebody."""
    long_ago = datetime(2001, 1, 1)
    return store.write(lambda c: create(c, name, scopes, expires, SECRET, "test", long_ago))


def clock(start: datetime = NOW) -> Callable[[], datetime]:
    """Return a clock that moves by a second whenever somebody looks at it."""
    seconds = count()
    return lambda: start + timedelta(seconds=next(seconds))


@contextmanager
def pages(
    url: str,
    folder: Path,
    model: LoadedModel | None = None,
    agreement: Agreement | None = None,
    keys: bool = True,
    now: Callable[[], datetime] | None = None,
    calls: int = 10_000,
) -> Iterator[TestClient]:
    """Serve the pages of a store to a browser that is not signed in yet.

    Each key is good for so many calls, however long they take.
    """
    remembered = folder / "keys.json"
    # Keys are read when a test says so: no reading in between is taken for one of a page.
    opened = partial(open_store, url)
    access = Access(SECRET, calls, remembered, opened, every_seconds=3600, steady=lambda: 0.0)
    aside = Aside(folder, folder / "spool")
    backing = Backing(partial(open_store, url), aside, agreement or agreed())
    asked = access if keys else None
    live = Fixed(model, "" if model else "none yet")
    shell = build(live, backing, access=asked, sessions=Sessions(SECRET, asked), now=now)
    with TestClient(shell, base_url=HOST, headers=BROWSER, follow_redirects=False) as client:
        client.access = access  # type: ignore[attr-defined]  # so that tests can read keys anew
        yield client


def sign_in(client: TestClient, key: str) -> None:
    """Sign in by a key."""
    client.access.refresh()  # type: ignore[attr-defined]
    assert client.post("/sign-in", data={"key": key}).status_code == 303


def token_in(page: str) -> str:
    """Return the token that the forms of a page send."""
    found = re.search(r'name="token" value="(\w+)"', page)
    assert found is not None
    return found[1]


def send(client: TestClient, path: str, page: str = "/queue", **fields: Any) -> Any:
    """Send a form as the page has it."""
    token = token_in(client.get(page).text)
    return client.post(path, data={"token": token, **fields})
