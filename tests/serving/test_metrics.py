"""What the service tells of itself to Prometheus."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson
import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from features.errors import StoreError
from features.home import ServeSettings
from features.store.database import Store
from features.store.deliveries import Standing
from serving import api
from serving.api import Backing, build
from serving.artefact import LoadedModel, leads_of_records
from serving.erasing import Aside
from serving.metrics import Gauge, Metrics
from serving.spool import waiting
from serving.tally import Histogram, Tally, begin
from serving.watch import Seen, Watch, bands_of, fields_seen, psi
from tests.lives import Fixed
from tests.serving.small import ROWS, small_model
from tests.serving.spooling import scored

LEAD = {"id": "web-1", "industry": "Software", "visits": 3}
QUIET = ServeSettings(log="none")


def samples(page: str) -> dict[tuple[str, ...], float]:
    """Each number of a page under its name and the values of its labels."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_requests_leads_and_scores_are_counted() -> None:
    with TestClient(build(Fixed(small_model()), settings=QUIET)) as client:
        client.post("/v1/score", json={"leads": [LEAD, LEAD, "no lead"]})
        client.post("/v1/score", content=b"{")
        client.get("/v1/leads/jane@example.com")
        found = samples(client.get("/metrics").text)

    assert found["leadq_requests_total", "POST", "/v1/score", "200"] == 1
    assert found["leadq_requests_total", "POST", "/v1/score", "400"] == 1
    assert found["leadq_requests_total", "unknown", "unknown", "404"] == 1
    assert found["leadq_request_seconds_count", "/v1/score"] == 2
    assert found["leadq_probability_count",] == 2
    assert found["leadq_leads_refused_total",] == 1
    assert found["leadq_requests_in_flight",] == 1
    assert sum(value for key, value in found.items() if key[0] == "leadq_leads_scored_total") == 2


def test_the_model_is_named_with_its_age() -> None:
    with TestClient(build(Fixed(small_model("7")), settings=QUIET)) as client:
        found = samples(client.get("/metrics").text)

    assert ("leadq_model_info", found_label(found), "0" * 12, "7") in found
    assert found["leadq_model_as_of_seconds",] == 1780272000.0


def found_label(found: dict[tuple[str, ...], float]) -> str:
    return small_model().artefact.scorer.agreement.label


def test_without_a_model_there_are_counts_all_the_same() -> None:
    with TestClient(build(Fixed(None, "none yet"), settings=QUIET)) as client:
        found = samples(client.get("/metrics").text)

    assert not any(name.startswith("leadq_model_info") for name, *_ in found)


@pytest.mark.parametrize("is_up", [True, False])
def test_the_page_says_whether_the_store_answers(tmp_path: Path, sqlite_store, is_up) -> None:
    from features.store.database import open_store

    def open_it() -> Store:
        if is_up:
            return open_store(f"sqlite:///{sqlite_store}")
        raise StoreError("is down")

    with TestClient(
        build(Fixed(None), Backing(open_it, Aside(tmp_path, tmp_path)), settings=QUIET)
    ) as client:
        found = samples(client.get("/metrics").text)
    assert found["leadq_store_up",] == is_up
    assert found.get(("leadq_webhooks_waiting",)) == (0 if is_up else None)


def test_the_page_counts_the_webhooks() -> None:
    asked = metrics(None, Tally())
    told = asked.page(asked.state(), True, Standing(waiting=2, dead=1))
    found = samples(told.decode())
    assert (found["leadq_webhooks_waiting",], found["leadq_webhooks_dead",]) == (2, 1)


def metrics(folder: Path | None, tally: Tally, watch: Watch | None = None) -> Metrics:
    model = small_model()
    gauge = Gauge("leadq_waiting", "Of somebody.", 3.0)
    return Metrics(tally, watch or Watch(), lambda: model, lambda: [gauge], folder)


def page(metrics: Metrics) -> dict[tuple[str, ...], float]:
    return samples(metrics.page(metrics.state(), None).decode())


def test_any_worker_answers_for_all(tmp_path: Path) -> None:
    one, other = Tally(), Tally()
    for tally in (one, other):
        tally.answered("POST", "/v1/score", 200, 0.002)
        tally.scored(scored("a", probability=0.3), 0)
        tally.in_flight = 2
    metrics(tmp_path, other).leave()

    found = page(metrics(tmp_path, one))

    assert found["leadq_requests_total", "POST", "/v1/score", "200"] == 2
    assert found["leadq_request_seconds_bucket", "0.0025", "/v1/score"] == 2
    assert found["leadq_leads_scored_total", "B"] == 2
    assert found["leadq_requests_in_flight",] == 4


def test_a_dead_worker_keeps_its_counts_and_holds_no_requests(tmp_path: Path) -> None:
    dead = Tally()
    dead.answered("GET", "/healthz", 200, 0.1)
    dead.in_flight = 5
    metrics(tmp_path, dead).leave()
    (left,) = tmp_path.glob("*.json")
    os.utime(left, (time.time() - 60, time.time() - 60))

    found = page(metrics(tmp_path, Tally()))

    assert found["leadq_requests_total", "GET", "/healthz", "200"] == 1
    assert found["leadq_requests_in_flight",] == 0


