"""The words of sales that wait: for a lead that nobody knows yet, or for an earlier hand-off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from features.counted import counted
from features.store.feedback import WaitingWord

COLUMNS = ("id", "code", "at", "received", "waits_for")


def rows(words: Sequence[WaitingWord]) -> Iterator[list[str]]:
    """Give the cells of each word by `COLUMNS`."""
    for word in words:
        moments = (word.at, word.received)
        at, received = (moment.isoformat(timespec="seconds") for moment in moments)
        yield [word.id, word.code, at, received, _waits_for(word)]


def waiting_lines(words: Sequence[WaitingWord], most: int) -> Iterator[str]:
    """Tell which words wait, the longest waiting first."""
    if not words:
        yield "no word of sales waits"
        return
    yield f"{counted(len(words), 'word of sales')} waiting, the longest waiting first:"
    width = min(max(len(word.id) for word in words[:most]), 40)
    for word in words[:most]:
        yield (
            f"  {word.id:{width}}  {word.at:%Y-%m-%d %H:%M}  {word.code}, received "
            f"{word.received:%Y-%m-%d}: waits for {_waits_for(word)}"
        )
    if len(words) > most:
        yield f"  and {len(words) - most:,} more; write them all with -o FILE.csv"


def _waits_for(word: WaitingWord) -> str:
    return "an earlier hand-off" if word.is_early else "its lead"
