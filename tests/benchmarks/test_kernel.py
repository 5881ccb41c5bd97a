"""The measurement of the kernel holds it against LightGBM with the same trees."""

from __future__ import annotations

import benchmarks.kernel
from tests.serving.test_artefact import make


def test_both_sides_are_measured_on_the_same_trees(monkeypatch) -> None:
    monkeypatch.setattr(benchmarks.kernel, "TURNS", 1)

    found = benchmarks.kernel.measured(make().scorer.blend)

    assert found["same_scores"]
    assert found["max_abs_reason_error"] < 1e-9
    assert all(time > 0 for times in found["microseconds"].values() for time in times.values())
