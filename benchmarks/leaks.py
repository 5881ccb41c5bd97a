"""How well leaks are found: `python -m benchmarks.leaks --sets DIR`.

Into each table some leaks and some honest fields are planted (`planted`); the columns that it had
are honest too, because its owner has named its leaks. Told are precision and recall of the verdicts
of a proposal, as `leadq init` makes it.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from benchmarks.planted import HONEST, LEAKS, Cells, Fates, Kind
from benchmarks.sets import Set, folder_sets
from benchmarks.shared_sets import simulated_set
from features.simulate import Settings
from training.propose import propose
from training.roles import Told

LEAKS_A_TABLE, HONEST_A_TABLE = 6, 4
ACCUSED = {"blocked": ("blocked",), "blocked or suspect": ("blocked", "suspect")}
_OPEN = 0.15
_FEWEST, _MOST = 600, 3000
_DAYS = 500
_START = np.datetime64("2025-01-01")
_ID, _CREATED, _OUTCOME = "Record ID", "Created At", "Lead State"


class Judged(NamedTuple):
    """The verdict on one field, and what the field is."""

    verdict: str
    is_leak: bool
    name: str
    is_named: bool
    """Whether its name means anything; fields that the table had count as named."""


def judged(data: Set, seed: int) -> Iterator[Judged]:
    """Plant fields into a part of a set, and yield the verdict on each field of the table."""
    random = np.random.default_rng(seed)
    rows = random.permutation(len(data.raw))[: int(random.integers(_FEWEST, _MOST))]
    table = data.raw.iloc[rows].reset_index(drop=True)
    fates = _fates(data, rows, random)
    planted = dict(_planted(fates, LEAKS, LEAKS_A_TABLE))
    honest = dict(_planted(fates, HONEST, HONEST_A_TABLE))
    fields = {name: cells for name, (cells, _) in {**planted, **honest}.items()}
    table = table.drop(columns=[name for name in fields if name in table]).assign(**fields)
    table.insert(0, _ID, [f"r{i}" for i in random.permutation(len(rows))])
    table[_CREATED] = np.datetime_as_string(fates.created, unit="s")
    table[_OUTCOME] = np.where(fates.open, "Open", np.where(fates.won, "Won", "Lost"))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "export.csv"
        table.to_csv(path, index=False)
        told = Told(id=_ID, created=_CREATED, outcome=_OUTCOME, won=["Won"], lost=["Lost"])
        proposal = propose(path, told)
    found = proposal.findings
    for name in table.columns.drop([_ID, _CREATED, _OUTCOME]):
        verdict = found[name].verdict if name in found else "fine"
        if name == proposal.agreement.columns.closed:
            verdict = "blocked"  # its role is its verdict
        is_named = not any(name in part and part[name][1] for part in (planted, honest))
        yield Judged(verdict, name in planted, name, is_named)


def _fates(data: Set, rows: np.ndarray, random: np.random.Generator) -> Fates:
    created = _START + random.integers(0, _DAYS * 86_400, len(rows)).astype("timedelta64[s]")
    if data.place is not None and data.is_dated:
        created = data.place[rows].astype("datetime64[s]")
    elif data.place is not None:  # in the order of the set
        ranks = np.argsort(np.argsort(data.place[rows], kind="stable"), kind="stable")
        created = np.sort(created)[ranks]
    return Fates(data.labels[rows] == 1, random.random(len(rows)) < _OPEN, created, random)


def _planted(
    fates: Fates, kinds: tuple[Kind, ...], wanted: int
) -> Iterator[tuple[str, tuple[Cells, bool]]]:
    """Yield names, with the cells and whether the name means nothing."""
    for place in fates.random.permutation(len(kinds))[:wanted]:
        kind = kinds[int(place)]
        which = int(fates.random.integers(len(kind.names)))
        yield kind.names[which], (kind.make(fates), which == len(kind.names) - 1)


def _tables(
    folder: Path | None, simulated: int, repeats: int
) -> Iterator[tuple[str, list[Judged]]]:
    sets = folder_sets(folder) if folder else []
    sets += [
        simulated_set(f"simulated {seed}", Settings(seed=seed, leads=6000))
        for seed in range(500, 500 + simulated)
    ]
    for place, data in enumerate(sets):
        for repeat in range(repeats):
            yield f"{data.name} ({repeat})", list(judged(data, 1000 * repeat + place))


def main() -> None:
    """Print precision and recall, and what was missed and wrongly accused, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sets", type=Path, help="folder with NAME.csv and NAME.toml")
    parser.add_argument("--simulated", type=int, default=6, help="simulated CRMs beside them")
    parser.add_argument("--repeats", type=int, default=1, help="tables made of each set")
    options = parser.parse_args()
    found: list[Judged] = []
    wrong: Counter[str] = Counter()
    for name, fields in _tables(options.sets, options.simulated, options.repeats):
        found += fields
        wrong.update(f"{name}: {f.name} {f.verdict}" for f in fields if _is_wrong(f))
    print("\n".join(_summary(found)))
    print("\nAccused though honest:", *sorted(wrong), sep="\n  ")


def _is_wrong(field: Judged) -> bool:
    return not field.is_leak and field.verdict in ("blocked", "suspect")


def _summary(found: list[Judged]) -> Iterator[str]:
    leaks = [f for f in found if f.is_leak]
    yield f"{len(leaks)} leaks planted, {len(found) - len(leaks)} honest fields\n"
    yield "| accused | precision | recall | of leaks whose name means nothing |"
    yield "|---|---|---|---|"
    for how, verdicts in ACCUSED.items():
        accused = [f for f in found if f.verdict in verdicts]
        right = [f for f in accused if f.is_leak]
        nameless = [f for f in leaks if not f.is_named]
        caught = [f for f in nameless if f.verdict in verdicts]
        yield (
            f"| {how} | {_share(len(right), len(accused))} | {_share(len(right), len(leaks))} "
            f"| {_share(len(caught), len(nameless))} |"
        )
    yield "\nRecall of blocked or suspect by name:\n"
    names = Counter(f.name for f in leaks)
    caught_by = Counter(f.name for f in leaks if f.verdict in ACCUSED["blocked or suspect"])
    for name, times in sorted(names.items(), key=lambda item: caught_by[item[0]] / item[1])[:25]:
        yield f"{name}: {caught_by[name]} of {times}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2f} ({part} of {whole})" if whole else "–"


if __name__ == "__main__":
    main()
