from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.errors import LeadqError
from features.repeats import First, Repeats, marks_of


@pytest.fixture
def repeats() -> Iterator[Repeats]:
    with closing(Repeats()) as found:
        yield found


def find(repeats: Repeats, ids: list[str], start: int = 1, file: str = "a") -> dict[int, First]:
    lines = list(range(start, start + len(ids)))
    contents = np.array([hash(text) for text in ids], dtype=np.int64)
    return repeats.find(file, marks_of(lines, ids, contents), ())


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(chunks=st.lists(st.lists(st.integers(0, 30).map(str), max_size=12), max_size=12))
def test_what_is_found_is_what_a_dictionary_finds(
    monkeypatch: pytest.MonkeyPatch, chunks: list[list[str]]
) -> None:
    monkeypatch.setattr("features.repeats._LONGEST_RUN", 8)
    # All that can be told from half of a hash is told wrongly: repeats must be proved.
    monkeypatch.setattr("features.repeats._HALF", np.uint64(62))
    seen: dict[str, int] = {}
    with closing(Repeats()) as repeats:
        start = 1
        for ids in chunks:
            found = find(repeats, ids, start)
            for place, text in enumerate(ids):
                first = seen.setdefault(text, start + place)
                told = found[place].line if place in found else start + place
                assert told == first
            start += len(ids)


def test_the_first_row_is_told_with_its_file_and_content(repeats: Repeats) -> None:
    find(repeats, ["x", "y"], 5, "a.csv")
    assert find(repeats, ["z", "y"], 2, "b.csv") == {1: First("a.csv", 6, hash("y"))}


def test_places_passed_by_keep_no_id(repeats: Repeats) -> None:
    nothing = np.zeros(2, dtype=np.int64)
    assert repeats.find("a", marks_of([1, 2], ["x", "x"], nothing), {0}) == {}
    assert list(find(repeats, ["x"], 3)) == [0]


def test_an_id_of_another_ending_is_another_id(repeats: Repeats) -> None:
    assert find(repeats, ["x", "x\0", ""]) == {}
    assert find(repeats, ["\0"]) == {}


def test_a_full_disk_is_told_with_the_cure(
    repeats: Repeats, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Full:
        def seek(self, place: int) -> None:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            pass

    monkeypatch.setattr(repeats, "_records", Full())
    with pytest.raises(LeadqError, match=r"no room .*No space left on device.*TMPDIR"):
        find(repeats, ["x"])
