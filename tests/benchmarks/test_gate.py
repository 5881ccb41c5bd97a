from __future__ import annotations

from benchmarks.gate import CASES, promoted, worth

BY_NAME = {case.name: case for case in CASES}


def test_what_is_called_better_is_better_and_as_good_is_as_good() -> None:
    better, as_good = (
        next(case for name, case in BY_NAME.items() if name.startswith(begins))
        for begins in ("better: the champion's order", "as good")
    )

    assert worth(better, 20_000)[0] > 0.08
    assert abs(worth(as_good, 20_000)[0]) < 0.03


def test_shuffled_labels_are_not_promoted() -> None:
    share, stopped = promoted(BY_NAME["shuffled labels"], 600, 5, age=0)

    assert share == 0
    assert stopped["gain"] == 5
