"""What can be chosen about the simulated world; help, documentation and checks read this list."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import date
from typing import Any, NamedTuple, TypeVar

import numpy as np

Value = TypeVar("Value", int, float, date)
DAYS_A_MONTH = 365.25 / 12


class Option(NamedTuple):
    """One setting as people read it."""

    name: str
    default: Any
    sentence: str
    low: Any
    high: Any


def _about(sentence: str, low: Value, high: Value) -> dict[str, Any]:
    return {"sentence": sentence, "low": low, "high": high}


@dataclass(frozen=True)
class Settings:
    """The choices behind one simulated CRM; equal settings give equal bytes."""

    leads: int = field(default=20_000, metadata=_about("Leads in the history.", 100, 2_000_000))
    months: int = field(default=24, metadata=_about("Months that the history covers.", 3, 120))
    seed: int = field(default=7, metadata=_about("Seed of every draw.", 0, 2**32 - 1))
    end: date = field(
        default=date(2026, 10, 31),
        metadata=_about("Last day of the history.", date(2000, 1, 1), date(2100, 12, 31)),
    )
    night: int = field(
        default=0,
        metadata=_about(
            "Leads of the last night; 0 means a fiftieth of the history, at least 20.", 0, 100_000
        ),
    )
    horizon_days: int = field(
        default=90, metadata=_about("Days after creation within which a win counts.", 30, 365)
    )
    win_rate: float = field(
        default=0.12, metadata=_about("Share of worked leads won within the horizon.", 0.01, 0.6)
    )
    signal: float = field(
        default=0.80, metadata=_about("AUC that a perfect model reaches, about.", 0.55, 0.95)
    )
    drift: float = field(
        default=0.3,
        metadata=_about(
            "How far the base rate and the meaning of fields move over the history.", 0.0, 1.0
        ),
    )
    interactions: float = field(
        default=1.0,
        metadata=_about("How strongly fields act together, as a multiple of the usual.", 0.0, 3.0),
    )
    missing: float = field(
        default=0.08, metadata=_about("Share of an average field that is not recorded.", 0.0, 0.3)
    )
    dirt: float = field(
        default=0.03,
        metadata=_about("Share of categories and campaign names in a stray spelling.", 0.0, 0.5),
    )
    recycled_share: float = field(
        default=0.15,
        metadata=_about(
            "Share of worked leads that are not ready, in contract or unreachable.", 0.0, 0.5
        ),
    )
    capacity: float = field(
        default=0.9,
        metadata=_about(
            "Leads that sales can work in a month, as a share of an average month's.", 0.1, 2.0
        ),
    )
    campaigns: int = field(default=25, metadata=_about("Campaigns over the whole history.", 6, 200))
    bad_rows: int = field(
        default=0, metadata=_about("Broken rows put into export.csv for trials.", 0, 10_000)
    )

    def __post_init__(self) -> None:
        for option in self.options():
            _check(option, getattr(self, option.name))

    @classmethod
    def options(cls) -> tuple[Option, ...]:
        """Every setting with its default, its sentence and its range (both ends allowed)."""
        return tuple(
            Option(f.name, f.default, f.metadata["sentence"], f.metadata["low"], f.metadata["high"])
            for f in fields(cls)
        )

    def with_overrides(self, pairs: Iterable[str]) -> Settings:
        """These settings with `KEY=VALUE` pairs applied; the last word on a key holds.

        Raises:
            ValueError: naming the key, the value and what is allowed.

        """
        return replace(self, **dict(map(_read, pairs)))

    @property
    def as_of(self) -> np.datetime64:
        """First midnight after the history: the moment at which the CRM is exported."""
        return np.datetime64(self.end, "D") + 1

    @property
    def days(self) -> int:
        """Length of the history in days."""
        return round(self.months * DAYS_A_MONTH)

    @property
    def start(self) -> np.datetime64:
        """First day of the history."""
        return self.as_of - np.timedelta64(self.days, "D")

    @property
    def new_leads(self) -> int:
        """Leads of the last night."""
        return self.night or max(20, self.leads // 50)

    def stream(self, part: str) -> np.random.Generator:
        """A generator of its own for each part, so that one part's draws never shift another's."""
        return np.random.default_rng([self.seed, *part.encode()])


def _read(pair: str) -> tuple[str, Any]:
    key, equals, text = (word.strip() for word in pair.partition("="))
    if not equals:
        raise ValueError(f"setting {pair!r} has no value; write KEY=VALUE, such as drift=0.3")
    option = _option(key)
    kind = type(option.default)
    try:
        return key, date.fromisoformat(text) if kind is date else kind(text)
    except ValueError:
        raise ValueError(f"setting {key}={text!r} is unreadable; {_cure(option)}") from None


def _option(key: str) -> Option:
    known = {option.name: option for option in Settings.options()}
    if key in known:
        return known[key]
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise ValueError(f"unknown setting {key!r}; {hint}Known settings: {', '.join(known)}")


def _check(option: Option, value: Any) -> None:
    if not option.low <= value <= option.high:
        raise ValueError(f"setting {option.name}={value} is out of range; {_cure(option)}")


def _cure(option: Option) -> str:
    kinds = {int: "a whole number", float: "a number", date: "a date (YYYY-MM-DD)"}
    return f"give {kinds[type(option.default)]} from {option.low} to {option.high}"
