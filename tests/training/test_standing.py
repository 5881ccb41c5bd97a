"""How the champion stands, as the store knows it."""

from __future__ import annotations

from datetime import datetime, timedelta

from features.home import Home
from features.store.database import Store
from features.store.health import decided_by
from features.store.said import Said
from features.store.scores import Given, keep_scores
from tests.features.store.making import MONDAY, NOW, agreed, hand, lost, say, some_leads
from training.due import Due
from training.registry import load_champion
from training.standing import Standing, standing_json, standing_lines, standing_of


def _standing(**more: object) -> Standing:
    known = {
        "version": "3",
        "agreement": "1-abc",
        "since": NOW,
        "trained_as_of": NOW - timedelta(days=40),
        "from_store": True,
        "by_sales": 34,
        "by_exports": 66,
        "caution": "",
        "due": Due((), ("no new outcome",)),
    }
    return Standing(**(known | more))  # type: ignore[arg-type]


def test_age_and_share_of_feedback_are_told() -> None:
    lines = list(standing_lines(_standing(), NOW))
    assert "40 days ago" in lines[1]
    assert lines[2].startswith("  trained on 34% feedback: sales told the outcome of 34 of 100")
    assert lines[-1] == "  retraining is not due: no new outcome"


def test_a_model_of_an_export_is_said_to_know_no_feedback() -> None:
    lines = list(standing_lines(_standing(from_store=False), NOW))
    assert any(line.startswith("  trained on 0% feedback") for line in lines)


def test_a_caution_is_repeated() -> None:
    assert "  caution: too high" in standing_lines(_standing(caution="too high"), NOW)


def test_the_machine_reads_the_same() -> None:
    told = standing_json(_standing(due=Due(("drift",), ())))
    assert (told["version"], told["due"], told["since"]) == ("3", ["drift"], NOW.isoformat())


def test_decisions_are_counted_by_who_told_them(store: Store) -> None:
    hand(store, "a", "b", "c")
    say(store, lost("a"), Said("b", "won", MONDAY), Said("c", "not_ready", MONDAY))
    with store.reading() as connection:
        assert decided_by(connection, NOW) == (2, 0)
        assert decided_by(connection, datetime(2026, 3, 2, 12)) == (1, 0)


def test_that_scores_moved_is_told_of_those_that_the_store_holds(
    store: Store, three_runs: Home
) -> None:
    champion = load_champion(three_runs)
    deciles = champion.artefact.facts["scores"]["deciles"]
    leads = some_leads(*(str(i) for i in range(300)))

    def moved(probability: list[float], at: datetime) -> float | None:
        given = Given(champion.version, probability, ["B"] * len(probability))
        keep_scores(store, leads, given, agreed(), at)
        return standing_of(store, champion, agreed(), at + timedelta(days=1)).score_psi

    assert len(deciles) == 9
    alike = [*deciles, 1.0] * 30
    assert moved(alike, MONDAY) < 0.1  # type: ignore[operator]
    later = MONDAY + timedelta(days=40)
    assert moved([0.99] * 300, later) > 0.25  # type: ignore[operator]
    assert standing_of(store, champion, agreed(), later + timedelta(days=40)).score_psi is None


def test_how_far_scores_moved_is_said() -> None:
    lines = list(standing_lines(_standing(score_psi=0.31), NOW))
    assert "  scores of the last 30 days moved by a PSI of 0.31 against the training" in lines
