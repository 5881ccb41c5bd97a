"""Which column of an export is what: proposed from names and values, overruled by the user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from features.agreement import DISPOSITIONS, Columns, Disposition, Export, faults
from features.cells import Cell, key_of, moment, text_of
from features.errors import AgreementError
from features.leads import ROW_NUMBER
from features.profile import Profile
from training.outcome_words import (
    CALLED_NAMES,
    CAMPAIGN_NAMES,
    CLOSED_NAMES,
    CREATED_NAMES,
    ID_NAMES,
    OTHER_DATES,
    OUTCOME_NAMES,
    SERIAL_NAMES,
    SOURCE_NAMES,
    VALUE_NAMES,
    is_plain_yes_or_no,
    is_won_beside_lost,
    meaning_of,
    name_rank,
    spoken,
)

_MOST_OUTCOMES = 25
_FIRST_YEAR = 1990
"""Numbers that would be earlier times are other numbers."""


@dataclass(frozen=True)
class Told:
    """What the user said; it is neither guessed nor doubted."""

    id: str | None = None
    created: str | None = None
    outcome: str | None = None
    closed: str | None = None
    won: Sequence[str] = ()
    lost: Sequence[str] = ()
    exclude: Sequence[str] = ()
    include: Sequence[str] = ()
    meanings: Mapping[str, Disposition] = field(default_factory=dict)
    """Further outcome values with their dispositions."""
    delimiter: str | None = None
    """What stands between the fields of the file; None: found out."""
    encoding: str | None = None

    def export(self) -> Export:
        """How the file is written, as far as the user said.

        Raises:
            AgreementError: when it cannot be written so.

        """
        try:
            return Export(delimiter=self.delimiter, encoding=self.encoding)
        except ValidationError as error:
            raise AgreementError("\n".join(faults(error, "what was said of the file"))) from None

    def outcome_meanings(self) -> dict[str, Disposition]:
        """Every outcome value the user gave a meaning."""
        won: dict[str, Disposition] = dict.fromkeys(self.won, "won")
        lost: dict[str, Disposition] = dict.fromkeys(self.lost, "lost")
        return {**won, **lost, **self.meanings}

    def named_columns(self) -> list[str]:
        """Every column the user named."""
        single = (self.id, self.created, self.outcome, self.closed)
        return [*(name for name in single if name), *self.exclude, *self.include]


@dataclass
class Roles:
    """The proposed roles, and what a human should look at."""

    columns: Columns
    outcomes: dict[Disposition, list[str]]
    undecided: dict[str, int] = field(default_factory=dict)
    """Outcome values that nobody could map, with how many leads hold each."""


def find_roles(profiles: dict[str, Profile], cells: dict[str, list[Cell]], told: Told) -> Roles:
    """Propose the role of every column.

    Raises:
        AgreementError: when the outcome can be found neither by name nor by value.

    """
    outcome = told.outcome or _find_outcome(profiles, cells, told)
    outcomes, unmapped = map_outcomes(cells[outcome], told)
    counts = Counter(key_of(cell) for cell in cells[outcome] if cell is not None)
    undecided = {value: counts[key_of(value)] for value in unmapped}
    if not outcomes.get("won"):
        held = ", ".join(f"{text_of(v)!r}" for v in list(dict.fromkeys(cells[outcome]))[:12] if v)
        raise AgreementError(
            f"no value of {outcome!r} looks like won; it holds {held}; name those that mean won "
            "with --won VALUE, and those that mean lost with --lost VALUE"
        )
    known = {n: p for n, p in profiles.items() if n not in {outcome, *told.exclude}}
    # A field declared honest is one to predict from; it cannot be id, order or end of the story.
    free = {n: p for n, p in known.items() if n not in told.include}
    created = told.created
    if created and profiles[created].is_number and not _all_times(cells[created]):
        created = None  # bare numbers that are no times are a serial
    if told.created is None:
        created = _find_created(free, cells, told.closed)
    closed = told.closed
    if closed is None and created:
        closed = _find_closed({n: p for n, p in free.items() if n != created}, cells)
    columns = Columns(
        id=told.id or _find_id(free),
        outcome=outcome,
        created=created,
        serial=None if created else _find_serial(free, told),
        closed=closed,
        campaign=_by_name(_of_kind(known, "category"), CAMPAIGN_NAMES),
        source=_by_name(_of_kind(known, "category"), SOURCE_NAMES),
        value=_by_name(_of_kind(known, "number"), VALUE_NAMES),
        called=_by_name({n: p for n, p in known.items() if not p.is_number}, CALLED_NAMES),
    )
    return Roles(columns, outcomes, undecided)


def _find_outcome(profiles: dict[str, Profile], cells: dict[str, list[Cell]], told: Told) -> str:
    ranked: list[tuple[int, int, str]] = []
    for position, (name, p) in enumerate(profiles.items()):
        if name in told.named_columns() or not 1 <= p.distinct <= _MOST_OUTCOMES:
            continue
        rank = name_rank(name, OUTCOME_NAMES)
        if rank is None and _speaks_of_outcomes(cells[name]):
            rank = len(OUTCOME_NAMES)
        if rank is not None and _tells_won_from_lost(cells[name], told):
            ranked.append((rank, -position, name))
    if ranked:
        return min(ranked)[2]
    raise AgreementError(
        "no column looks like the outcome of a lead (won, lost, converted ...); name it with "
        f"--outcome COL, and its values with --won VALUE; columns: {', '.join(profiles)}"
    )


def _speaks_of_outcomes(cells: list[Cell]) -> bool:
    """Whether most values are words for won, lost or the way there, whatever the column's name."""
    values = {text_of(cell) for cell in cells if cell is not None}
    meanings = [meaning_of(value) for value in values if not is_plain_yes_or_no(value)]
    known = [meaning for meaning in meanings if meaning]
    return {"won", "lost"} <= set(known) and len(known) > 0.7 * len(values)


