from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.special import expit

from features.encoder import Column, Matrix
from training.growth import Growth, how_many_more
from training.labels import Labels

COLUMNS = (
    Column("score", "score", None),
    Column("source", "source", ("other", "web", "fair", "call")),
    Column("size", "size", None),
)


def leads(rows: int, seed: int, effect: float) -> tuple[Matrix, Labels]:
    """Leads of which the first column tells something; the last has gaps."""
    generator = np.random.default_rng(seed)
    matrix = np.column_stack(
        [generator.normal(size=rows), generator.integers(0, 4, rows), generator.normal(size=rows)]
    )
    matrix[generator.random(rows) < 0.1, 2] = np.nan
    won = generator.random(rows) < expit(effect * matrix[:, 0] - 1)
    return matrix, won.astype(np.int8)


def growth(rows: int, seed: int, effect: float) -> Growth:
    matrix, labels = leads(rows, seed, effect)
    at = int(0.7 * rows)
    return how_many_more(matrix[:at], labels[:at], matrix[at:], labels[at:], COLUMNS, seed)


def test_more_of_random_labels_would_not_help() -> None:
    found = [growth(3000, seed, effect=0.0) for seed in range(6)]

    assert sum("more of the same would hardly help" in g.sentence for g in found) >= 5


def test_so_few_leads_cannot_tell_a_weak_signal_from_none() -> None:
    found = growth(100, 0, effect=0.0)

    assert "would" in found.sentence
    assert any("cannot tell it from none" in growth(100, s, 0.0).sentence for s in range(6))


def test_that_more_would_not_help_is_called_a_guess_of_a_plain_regression() -> None:
    found = [growth(3000, seed, effect=0.0).sentence for seed in range(6)]

    told = next(sentence for sentence in found if "hardly help" in sentence)
    assert told.startswith("a rough guess: ")
    assert "a plain logistic regression" in told


def test_a_weak_signal_is_told_about_how_many_more_would_show_it() -> None:
    found = [growth(300, seed, effect=0.4) for seed in range(8)]

    ranges = [(g.low, g.high) for g in found if g.low is not None and g.high]
    assert len(ranges) >= 4
    assert all(low < high <= 20 * 300 for low, high in ranges)


def test_with_the_number_foretold_it_is_mostly_shown() -> None:
    needed = int(np.median([growth(200, seed, effect=0.5).high or 0 for seed in range(9)]))

    with_them = [growth(200 + needed, 100 + seed, effect=0.5).low == 0 for seed in range(10)]
    assert np.mean(with_them) >= 0.6


def test_where_the_curve_alone_would_do_no_number_is_told_and_no_success_claimed() -> None:
    sentence = growth(2000, 1, effect=1.5).sentence

    assert sentence.startswith("cannot be told: a plain logistic regression sorts")
    assert "yet the test that decides is not passed" in sentence


def test_a_number_is_told_with_its_chances_and_as_a_guess() -> None:
    found = next(g for s in range(8) if (g := growth(300, s, effect=0.4)).low and g.high)

    assert found.sentence.startswith(f"a rough guess: with about {found.low:,} more decided leads")
    assert f"with about {found.high:,} four in five" in found.sentence


def test_the_curve_rises_with_the_leads_it_was_fitted_on() -> None:
    curve = growth(4000, 1, effect=1.0).curve

    assert [rows for rows, _ in curve] == [350, 700, 1400, 2800]
    assert curve[-1][1] > 0.65


def test_too_few_of_an_outcome_says_which() -> None:
    matrix, labels = leads(60, 1, effect=1.0)

    found = how_many_more(matrix[:50], labels[:50], matrix[50:53], labels[50:53], COLUMNS)

    assert found.low is None
    assert "cannot be told yet" in found.sentence
    assert found.curve == ()


def test_the_same_seed_gives_the_same_answer() -> None:
    assert growth(500, 3, effect=0.5) == growth(500, 3, effect=0.5)


def test_a_column_that_is_empty_does_no_harm() -> None:
    matrix, labels = leads(400, 1, effect=1.0)
    matrix[:, 2] = np.nan

    found = how_many_more(matrix[:280], labels[:280], matrix[280:], labels[280:], COLUMNS)

    assert found.curve[-1][1] > 0.6


@pytest.mark.parametrize("rows", [14_000])
def test_it_takes_seconds_on_ten_thousand_earlier_leads(rows: int) -> None:
    start = time.perf_counter()

    growth(rows, 1, effect=0.1)

    assert time.perf_counter() - start < 5
