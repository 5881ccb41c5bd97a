"""One worker of the service, put together from the environment."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import structlog
from starlette.types import ASGIApp

from features.agreement import Agreement, load
from features.home import Home, Settings
from features.store.database import open_store, open_to_look
from serving.access import Access
from serving.api import Backing, build
from serving.cache import Cache
from serving.champion import Live
from serving.erasing import Aside
from serving.here import Here
from serving.inbound import Inbound
from serving.logs import configure
from serving.pages.sessions import Sessions
from serving.spool import Spool
from serving.wire import Wire

log = structlog.get_logger()


def from_environment(settled: Callable[[], None]) -> ASGIApp:
    """Build the service as the environment says.

    Args:
        settled: called once all routes are there, a moment after the first score can be given.

    """
    configure()
    home = Home(Settings())
    chosen = home.serve
    Wire.most = chosen.connections
    look = partial(open_to_look, home.store_url)
    live = Live(Cache(home.folder("models")), look, chosen.poll)
    live.start()
    access = None
    if chosen.keys:
        rate, remembered = chosen.rate / chosen.workers, home.folder(".") / "keys.json"
        access = Access(home.secret, rate, remembered, look, chosen.poll)
    agreed = load(chosen.agreement) if chosen.agreement.exists() else None
    _warn(live, agreed)
    aside = Aside(home.folder("rejects"), home.folder("spool"))
    backing = Backing(partial(open_store, home.store_url), aside, agreed)
    spool = Spool(aside.spool, home.spool, time.time)
    folder = home.folder("metrics") if chosen.workers > 1 else None
    sessions = Sessions(home.secret if access else home.page_secret, access)
    shell = build(
        live,
        backing,
        settings=chosen,
        access=access,
        spool=spool,
        folder=folder,
        sessions=sessions,
        inbound=Inbound(home.secret, chosen.rate / chosen.workers) if access else None,
        settled=settled,
    )
    return shell if access else Here(shell)


def _warn(live: Live, agreed: Agreement | None) -> None:
    """Say what keeps the service from scoring as the folder says."""
    if live.model is None:
        log.warning("no score can be given yet", reason=live.trouble)
    elif agreed is not None:
        trained = live.model.artefact.scorer.agreement.label
        if agreed.label != trained:
            reason = f"agreement.toml is now {agreed.label}; retrain to score by the new text"
            log.warning("the model scores by the agreement it was trained with", reason=reason)