def _tells_won_from_lost(cells: list[Cell], told: Told) -> bool:
    mapped, _ = map_outcomes(cells, told)
    return bool(mapped.get("won")) and len(mapped) > 1


def map_outcomes(cells: list[Cell], told: Told) -> tuple[dict[Disposition, list[str]], list[str]]:
    """Map the values of the outcome column to dispositions; what cannot be mapped comes apart."""
    counts = Counter(text_of(cell) for cell in cells if cell is not None)
    spellings = sorted(counts, key=lambda value: (-counts[value], value))
    said = told.outcome_meanings()
    given = {key_of(value): meaning for value, meaning in said.items()}
    values: dict[str, str] = {}
    for value in [*said, *spellings]:
        values.setdefault(key_of(value), value)
    mapped: dict[Disposition, list[str]] = {}
    undecided: list[str] = []
    for key, value in values.items():
        meaning = given.get(key) or meaning_of(value)
        if meaning == "won" and told.won and key not in given:
            meaning = None  # the user said which values are won
        if meaning is None:
            undecided.append(value)
        else:
            mapped.setdefault(meaning, []).append(value)
    if not mapped.get("won") and ("lost" in mapped or "unqualified" in mapped):
        _settle(mapped, undecided)
    if len(values) == 2 and len(undecided) == 1 and len(mapped) == 1 and "won" in mapped:
        mapped["lost"], undecided = undecided, []
    return {d: mapped[d] for d in DISPOSITIONS if d in mapped}, undecided


def _settle(mapped: dict[Disposition, list[str]], undecided: list[str]) -> None:
    """Where nothing else is won, `Closed` or `Qualified` beside a word for lost is."""
    for values in (undecided, mapped.get("open", [])):
        for value in filter(is_won_beside_lost, list(values)):
            values.remove(value)
            mapped.setdefault("won", []).append(value)


def _of_kind(profiles: dict[str, Profile], kind: str) -> dict[str, Profile]:
    return {name: p for name, p in profiles.items() if p.kind == kind}


def _find_created(
    free: dict[str, Profile], cells: dict[str, list[Cell]], closed: str | None
) -> str | None:
    times = {
        n: p
        for n, p in _times(free, cells, CREATED_NAMES).items()
        if p.fill > 0.9 and n != closed and not _is_another_date(n)
    }
    # One date that every lead has, and that is not the end of the story, is its beginning.
    return _by_name(times, CREATED_NAMES) or (next(iter(times)) if len(times) == 1 else None)


def _times(
    free: dict[str, Profile], cells: dict[str, list[Cell]], names: tuple[str, ...]
) -> dict[str, Profile]:
    """Return the dates, and the numbers that by name and value are seconds since 1970."""
    return {
        n: p
        for n, p in free.items()
        if p.kind == "date"
        or (p.kind == "number" and name_rank(n, names) is not None and _all_times(cells[n]))
    }


def _all_times(cells: list[Cell]) -> bool:
    try:
        return all(moment(cell).year >= _FIRST_YEAR for cell in set(cells) if cell is not None)
    except ValueError:
        return False


def _is_another_date(name: str) -> bool:
    return name_rank(name, CLOSED_NAMES) is not None or OTHER_DATES.search(spoken(name)) is not None


def _find_closed(free: dict[str, Profile], cells: dict[str, list[Cell]]) -> str | None:
    return _by_name(_times(free, cells, CLOSED_NAMES), CLOSED_NAMES)


def _find_id(free: dict[str, Profile]) -> str:
    unique = {n: p for n, p in free.items() if p.is_unique and p.kind in ("category", "number")}
    named = _by_name(
        {n: p for n, p in unique.items() if p.kind == "category" or p.is_integer}, ID_NAMES
    )
    if named:
        return named
    texts = [n for n, p in unique.items() if p.kind == "category" and p.words < 1.5]
    # Without an id the row's number is all there is to tell leads apart.
    return texts[0] if texts else ROW_NUMBER


def _find_serial(free: dict[str, Profile], told: Told) -> str | None:
    if told.created:
        return told.created
    numbers = {n: p for n, p in free.items() if p.is_integer and p.is_unique and p.kind != "phone"}
    for name, p in numbers.items():
        in_order = max(p.increasing, 1 - p.increasing) > 0.9
        if name_rank(name, SERIAL_NAMES) is not None or (in_order and not p.is_counter):
            return name
    return None


def _by_name(profiles: dict[str, Profile], patterns: tuple[str, ...]) -> str | None:
    ranked = [
        (rank, position, name)
        for position, name in enumerate(profiles)
        if (rank := name_rank(name, patterns)) is not None
    ]
    return min(ranked)[2] if ranked else None
