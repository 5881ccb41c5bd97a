"""A process that writes as a busy service does, until it is told to end. Quick to import."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from features.leads import Fault
from features.store.database import Store, open_store
from features.store.said import Said
from tests.features.store.making import MONDAY, hand, say

FEWEST, MOST = 3, 12
"""Rounds of one writer."""


def write_until(url: str, first: int, writers: int, end: Path) -> list[Counter[str]]:
    """Let writers from number `first` on write in threads of this process.

    Returns:
        For each writer how many rounds it made, and what it was told of what it wrote.

    """
    store = open_store(url)
    with ThreadPoolExecutor(writers) as pool:
        numbers = range(first, first + writers)
        told = list(pool.map(lambda number: _rounds(store, number, end), numbers))
    store.close()
    return told


def _rounds(store: Store, writer: int, end: Path) -> Counter[str]:
    told: Counter[str] = Counter()
    while told["rounds"] < FEWEST or (told["rounds"] < MOST and not end.exists()):
        _round(store, writer, told["rounds"], told)
        told["rounds"] += 1
    return told


def _round(store: Store, writer: int, i: int, told: Counter[str]) -> None:
    """Write of a lead of one's own, and of one of which all writers write the same."""
    own, shared = f"own-{writer}-{i}", f"shared-{i}"
    at = MONDAY + timedelta(days=1)
    for id_, name in ((own, "own"), (shared, "shared")):
        contacted = Said(id_, "contacted", at, by=f"rep {writer}" if id_ == own else None)
        # What is told before the hand-off waits, and the same words again add nothing.
        for word in say(store, contacted):
            told[f"{name} {'refused' if isinstance(word, Fault) else word}"] += 1
        told[f"{name} handed"] += sum(hand(store, id_))
        assert say(store, contacted) == ["repeated"]
