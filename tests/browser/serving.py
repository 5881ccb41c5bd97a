"""A real service on a port of this machine, and a real browser that looks at it."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

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
def service(
    url: str, folder: Path, model: LoadedModel | None, agreement: Agreement, now: datetime
) -> Iterator[str]:
    """Serve a store's pages on a free port, from a moment on; give the address."""
    began = time.monotonic()
    access = Access(SECRET, 10_000, folder / "keys.json", partial(open_store, url), 0.1)
    backing = Backing(partial(open_store, url), Aside(folder, folder / "spool"), agreement)
    live, sessions = Fixed(model, "" if model else "none yet"), Sessions(SECRET, access)
    shell = build(
        live,
        backing,
        access=access,
        sessions=sessions,
        now=lambda: now + timedelta(seconds=time.monotonic() - began),
    )
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


_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifts.push(one.value);
}).observe({ type: "layout-shift", buffered: true });
"""


@dataclass
class Watched:
    """A window of somebody, with all that must not happen in it."""

    page: Page
    address: str
    elsewhere: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def shifted(self) -> float:
        """How far what is shown has moved by itself: Lighthouse calls up to .1 good."""
        return float(self.page.evaluate("window.shifts.reduce((sum, one) => sum + one, 0)"))

    def check(self) -> None:
        """Fail where anything was asked of another host, or the browser complained."""
        assert self.elsewhere == []
        # Chromium writes a line for each refusal, which pages show in words.
        known = ("401", "403", "404", "409", "422")
        assert [text for text in self.faults if not any(code in text for code in known)] == []


def watched(context: BrowserContext, address: str) -> Watched:
    """Open a window in which requests, complaints and shifts are noted."""
    page = context.new_page()
    page.add_init_script(_SHIFTS)
    seen = Watched(page, address)
    page.on("request", lambda sent: _note_request(seen, sent.url))
    page.on("console", lambda line: seen.faults.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: seen.faults.append(str(error)))
    page.on("dialog", lambda dialog: seen.faults.append(f"a dialog: {dialog.message}"))
    return seen


def _note_request(seen: Watched, url: str) -> None:
    if not url.startswith(seen.address):
        seen.elsewhere.append(url)


def person(browser: Browser, address: str, key: str, **options: object) -> BrowserContext:
    """Sign somebody in, in a window of their own."""
    context = browser.new_context(base_url=address, **options)  # type: ignore[arg-type]
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "sign-in" not in url)
    page.close()
    return context
