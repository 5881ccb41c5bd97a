"""`GET /metrics`: the state of the service in Prometheus' words, for all workers of this home.

Each worker leaves its counts in a folder every second; whoever is asked adds them up. A worker
that died is counted with what it left. prometheus-client writes the page; it is loaded when the
page is asked for the first time.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from features.store.deliveries import Standing
from serving.artefact import LoadedModel
from serving.tally import Histogram, Tally
from serving.watch import (
    FieldSeen,
    Seen,
    Watch,
    fields_seen,
    name_of,
    score_bands,
    scores_moved,
)

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_FOLDED = "folded.json"
"""The sum of what workers that have ended left, so that their files do not pile up."""
_DEAD_SECONDS = 10.0
"""A worker that has left nothing for so long is dead."""


class Gauge(NamedTuple):
    """A number that somebody else knows."""

    name: str
    description: str
    value: float


class Metrics:
    """Adds up what all workers have counted.

    Args:
        tally: of this worker.
        watch: of this worker.
        model: gives the one that scores, if there is one.
        gauges: gives further numbers, read when the page is asked for.
        folder: where workers leave their counts; None: there is one worker.

    """

    def __init__(
        self,
        tally: Tally,
        watch: Watch,
        model: Callable[[], LoadedModel | None],
        gauges: Callable[[], list[Gauge]],
        folder: Path | None = None,
    ) -> None:
        self._tally = tally
        self._watch = watch
        self._model = model
        self._gauges = gauges
        self._folder = folder
        self._name = f"{os.getpid()}-{time.time_ns()}.json"

    def state(self) -> dict[str, Any]:
        """Return this worker's counts of one moment; asked where they are counted, on the loop."""
        return {"tally": self._tally.state(), "seen": asdict(self._watch.seen)}

    def leave(self) -> None:
        """Leave this worker's counts for the others, whole or not at all."""
        if self._folder is None:
            return
        work = self._folder / f".{self._name}"
        try:
            work.write_bytes(orjson.dumps(self.state()))
            work.replace(self._folder / self._name)
        except OSError:
            # A full disk must not touch scoring; the counts are left a second later.
            return

    def page(
        self, state: dict[str, Any], store_up: bool | None, webhooks: Standing | None = None
    ) -> bytes:
        """Return the page; it reads files.

        Args:
            state: of this worker.
            store_up: whether the store answers; None where there is none.
            webhooks: how many wait and were given up; None where that is not known.

        """
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(list(self._all(state, store_up, webhooks))))
        return generate_latest(registry)

    def _all(
        self, state: dict[str, Any], store_up: bool | None, webhooks: Standing | None
    ) -> Iterator[Metric]:
        model = self._model()
        tally, seen, alive = self._added_up(state, model)
        yield _of_workers(alive)
        yield from _of_requests(tally)
        yield from _of_scores(tally)
        if model is not None:
            yield from _of_model(model)
            yield from _of_fields(seen, model)
        found = self._gauges()
        if store_up is not None:
            found.append(Gauge("leadq_store_up", "Whether the store answers.", store_up))
        if webhooks is not None:
            found.append(Gauge("leadq_webhooks_waiting", "Webhooks to be sent.", webhooks.waiting))
            found.append(Gauge("leadq_webhooks_dead", "Webhooks given up.", webhooks.dead))
        yield from _of_others(found)

    def fields(self, state: dict[str, Any]) -> list[FieldSeen]:
        """Return what recent leads of all workers show of each field; empty without a model."""
        model = self._model()
        if model is None:
            return []
        _, seen, _ = self._added_up(state, model)
        return fields_seen(seen, model.artefact.scorer, model.artefact.reference)

    def _added_up(
        self, mine: dict[str, Any], model: LoadedModel | None
    ) -> tuple[Tally, Seen, list[str]]:
        """Return the counts of all workers, and the processes of those that live."""
        # After a swap there are none of the new model yet, and the old one's bands are others.
        seen = Seen("" if model is None else name_of(model))
        tally, alive = Tally(), [str(os.getpid())]
        tally.take_in(mine["tally"], is_alive=True)
        seen.take_in(mine["seen"])
        for path, state in self._of_others():
            is_alive = _is_alive(path)
            tally.take_in(state["tally"], is_alive)
            if is_alive:
                seen.take_in(state["seen"])
                alive.append(path.name.partition("-")[0])
        return tally, seen, alive

    def _of_others(self) -> list[tuple[Path, dict[str, Any]]]:
        """Return what the others have left, of the dead together, and fold these into one file."""
        if self._folder is None:
            return []
        with _folding(self._folder):
            found = [
                (path, state)
                # Those with a dot are not whole yet, or twice there where their worker was killed.
                for path in sorted(self._folder.glob("[!.]*.json"))
                if path.name != self._name and (state := _state_in(path)) is not None
            ]
            folded = {name for _, state in found for name in state.get("folded", ())}
            for name in folded:
                # Whoever folded it was killed before it was removed.
                (self._folder / name).unlink(missing_ok=True)
            found = [one for one in found if one[0].name not in folded]
            ended = [one for one in found if one[0].name != _FOLDED and _has_ended(one[0])]
            if ended:
                _fold(self._folder, [*(one for one in found if one[0].name == _FOLDED), *ended])
            return found


