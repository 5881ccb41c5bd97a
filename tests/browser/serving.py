"""A real service on a port of this machine, and a real browser that looks at it."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import uvicorn
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from features.agreement import Agreement
from features.store.database import open_store
from serving.access import Access
from serving.api import Backing, build
from serving.artefact import LoadedModel
from serving.erasing import Aside
from serving.pages.sessions import Sessions
from serving.wire import Wire
from tests.lives import Fixed
from tests.serving.pages.signing import SECRET

SHOTS = os.environ.get("LEADQ_SHOTS", "")
"""The folder for pictures of the pages; empty: none are made."""


@contextmanager
def service(url: str, folder: Path, model: LoadedModel, agreement: Agreement) -> Iterator[str]:
    """Serve a store's pages on a free port; give the address."""
    access = Access(SECRET, 10_000, folder / "keys.json", partial(open_store, url), 0.1)
    backing = Backing(partial(open_store, url), Aside(folder, folder / "spool"), agreement)
    shell = build(Fixed(model), backing, access=access, sessions=Sessions(SECRET, access))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = uvicorn.Config(
        shell, port=port, http=Wire, ws="none", lifespan="on", log_level="error"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium.

    Raises:
        LookupError: when it is not installed; `make chromium` installs it.

    """
    path = shutil.which("chromium")
    if path is None:
        raise LookupError("chromium is not installed; install it with: make chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def person(browser: Browser, address: str, key: str, **options: object) -> BrowserContext:
    """Sign somebody in, in a window of their own."""
    context = browser.new_context(base_url=address, **options)  # type: ignore[arg-type]
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/queue")
    page.close()
    return context
