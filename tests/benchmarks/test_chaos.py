"""While models are promoted, workers killed and the database is away, no score is lost."""

from __future__ import annotations

from pathlib import Path

from benchmarks.chaos import Plan, run, scene


def test_a_disturbed_service_loses_no_score_and_mixes_no_versions(tmp_path: Path) -> None:
    plan = Plan(seconds=15, workers=2, share=0.3, promote_every=4, kill_every=6)
    with scene(tmp_path, leads=1_500) as at:
        found = run(at, plan)
    assert found.is_clean, found
    assert found.requests > 50
    assert found.kills >= 1
    assert found.promotions + found.refused_promotions >= 1
