"""The data that contenders meet: raw text in, rows to train on and rows to be judged on out."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from benchmarks.measures import Floats, Labels
from features.cells import key_of, moment
from features.profile import find_day_first

TRAIN_SHARE = 0.7
FOLDS = 5
_KEYS = {"id", "time", "outcome", "won", "exclude"}
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Set:
    """One data set, with what its owner says about it."""

    name: str
    raw: pd.DataFrame
    """The columns that everyone may use, as text exactly as the file has it; "" is missing."""
    outcome: pd.Series
    """The raw outcome of each row; never empty."""
    won: tuple[str, ...]
    """The outcome values that mean won."""
    place: Floats | None = None
    """Each row's place in time; None where there is no order."""
    is_dated: bool = False
    """Whether the places are dates, in seconds since 1970."""
    truth: Floats | None = None
    """The true probability of each row, where the world is simulated."""
    campaigns: list[str] = field(default_factory=list)
    """Each row's campaign, where sums over campaigns are judged."""

    @property
    def labels(self) -> Labels:
        """1 won, 0 not, shape (rows,)."""
        won = {_key(value) for value in self.won}
        return np.array([_key(value) in won for value in self.outcome], dtype=np.int8)

    def splits(self, seed: int) -> Iterator[tuple[Rows, Rows]]:
        """Yield rows to train on and rows to be judged on, each in the order of the file.

        With a time the first 70 % train and the last 30 % judge; rows of the same time are parted
        by a seeded shuffle, because a file may be sorted by outcome. Without a time there are 5
        stratified folds, and each row is judged once.
        """
        rows = len(self.raw)
        if self.place is None:
            folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
            yield from folds.split(np.zeros(rows), self.labels)
            return
        shuffled = np.random.default_rng(seed).permutation(rows)
        order = shuffled[np.argsort(self.place[shuffled], kind="stable")]
        boundary = int(TRAIN_SHARE * rows)
        yield np.sort(order[:boundary]), np.sort(order[boundary:])


def _key(value: str) -> str:
    """What decides whether two outcomes are the same: 1 and 1.0 are, Won and won too."""
    try:
        return repr(float(value))
    except ValueError:
        return key_of(value)


def folder_sets(folder: Path, only: Sequence[str] = ()) -> list[Set]:
    """Read every `NAME.csv` of a folder that has a `NAME.toml` beside it, or `only` some.

    Raises:
        ValueError: when a description or its table does not hold what it must; naming the file,
            the value and the cure.

    """
    found = sorted(folder.glob("*.toml"))
    if not found:
        raise ValueError(f"{folder}: no NAME.toml; put one beside each NAME.csv")
    return [_described(path) for path in found if not only or path.stem in only]


def _described(path: Path) -> Set:
    told = tomllib.loads(path.read_text(encoding="utf-8"))
    unknown = sorted(set(told) - _KEYS)
    if unknown or "outcome" not in told or not told.get("won"):
        what = f"unknown key {', '.join(unknown)}" if unknown else "outcome or won is not given"
        raise ValueError(f"{path}: {what}; give outcome, won = [...], and maybe id, time, exclude")
    table = read_table(path.with_suffix(".csv"))
    return from_table(
        path.stem,
        table,
        outcome=told["outcome"],
        won=[str(value) for value in told["won"]],
        time=told.get("time"),
        drop=[*told.get("exclude", []), *([told["id"]] if "id" in told else [])],
    )


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV file as text, cell by cell; the delimiter is the commonest mark of its header."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t|", key=header.count)
    return pd.read_csv(StringIO(text), sep=delimiter, dtype=str, keep_default_na=False)


def from_table(
    name: str,
    table: pd.DataFrame,
    outcome: str,
    won: list[str],
    time: str | None = None,
    drop: list[str] | None = None,
    truth: Floats | None = None,
    campaign: str | None = None,
) -> Set:
    """Make a set from a table of text; rows without an outcome or a time teach nobody and go.

    Args:
        name: how the set is called in the results.
        table: all columns.
        outcome: the column with the outcome.
        won: its values that mean won.
        time: the column with the time, a date or a number; it is nobody's feature.
        drop: columns that nobody gets: the id, leaks, what is known too late.
        truth: the true probability of each row.
        campaign: the column by which sums are judged.

    Raises:
        ValueError: when a column is not there, or the outcome has only one kind of value.

    """
    named = [outcome, *([time] if time else []), *(drop or [])]
    absent = [column for column in named if column not in table]
    if absent:
        raise ValueError(
            f"{name}: no column {', '.join(absent)}; the table has: {', '.join(table.columns)}"
        )
    keep = table[outcome].str.strip() != ""
    if time:
        keep &= table[time].str.strip() != ""
    rows = np.flatnonzero(keep.to_numpy())
    kept = table.iloc[rows].reset_index(drop=True)
    place, is_dated = _places(name, kept[time]) if time else (None, False)
    made = Set(
        name=name,
        raw=kept.drop(columns=list(dict.fromkeys(named))),
        outcome=kept[outcome],
        won=tuple(won),
        place=place,
        is_dated=is_dated,
        truth=None if truth is None else truth[rows],
        campaigns=kept[campaign].tolist() if campaign else [],
    )
    if made.labels.min() == made.labels.max():
        held = ", ".join(map(repr, sorted(set(made.outcome))[:8]))
        raise ValueError(f"{name}: won = {won} parts nothing; {outcome!r} holds {held}")
    return made


def _places(name: str, times: pd.Series) -> tuple[Floats, bool]:
    """Read times as numbers where all are numbers, else as dates; say whether they are dates."""
    numbers = pd.to_numeric(times, errors="coerce")
    if numbers.notna().all():
        return np.asarray(numbers, dtype=float), False
    day_first = find_day_first(times.tolist()) or False
    try:
        moments = {text: _seconds(text, day_first) for text in set(times)}
    except ValueError as error:
        raise ValueError(f"{name}: the time column {times.name!r}: {error}") from None
    return np.array([moments[text] for text in times]), True


def _seconds(text: str, day_first: bool) -> float:
    try:
        return float(pd.Timestamp(moment(text, day_first)).timestamp())
    except ValueError:
        return float(pd.Timestamp(text).timestamp())  # months and quarters: 2025-07, 2025Q3