def _state_in(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found


def _is_alive(path: Path) -> bool:
    try:
        return path.name != _FOLDED and time.time() - path.stat().st_mtime < _DEAD_SECONDS
    except OSError:
        return False


def _has_ended(path: Path) -> bool:
    """Tell whether there is no process any more that could add to a file."""
    number = path.name.partition("-")[0]
    if not number.isdecimal() or _is_alive(path):
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


@contextmanager
def _folding(folder: Path) -> Iterator[None]:
    """Be the only one who reads or folds what workers left: no count shows twice, or is missed."""
    with (folder / ".folding").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fold(folder: Path, parts: list[tuple[Path, dict[str, Any]]]) -> None:
    """Add the counts of dead workers up in one file, and remove theirs.

    The sum names what it holds: a file that a death in between leaves is not counted twice.
    """
    total = Tally()
    for _, state in parts:
        total.take_in(state["tally"], is_alive=False)
    names = [path.name for path, _ in parts if path.name != _FOLDED]
    work = folder / f".{_FOLDED}"
    with suppress(OSError):
        work.write_bytes(orjson.dumps({"tally": total.state(), "folded": names}))
        work.replace(folder / _FOLDED)
        for name in names:
            (folder / name).unlink(missing_ok=True)


class _Collector:
    """Gives metrics in the way that prometheus-client asks for them."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        """Return all of them."""
        return self._metrics


def _of_workers(alive: list[str]) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    workers = GaugeMetricFamily("leadq_worker_info", "Workers that live.", labels=["process"])
    for process in sorted(alive):
        workers.add_metric([process], 1)
    return workers


def _of_requests(tally: Tally) -> Iterator[Metric]:
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    requests = CounterMetricFamily(
        "leadq_requests", "Requests answered.", labels=["method", "route", "status"]
    )
    for (method, route, status), count in sorted(tally.requests.items()):
        requests.add_metric([method, route, str(status)], count)
    yield requests
    seconds = HistogramMetricFamily(
        "leadq_request_seconds", "Time from a request's headers to its answer.", labels=["route"]
    )
    for route, histogram in sorted(tally.seconds.items()):
        seconds.add_metric([route], _buckets(histogram), histogram.total)
    yield seconds
    yield GaugeMetricFamily(
        "leadq_requests_in_flight", "Requests being answered.", value=tally.in_flight
    )


def _of_scores(tally: Tally) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    yield HistogramMetricFamily(
        "leadq_probability",
        "Probabilities given.",
        buckets=_buckets(tally.probabilities),
        sum_value=tally.probabilities.total,
    )
    grades = CounterMetricFamily("leadq_leads_scored", "Leads scored.", labels=["grade"])
    for grade, count in sorted(tally.grades.items()):
        grades.add_metric([grade], count)
    yield grades
    yield CounterMetricFamily(
        "leadq_leads_refused", "Leads with an error in place of a score.", value=tally.refused_leads
    )


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    total, found = 0, []
    for bound, count in zip([*map(str, histogram.bounds), "+Inf"], histogram.counts, strict=True):
        total += count
        found.append((bound, float(total)))
    return found


def _of_model(model: LoadedModel) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    info = GaugeMetricFamily(
        "leadq_model_info", "The model that scores.", labels=["version", "digest", "agreement"]
    )
    agreement = model.artefact.scorer.agreement.label
    info.add_metric([model.version, model.digest[:12], agreement], 1)
    yield info
    if as_of := model.artefact.facts.get("as_of"):
        moment = datetime.fromisoformat(as_of)
        since = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        yield GaugeMetricFamily(
            "leadq_model_as_of_seconds",
            "Up to when the model knows outcomes, in seconds since 1970.",
            value=since.timestamp(),
        )


def _of_fields(seen: Seen, model: LoadedModel) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    yield GaugeMetricFamily(
        "leadq_watched_leads", "Recent leads that the next figures rest on.", value=seen.leads
    )
    missing = GaugeMetricFamily(
        "leadq_field_missing_ratio", "Share of recent leads without the field.", labels=["field"]
    )
    unseen = GaugeMetricFamily(
        "leadq_field_unseen_ratio",
        "Share of recent leads with a value that training did not see often enough, or that "
        "cannot be read.",
        labels=["field"],
    )
    moved = GaugeMetricFamily(
        "leadq_field_psi",
        "Population stability index of recent leads against the training.",
        labels=["field"],
    )
    artefact = model.artefact
    if (score := scores_moved(seen.scores, score_bands(model))) is not None:
        yield GaugeMetricFamily(
            "leadq_score_psi",
            "Population stability index of recent scores against the training.",
            value=score,
        )
    for each in fields_seen(seen, artefact.scorer, artefact.reference):
        missing.add_metric([each.field], each.missing)
        unseen.add_metric([each.field], each.unseen)
        if each.psi is not None:
            moved.add_metric([each.field], each.psi)
    yield from (missing, unseen, moved)


def _of_others(gauges: list[Gauge]) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    for gauge in gauges:
        yield GaugeMetricFamily(gauge.name, gauge.description, value=gauge.value)
