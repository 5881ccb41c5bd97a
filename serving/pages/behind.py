"""What stands behind the pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from features.agreement import Agreement
from serving.artefact import LoadedModel
from serving.campaign_desk import CampaignDesk
from serving.pages.sessions import Sessions
from serving.stored import OpenedStore
from serving.watch import FieldSeen


def utc_now() -> datetime:
    """Return this moment, in UTC without a zone mark."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Behind:
    """What each page may use."""

    store: OpenedStore
    agreement: Callable[[], Agreement]
    """Gives the one that holds now, or answers 503."""
    model: Callable[[], LoadedModel | None]
    """Gives the one that scores, if there is one."""
    sessions: Sessions
    campaigns: CampaignDesk
    """Reads what campaigns bring."""
    watched: Callable[[], Sequence[FieldSeen]] = tuple
    """Gives what recent leads show of each field."""
    mlflow: str = ""
    """Address of MLflow as people open it; empty: there is none."""
    now: Callable[[], datetime] = utc_now
    """Gives this moment (UTC)."""
