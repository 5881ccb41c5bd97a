"""The measurement of serving starts real servers, and fails when they fail."""

from __future__ import annotations

import http.client
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.load import Target
from benchmarks.servers import free_port, run_leadq, serving, uvicorn
from benchmarks.serving import MANY, _bulks
from benchmarks.usual import fit_usual


def test_a_server_answers_while_it_is_measured_and_is_gone_afterwards(tmp_path: Path) -> None:
    port = free_port()
    target = Target(f"http://127.0.0.1:{port}/", ["{}"])
    with serving(uvicorn("benchmarks.echo:app", port), target, tmp_path) as running:
        assert running.first_answer_s > 0
        assert 5 < running.rss_mb() < 1000
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with pytest.raises(ConnectionRefusedError):
        connection.connect()


def test_a_server_that_dies_is_told_with_its_last_words(tmp_path: Path) -> None:
    target = Target(f"http://127.0.0.1:{free_port()}/", ["{}"])
    command = [sys.executable, "-c", "raise SystemExit('no model here')"]
    with (
        pytest.raises(RuntimeError, match="no model here"),
        serving(command, target, tmp_path),
    ):
        pass


def test_a_command_of_leadq_that_fails_ends_the_preparation(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"nowhere\.csv"):
        run_leadq(tmp_path, {"LEADQ_HOME": str(tmp_path)}, "init", "nowhere.csv")


def test_bulks_hold_a_hundred_leads_each() -> None:
    assert len(_bulks([{"id": str(i)} for i in range(3 * MANY - 1)], "leads")) == 2


def test_the_usual_pipeline_scores_what_it_was_fitted_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastapi.testclient import TestClient

    from benchmarks import usual

    frame = pd.DataFrame({"size": ["1", "9"] * 50, "country": ["DE", None] * 50})
    fit_usual(frame, [0, 1] * 50, 62, tmp_path)
    monkeypatch.setenv("BENCH_FOLDER", str(tmp_path))
    usual._pipeline.cache_clear()
    leads = [{"size": 1, "country": "DE"}, {"size": 9}]
    with TestClient(usual.app) as client:
        small, large = client.post("/", json={"leads": leads}).json()["probability"]
    assert small < 0.5 < large


def test_the_usual_pipeline_is_not_fitted_where_all_leads_ended_alike(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="100 leads ended alike: 0"):
        fit_usual(pd.DataFrame({"size": ["1"] * 100}), [0] * 100, 62, tmp_path)
