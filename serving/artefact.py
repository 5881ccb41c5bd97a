"""The artefact of a model: text and JSON in one folder, checked before it is used.

No pickle and no code: `read` builds everything with leadq's own classes, and `verify` replays
the golden rows, so that a model which would score otherwise than in training never becomes ready.

    artefact.json   format, agreement, weights, calibration, what the model was made from
    encoder.json    categories and tokens by field
    trees.txt       LightGBM's text (when the blend has trees)
    additive.json   one table per column (when the blend has a logistic regression)
    reference.json  how each field was distributed in training
    value.json      what a won lead is worth (where the agreement names a value column)
    timing.json     when wins come (where leads have creation and closing times)
    interval.json   how well the data supports a score
    spread.json     how far sums over campaigns may be off (where a campaign is agreed)
    golden.json     synthetic leads with the scores they must get
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from features.agreement import from_dict
from features.cells import Cell
from features.encoder import Encoder
from features.errors import ModelError
from features.leads import ROW_NUMBER, Faults, Leads, admit_clean
from serving.interval import Interval
from serving.members import Additive, Member, Trees
from serving.scorer import Blend, Score, Scorer
from serving.sums import Spread
from serving.timing import Timing
from serving.value import ValueModel

FORMAT = 2
_FILES = (
    "additive.json",
    "artefact.json",
    "encoder.json",
    "golden.json",
    "interval.json",
    "reference.json",
    "spread.json",
    "timing.json",
    "trees.txt",
    "value.json",
)
# What reading and scoring can raise when a file is not what it was.
_DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError)
_REPLAYED = (
    "probability", "probability_low", "probability_high", "expected_value", "expected_days",
)  # fmt: skip
Record = dict[str, Any]
Part = TypeVar("Part")


@dataclass(frozen=True)
class Artefact:
    """A scorer with what is kept beside it."""

    scorer: Scorer
    facts: dict[str, Any]
    """Counts, dates and figures of the training; no lead's data."""
    reference: dict[str, Any]
    golden: tuple[Record, ...]
    """Synthetic leads, as records of raw values."""


def leads_of_records(records: list[Record], scorer: Scorer, faults: Faults) -> Leads:
    """Return records of raw values as leads; positions that are none are added to `faults`."""
    wanted = scorer.read_names
    cells = [{name: scorer.cell(record.get(name)) for name in wanted} for record in records]
    return leads_of_cells(cells, scorer, faults)


def leads_of_cells(records: Sequence[Mapping[str, Cell]], scorer: Scorer, faults: Faults) -> Leads:
    """Do the same with records of cells, as `Scorer.cell` gives them."""
    names = scorer.agreement.columns
    columns: dict[str, list[Cell]]
    if len(records) == 1:  # a lead alone is served at once
        (record,) = records
        columns = {name: [record.get(name)] for name in scorer.read_names}
    else:
        columns = {name: [r.get(name) for r in records] for name in scorer.read_names}
    if names.id == ROW_NUMBER:
        columns[ROW_NUMBER] = [c or str(i) for i, c in enumerate(columns[ROW_NUMBER], 1)]
    return admit_clean(columns, scorer.agreement, faults, need_created=False)


def write(artefact: Artefact, folder: Path) -> str:
    """Write the artefact and return its digest; the folder appears whole or not at all.

    The golden rows are scored as they are written, through the same reading as any lead.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".artefact-"))
    try:
        _write_files(artefact, work)
        written = digest(work)
        if folder.exists():
            shutil.rmtree(folder)
        work.replace(folder)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return written


def _write_files(artefact: Artefact, folder: Path) -> None:
    scorer = artefact.scorer
    for member in scorer.blend.members:
        if isinstance(member, Trees):
            (folder / "trees.txt").write_text(member.text, encoding="utf-8")
        elif isinstance(member, Additive):
            _dump(folder / "additive.json", member.as_dict())
    _dump(
        folder / "artefact.json",
        {
            "format": FORMAT,
            "agreement": scorer.agreement.as_dict(),
            "members": [_name(member) for member in scorer.blend.members],
            "offset": scorer.blend.offset,
            "facts": artefact.facts,
        },
    )
    _dump(folder / "encoder.json", scorer.encoder.as_dict())
    _dump(folder / "reference.json", artefact.reference)
    if scorer.value is not None:
        _dump(folder / "value.json", scorer.value.as_dict())
    if scorer.timing is not None:
        _dump(folder / "timing.json", scorer.timing.as_dict())
    if scorer.interval is not None:
        _dump(folder / "interval.json", scorer.interval.as_dict())
    if scorer.spread is not None:
        _dump(folder / "spread.json", scorer.spread.as_dict())
    records = list(artefact.golden)
    scores = scorer.score(leads_of_records(records, scorer, {}), reasons=0)
    golden = [{"lead": r, **_numbers(s)} for r, s in zip(records, scores, strict=True)]
    _dump(folder / "golden.json", golden)


def _numbers(score: Score) -> dict[str, float]:
    """Return the numbers of a score that the model gives."""
    numbers = {name: getattr(score, name) for name in _REPLAYED}
    return {name: number for name, number in numbers.items() if number is not None}


def _dump(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def digest(folder: Path) -> str:
    """Return the SHA-256 of the artefact's files, names and contents, in hex."""
    total = hashlib.sha256()
    for name in _FILES:
        path = folder / name
        if path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"{name} {content}\n".encode())
    return total.hexdigest()


