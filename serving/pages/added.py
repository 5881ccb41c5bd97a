"""All pages of the service."""

from __future__ import annotations

from fastapi import FastAPI

from serving.pages.behind import Behind
from serving.pages.entry import add_entry
from serving.pages.queue import add_queue


def add_pages(app: FastAPI, behind: Behind) -> None:
    """Add every page; who may see which stands in `serving/doors.py`."""
    add_entry(app, behind)
    add_queue(app, behind)
