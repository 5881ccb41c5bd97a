"""Every figure of campaigns and of the report is that of the raw rows, found by another route."""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from fastapi.testclient import TestClient

from features.encoder import Encoder
from features.leads import admit
from features.sections import FieldUse
from features.store.database import open_store
from serving.api import Backing, build
from serving.artefact import LoadedModel
from serving.effects import Effects
from serving.erasing import Aside
from serving.members import Additive
from serving.spread import Spread
from serving.timing import Timing
from tests.lives import Fixed
from tests.serving.recount import campaigns, report
from tests.serving.recount.campaigns import Asked
from tests.serving.recount.life import Life, agreed
from tests.serving.recount.outlook import Curve
from tests.serving.recount.rows import Rows, key_of
from tests.serving.small import small_model

ENDS = (
    datetime(2026, 4, 2, 14, 37, 11, 123456),  # summer time has begun, a month with it
    datetime(2026, 11, 2, 0, 30),  # it has ended, a month and a week have begun
    datetime(2027, 1, 5, 8, 30),  # the last week of the year before has the number 53
)
"""Moments at which stores are looked at."""
LEARNED = ("Spring fair", "Straße")
"""Campaigns that the model has learned."""
DAYS, HAZARDS = (7.0, 21.0, 45.0), (-0.4, 0.3)
Ask = Callable[..., Any]
LIFTS, STRAYS = (0.1, -0.2, 0.3), 0.2


@dataclass(frozen=True)
class Lived:
    """A store in which much has happened."""

    url: str
    life: Life
    rows: Rows

    @contextmanager
    def asked(self, model: LoadedModel | None = None) -> Iterator[Ask]:
        """Run a service that has a model, or none, at the end of the life."""
        aside = Aside(self.life.folder / "rejects", self.life.folder / "spool")
        backing = Backing(partial(open_store, self.url), aside, agreed())
        service = build(Fixed(model, "none yet"), backing, now=lambda: self.life.now)

        def get(path: str, **parameters: Any) -> Any:
            reply = client.get(path, params=parameters)
            assert reply.status_code == 200, reply.text
            return reply.json()

        with TestClient(service) as client:
            yield get


@pytest.fixture(
    scope="module",
    params=[("sqlite", 0), ("postgresql", 1), ("sqlite", 2)],
    ids=lambda param: f"{param[0]}-{ENDS[param[1]]:%Y-%m}",
)
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """One on each kind of database, at each of the moments."""
    kind, seed = request.param
    folder = tmp_path_factory.mktemp("lived")
    if kind == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_store"), folder / "store.db")
        url = f"sqlite:///{folder / 'store.db'}"
    else:
        server = request.getfixturevalue("postgresql")
        url = server.fresh(template=request.getfixturevalue("postgresql_store"))
    return lived_in(url, Life(random.Random(seed), ENDS[seed], folder))


def lived_in(url: str, life: Life) -> Lived:
    """Let a store live."""
    store = open_store(url)
    life.keep(store, leads=120)
    rows = Rows.of(store)
    store.close()
    return Lived(url, life, rows)


def told_alike(found: Any, wanted: Any, where: str = "") -> None:
    """Hold every figure to the other, name by name and place by place."""
    if isinstance(wanted, dict):
        assert set(found) == set(wanted), where
        for name in wanted:
            told_alike(found[name], wanted[name], f"{where}.{name}")
    elif isinstance(wanted, list):
        assert isinstance(found, list), where
        assert len(found) == len(wanted), f"{where}: {found} {wanted}"
        for n, one in enumerate(wanted):
            told_alike(found[n], one, f"{where}[{n}]")
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=1e-6, abs=1e-9), where
    else:
        assert found == wanted, where


def a_model() -> LoadedModel:
    """One that knows when wins come, how far sums are off, and two of the campaigns."""
    whole = small_model("7")
    names = {"campaign": LEARNED, "industry": ("Software",)}
    uses = {name: FieldUse(use="yes", kind="category") for name in names}
    columns = {name: [some[i % len(some)] for i in range(80)] for name, some in names.items()}
    columns["id"] = [str(i) for i in range(80)]
    leads = admit(columns, agreed(), {}, need_created=False)
    timing = Timing(DAYS, HAZARDS, Effects((), Additive(0.0, ())), LIFTS, STRAYS)
    scorer = replace(
        whole.artefact.scorer,
        agreement=agreed(),
        encoder=Encoder.fit(leads, agreed(), uses),
        timing=timing,
        spread=Spread(0.3, 0.6),
    )
    return replace(whole, artefact=replace(whole.artefact, scorer=scorer))


def asked(now: datetime, days: int, by: str, has_model: bool) -> Asked:
    """The same question, for the other route."""
    learned = {"campaign": LEARNED, "industry": ("Software",)}.get(by, ()) if has_model else ()
    keys = {key_of(name) for name in (*learned, "not given")}

    def known(name: str) -> bool:
        return key_of(name) in keys

    if not has_model:
        spread = partial(_spread, known, 0.5, 0.7)
        return Asked(now, days, 45, by, Curve.even(45), spread, known)
    last = 1 / (1 + math.exp(HAZARDS[1]))
    curve = Curve(DAYS, (last / (1 + math.exp(HAZARDS[0])), last, 1.0), LIFTS, STRAYS)
    spread = partial(_spread, known, 0.3, 0.6)
    return Asked(now, days, 45, by, curve, spread, known, "7", True, 0.3)


def _spread(known: Callable[[str], bool], of_known: float, of_new: float, name: str) -> float:
    return of_known if known(name) else of_new


@pytest.mark.parametrize("has_model", [False, True])
def test_campaigns_are_those_of_the_raw_rows(lived: Lived, has_model: bool) -> None:
    with lived.asked(a_model() if has_model else None) as get:
        for by, days in (("campaign", 180), ("campaign", 31), ("source", 180), ("industry", 180)):
            found = get("/v1/campaigns", by=by, days=days)
            question = asked(lived.life.now, days, by, has_model)
            told_alike(found, campaigns.recounted(lived.rows, question, found), f"{by} {days}")


def test_the_report_is_that_of_the_raw_rows(lived: Lived) -> None:
    now = lived.life.now
    week, month = f"{now:%G-W%V}", f"{now:%Y-%m}"
    with lived.asked() as get:
        for name in (week, *_before(week, 4), month, *_before(month, 2)):
            found = get("/v1/report", **{"week" if "W" in name else "month": name})
            told_alike(found, report.recounted(lived.rows, agreed(), name, now), name)


def _before(name: str, times: int) -> list[str]:
    found = [report.Span.of(name)]
    for _ in range(times):
        found.append(found[-1].before())
    return [span.name for span in found[1:]]


def test_moments_told_with_the_offset_of_a_zone_are_kept_as_what_they_are(lived: Lived) -> None:
    rows = lived.rows
    ids = {row["key"]: row["id"] for row in rows["leads"] if not row["erased"]}
    kept = {(ids[row["lead"]], row["at"]) for row in rows["handoffs"] if row["lead"] in ids}
    assert kept <= set(lived.life.handed)
    assert len(kept) > 80