def read(folder: Path, expected_digest: str | None = None) -> Artefact:
    """Read, check and replay an artefact.

    Args:
        folder: where its files lie.
        expected_digest: the digest under which it was registered; None does not check it.

    Raises:
        ModelError: when it is damaged, changed, of a newer format, or scores otherwise.

    """
    if expected_digest is not None and digest(folder) != expected_digest:
        raise ModelError(
            f"{folder}: the model's files are not those that were registered (digest "
            f"{digest(folder)[:12]} instead of {expected_digest[:12]}); promote another version"
        )
    try:
        artefact, expected = _read_files(folder)
        leads = leads_of_records(list(artefact.golden), artefact.scorer, {})
        found = [_numbers(score) for score in artefact.scorer.score(leads, reasons=0)]
    except _DAMAGE as error:
        raise ModelError(f"{folder}: is no readable model: {error!r}") from error
    _compare(found, expected, folder)
    return artefact


def _read_files(folder: Path) -> tuple[Artefact, list[Record]]:
    main = _load(folder / "artefact.json")
    if main["format"] != FORMAT:
        raise ModelError(
            f"{folder}: artefact format {main['format']}, this leadq reads {FORMAT}; retrain"
        )
    members = tuple(_member(folder, name) for name in main["members"])
    scorer = Scorer(
        from_dict(main["agreement"], "artefact.json"),
        Encoder.from_dict(_load(folder / "encoder.json")),
        Blend(members, main["offset"]),
        _optional(folder / "value.json", ValueModel.from_dict),
        _optional(folder / "timing.json", Timing.from_dict),
        _optional(folder / "interval.json", Interval.from_dict),
        _optional(folder / "spread.json", Spread.from_dict),
    )
    golden = _load(folder / "golden.json")
    artefact = Artefact(
        scorer,
        main["facts"],
        _load(folder / "reference.json"),
        tuple(row["lead"] for row in golden),
    )
    return artefact, [{n: row[n] for n in _REPLAYED if n in row} for row in golden]


def _name(member: Member) -> str:
    return "trees" if isinstance(member, Trees) else "additive"


def _member(folder: Path, name: str) -> Member:
    if name == "trees":
        return Trees((folder / "trees.txt").read_text(encoding="utf-8"))
    if name == "additive":
        return Additive.from_dict(_load(folder / "additive.json"))
    raise ValueError(f"unknown member {name!r}")


def _optional(path: Path, build: Callable[[Any], Part]) -> Part | None:
    return build(_load(path)) if path.is_file() else None


def _load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _compare(found: list[Record], expected: list[Record], folder: Path) -> None:
    if not expected:
        raise ModelError(f"{folder}: holds no golden rows, so it cannot be verified; retrain")
    # Another processor may round an exponential otherwise; more than that is another model.
    for row, (got, wanted) in enumerate(zip(found, expected, strict=True)):
        if not _same(got, wanted):
            raise ModelError(
                f"{folder}: golden row {row} scores {got!r} instead of {wanted!r}; this machine "
                "or its libraries do not reproduce the model: retrain here"
            )


def _same(got: Record, wanted: Record) -> bool:
    if got.keys() != wanted.keys():
        return False
    return all(math.isclose(got[n], wanted[n], rel_tol=1e-9, abs_tol=1e-9) for n in wanted)
