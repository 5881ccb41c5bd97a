"""All pages of the service."""

from __future__ import annotations

from fastapi import FastAPI

from serving.pages.agreement import add_agreement
from serving.pages.alignment import add_alignment
from serving.pages.behind import Behind
from serving.pages.campaigns import add_campaigns_page
from serving.pages.entry import add_entry
from serving.pages.lead import add_lead
from serving.pages.model import add_model
from serving.pages.queue import add_queue
from serving.pages.recycled import add_recycled
from serving.pages.render import compile_ahead
from serving.record import Load


def add_pages(app: FastAPI, behind: Behind, load: Load) -> None:
    """Add every page; who may see which stands in `serving/doors.py`."""
    add_entry(app, behind)
    add_queue(app, behind)
    add_lead(app, behind, load)
    add_campaigns_page(app, behind)
    add_recycled(app, behind)
    add_alignment(app, behind)
    add_agreement(app, behind)
    add_model(app, behind, load)
    compile_ahead()
