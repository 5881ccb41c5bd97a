"""How a page is looked at: by axe, in all sizes, light and dark."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SIZES: dict[str, Any] = {
    "wide": {"width": 1280, "height": 900},
    "phone": {"width": 390, "height": 844},
    "narrow": {"width": 320, "height": 640},
}
_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_OPENED = """() => {
  // Leads and rows are alike: a few of them say what all would, in a tenth of the time.
  document.querySelectorAll("article.lead:nth-of-type(n+4), tr:nth-child(n+8)").forEach((one) =>
    one.remove());
  document.querySelectorAll("details").forEach((one) => (one.open = true));
}"""


def faults_of(page: Page, path: str) -> list[str]:
    """What axe finds that keeps somebody out, in light and dark, and whether anything is cut."""
    found = []
    page.set_viewport_size(SIZES["narrow"])  # before any lead is left out, the oddest among them
    if page.evaluate(_OVERFLOW) > 0:
        found.append(f"{path} is wider than 320 pixels")
    page.evaluate(_OPENED)
    for name, scheme in (
        ("wide", "light"),
        ("phone", "dark"),
        ("wide", "dark"),
        ("phone", "light"),
    ):
        page.set_viewport_size(SIZES[name])
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for fault in Axe().run(page).response["violations"]:
            if fault["impact"] in ("serious", "critical"):
                nodes = [node["html"][:100] for node in fault["nodes"][:2]]
                found.append(f"{path} {name} {scheme}: {fault['id']} {nodes}")
    page.set_viewport_size(SIZES["narrow"])
    if page.evaluate(_OVERFLOW) > 0:
        found.append(f"{path}, all of it opened, is wider than 320 pixels")
    page.set_viewport_size(SIZES["wide"])
    return found
