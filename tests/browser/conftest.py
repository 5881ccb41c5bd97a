"""One service over 100,000 leads and one browser for the tests of a file.

Not for those of a process: Playwright holds its event loop as long as it lives, and no other test
of the process could run one. And what one file does to the leads is not there for the next.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from features.store.database import Store, open_store
from tests.browser.scene import NOW, played, the_agreement, the_model
from tests.browser.serving import chromium, service
from tests.serving.pages.signing import key_for


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path_factory.mktemp('browser') / 'store.db'}")
    played(opened)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def address(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    with service(store.address, folder, the_model(), the_agreement(), NOW) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def keys(store: Store) -> dict[str, str]:
    found = {name: key_for(store, name, "sales") for name in ("Kim", "Lee")}
    return found | {
        "Mia": key_for(store, "Mia", "marketing"),
        "Ada": key_for(store, "Ada", "admin"),
    }