def test_a_new_service_forgets_the_counts_of_the_one_before(tmp_path: Path) -> None:
    tally = Tally()
    tally.answered("GET", "/healthz", 200, 0.1)
    metrics(tmp_path, tally).leave()

    begin(tmp_path)

    assert ("leadq_requests_total", "GET", "/healthz", "200") not in page(
        metrics(tmp_path, Tally())
    )


def test_a_damaged_file_of_counts_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "1-2.json").write_text("{")

    assert page(metrics(tmp_path, Tally()))["leadq_waiting",] == 3


def test_a_worker_that_was_killed_while_it_left_its_counts_counts_once(tmp_path: Path) -> None:
    tally = Tally()
    tally.answered("GET", "/healthz", 200, 0.1)
    metrics(tmp_path, tally).leave()
    (left,) = tmp_path.glob("*.json")
    (tmp_path / f".{left.name}").write_bytes(left.read_bytes())

    assert page(metrics(tmp_path, Tally()))["leadq_requests_total", "GET", "/healthz", "200"] == 1


def test_what_is_counted_while_the_page_is_made_is_not_on_it() -> None:
    tally = Tally()
    asked = metrics(None, tally)
    state = asked.state()
    tally.answered("GET", "/healthz", 200, 0.1)
    found = samples(asked.page(state, None).decode())
    assert ("leadq_requests_total", "GET", "/healthz", "200") not in found


def test_counts_that_cannot_be_left_once_are_left_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    class Failing:
        def leave(self) -> None:
            tried.append(1)
            if len(tried) == 2:
                raise asyncio.CancelledError
            raise TypeError("once")

    monkeypatch.setattr(api, "_PAUSE", 0)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(api._beside(cast(Metrics, Failing()), Watch()))
    assert len(tried) == 2


def test_a_folder_that_cannot_be_written_to_stops_nothing(tmp_path: Path) -> None:
    metrics(tmp_path / "gone", Tally()).leave()


def test_a_band_holds_its_upper_end() -> None:
    histogram = Histogram((1.0, 2.0))

    for value in (0.5, 1.0, 1.5, 2.5):
        histogram.add(value)

    assert (histogram.counts, histogram.total) == ([2, 1, 1], 5.5)


def watched(*records: dict[str, Any]) -> Watch:
    model, watch = small_model(), Watch()
    for record in records:
        watch.saw(model, record)
        assert watch.look()
    return watch


def seen_of(watch: Watch) -> dict[str, Any]:
    artefact = small_model().artefact
    return {f.field: f for f in fields_seen(watch.seen, artefact.scorer, artefact.reference)}


def test_missing_and_unseen_values_are_told_by_field() -> None:
    found = seen_of(watched(LEAD, {**LEAD, "industry": "Alchemy"}, {"id": "2"}, LEAD))

    assert (found["industry"].missing, found["industry"].unseen) == (0.25, 0.25)
    assert (found["visits"].missing, found["visits"].psi) == (0.25, None)


def test_leads_like_those_of_the_training_have_not_moved() -> None:
    leads = [
        {"id": str(i), "industry": "Software" if i % 4 else "Trade", "visits": i % 20}
        for i in range(ROWS)
    ]

    found = seen_of(watched(*leads))

    assert max(found["industry"].psi, found["visits"].psi) < 0.05


def test_leads_of_another_kind_have_moved() -> None:
    found = seen_of(watched(*[{"id": "1", "industry": "Trade", "visits": 19}] * 300))

    assert min(found["industry"].psi, found["visits"].psi) > 0.25


def test_what_was_seen_under_another_version_is_forgotten() -> None:
    watch = watched(*[LEAD] * 3)
    watch.saw(small_model("2"), LEAD)
    watch.look()

    assert (watch.seen.model, watch.seen.leads) == (f"2 {0:064}", 1)


def test_the_page_is_there_between_a_swap_and_the_first_lead_of_the_new_model() -> None:
    watch, model = watched(*[LEAD] * 300), small_model()
    other = {name: {"shares": [1.0], "missing": 0.0} for name in model.artefact.reference}
    asked = Metrics(
        Tally(),
        watch,
        lambda: LoadedModel("1", "1" * 64, replace(model.artefact, reference=other)),
        list,
    )

    assert page(asked)["leadq_watched_leads",] == 0


def test_only_so_many_leads_wait_to_be_looked_at() -> None:
    model, watch = small_model(), Watch()
    for _ in range(1000):
        watch.saw(model, LEAD)

    assert sum(watch.look() for _ in range(1000)) == 50


def test_counts_of_two_workers_add_up_where_they_serve_one_version() -> None:
    one, other = Seen("1", 2, {"a": 1}, {}, {"a": [1, 1]}), Seen("2", 5, {"a": 5}, {}, {})
    one.take_in({"model": "1", "leads": 3, "missing": {"a": 1, "b": 2}, "unseen": {},
                 "bands": {"a": [3, 0]}})  # fmt: skip
    one.take_in(vars(other))

    assert (one.leads, one.missing, one.bands) == (5, {"a": 2, "b": 2}, {"a": [4, 1]})


