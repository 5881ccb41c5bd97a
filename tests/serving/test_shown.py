"""How figures are written for people."""

from __future__ import annotations

import pytest

from serving.shown import signed


@pytest.mark.parametrize(
    ("change", "digits", "shown"),
    [
        (3.21, 1, "+3.2"),
        (-0.4, 1, "−0.4"),
        (-0.01, 1, "+0.0"),
        (-0.4, 0, "+0"),
        (-1234.5, 0, "−1,234"),
        (0.0, 0, "+0"),
    ],
)
def test_a_change_bears_its_sign(change: float, digits: int, shown: str) -> None:
    assert signed(change, digits) == shown