@pytest.mark.parametrize(
    ("deciles", "bounds", "shares"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 8, 9], (1, 2, 3, 4, 5, 6, 7, 8, 9), [0.1] * 10),
        ([0, 0, 0, 0, 5, 6, 7, 8, 9], (0, 5, 6, 7, 8, 9), [0.45, 0.05, 0.1, 0.1, 0.1, 0.1, 0.1]),
        ([0] * 9, (), [1.0]),
        ([0] * 8 + [10], (0,), [0.85, 0.15]),
        ([1, 1, 2, 2, 3, 3, 4, 4, 5], (1, 2, 3, 4), [0.25, 0.2, 0.2, 0.2, 0.15]),
        ([], (), [1.0]),
        ([1, 2, 3, 4, 5, 6, 7, 9, 9], (1, 2, 3, 4, 5, 6, 7), [0.1] * 7 + [0.3]),
    ],
)
def test_deciles_of_one_value_are_one_band(deciles, bounds, shares) -> None:
    found = bands_of({"missing": 0.0, "deciles": deciles})

    assert found.bounds == bounds
    assert found.shares == pytest.approx([*shares, 0.0])


@pytest.mark.parametrize(
    "values", [[0] * 84 + [10] * 16, [1, 2, 3, 4, 5] * 19 + [1] * 5, [0] * 89 + [1] * 11]
)
def test_a_column_of_few_values_has_not_moved_from_itself(values: list[int]) -> None:
    deciles = np.quantile(values, np.linspace(0.1, 0.9, 9)).tolist()
    bands = bands_of({"missing": 0.0, "deciles": deciles})

    counts = np.bincount([bands.place(value) for value in values], minlength=len(bands.shares))

    assert psi([100 * share for share in bands.shares], counts.tolist()) < 0.1


def test_psi_is_zero_for_equal_shares_and_grows_with_the_distance() -> None:
    assert psi([10, 10], [10, 10]) == 0
    assert 0 < psi([10, 10], [12, 8]) < psi([10, 10], [18, 2])


def test_the_files_of_ended_workers_become_one_and_no_count_is_lost(tmp_path: Path) -> None:
    seen = []
    for number in range(3):
        dead = Tally()
        dead.answered("GET", "/healthz", 200, 0.1)
        left = tmp_path / f"{2**22 + 1 + number}-1.json"  # no process has such a number
        left.write_bytes(orjson.dumps(metrics(None, dead).state()))
        os.utime(left, (time.time() - 60, time.time() - 60))
        seen.append(page(metrics(tmp_path, Tally())))

    told = [found["leadq_requests_total", "GET", "/healthz", "200"] for found in seen]
    assert told == [1, 2, 3]
    assert [path.name for path in tmp_path.glob("*.json")] == ["folded.json"]


def test_a_fold_that_was_killed_halfway_counts_nobody_twice(tmp_path: Path) -> None:
    dead = Tally()
    dead.answered("GET", "/healthz", 200, 0.1)
    left = tmp_path / f"{2**22 + 1}-1.json"
    left.write_bytes(orjson.dumps(metrics(None, dead).state()))
    os.utime(left, (time.time() - 60, time.time() - 60))
    content = left.read_bytes()
    page(metrics(tmp_path, Tally()))
    left.write_bytes(content)

    for _ in range(2):
        found = page(metrics(tmp_path, Tally()))
        assert found["leadq_requests_total", "GET", "/healthz", "200"] == 1


def test_a_file_of_another_name_in_the_spool_does_not_break_the_page(tmp_path: Path) -> None:
    (tmp_path / "x.scores").write_text("by somebody else\n")

    assert waiting(tmp_path, time.time()).scores == 0


def with_scores(deciles: list[float]) -> LoadedModel:
    """The small model, with what later leads of its training were given."""
    model = small_model()
    facts = model.artefact.facts | {"scores": {"missing": 0.0, "deciles": deciles}}
    return replace(model, artefact=replace(model.artefact, facts=facts))


def scores_of(model: LoadedModel, *records: dict[str, Any]) -> dict[tuple[str, ...], float]:
    watch = Watch()
    for record in records:
        watch.saw(model, record)
        assert watch.look()
    told = Metrics(Tally(), watch, lambda: model, list)
    return samples(told.page(told.state(), None).decode())


def test_the_page_tells_how_far_scores_moved_since_the_training() -> None:
    leads = [{"id": str(i), "industry": "Software", "visits": i % 20} for i in range(400)]
    chances = small_model().artefact.scorer.probabilities(
        leads_of_records(leads, small_model().artefact.scorer, {})
    )
    alike = with_scores([float(q) for q in np.quantile(chances, np.linspace(0.1, 0.9, 9))])
    others = with_scores([0.0001 * i for i in range(1, 10)])

    assert scores_of(alike, *leads)["leadq_score_psi",] < 0.05
    assert scores_of(others, *leads)["leadq_score_psi",] > 0.25
    assert ("leadq_score_psi",) not in scores_of(alike, *leads[:100])
    assert ("leadq_score_psi",) not in scores_of(small_model(), *leads)
