"""The artefact of a model: a few files of text and JSON, checked before they are used.

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
from features.leads import (
    NESTED_ID,
    ROW_NUMBER,
    Fault,
    Faults,
    Lead,
    Leads,
    admit_clean,
    admit_one,
)
from serving.interval import Interval
from serving.members import Additive, Member, Trees
from serving.scorer import Blend, Score, Scorer
from serving.spread import Spread
from serving.timing import Timing
from serving.value import ValueModel

FORMAT = 2
NAMES = (
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
_REPLAYED = (
    "probability", "probability_low", "probability_high", "expected_value", "expected_days",
)  # fmt: skip
Record = dict[str, Any]
Files = Mapping[str, bytes]
"""The files of an artefact, by name."""
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


@dataclass(frozen=True)
class LoadedModel:
    """A verified model under the version that it is registered by."""

    version: str
    digest: str
    artefact: Artefact


def leads_of_records(records: list[Record], scorer: Scorer, faults: Faults) -> Leads:
    """Return records of raw values as leads; positions that are none are added to `faults`."""
    wanted, name = scorer.read_names, scorer.agreement.columns.id
    for i, record in enumerate(records):
        if isinstance(found := record.get(name), list | tuple) and found:
            faults[i] = Fault(name, None, NESTED_ID)
    cells = [scorer.cells({name: record.get(name) for name in wanted}) for record in records]
    return leads_of_cells(cells, scorer, faults)


def leads_of_cells(records: Sequence[Mapping[str, Cell]], scorer: Scorer, faults: Faults) -> Leads:
    """Do the same with records of cells, as `Scorer.cell` gives them."""
    names = scorer.agreement.columns
    columns = {name: [r.get(name) for r in records] for name in scorer.read_names}
    if names.id == ROW_NUMBER:
        columns[ROW_NUMBER] = [c or str(i) for i, c in enumerate(columns[ROW_NUMBER], 1)]
    return admit_clean(columns, scorer.agreement, faults, need_created=False)


def lead_of_cells(cells: Mapping[str, Cell], scorer: Scorer, number: int = 1) -> Lead | Fault:
    """Do the same with one record, the `number`-th, or say why it is no lead."""
    if scorer.agreement.columns.id == ROW_NUMBER and not cells.get(ROW_NUMBER):
        cells = {**cells, ROW_NUMBER: str(number)}
    return admit_one(cells, scorer.agreement)


def write(artefact: Artefact, folder: Path) -> str:
    """Write the artefact and return its digest; the folder appears whole or not at all."""
    files = files_of(artefact)
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".artefact-"))
    try:
        for name, content in files.items():
            (work / name).write_bytes(content)
        written = digest(files)
        if folder.exists():
            shutil.rmtree(folder)
        work.replace(folder)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return written


def files_of(artefact: Artefact) -> Files:
    """Return the artefact as files; golden rows are scored now, read as any lead is read."""
    scorer = artefact.scorer
    files = {}
    for member in scorer.blend.members:
        if isinstance(member, Trees):
            files["trees.txt"] = member.text.encode()
        elif isinstance(member, Additive):
            files["additive.json"] = _json(member.as_dict())
    files["artefact.json"] = _json(
        {
            "format": FORMAT,
            "agreement": scorer.agreement.as_dict(),
            "members": [_name(member) for member in scorer.blend.members],
            "offset": scorer.blend.offset,
            "facts": artefact.facts,
        },
    )
    files["encoder.json"] = _json(scorer.encoder.as_dict())
    files["reference.json"] = _json(artefact.reference)
    if scorer.value is not None:
        files["value.json"] = _json(scorer.value.as_dict())
    if scorer.timing is not None:
        files["timing.json"] = _json(scorer.timing.as_dict())
    if scorer.interval is not None:
        files["interval.json"] = _json(scorer.interval.as_dict())
    if scorer.spread is not None:
        files["spread.json"] = _json(scorer.spread.as_dict())
    records = list(artefact.golden)
    scores = scorer.score(leads_of_records(records, scorer, {}), reasons=0)
    golden = [{"lead": r, **_numbers(s)} for r, s in zip(records, scores, strict=True)]
    files["golden.json"] = _json(golden)
    return files


def _numbers(score: Score) -> dict[str, float]:
    """Return the numbers of a score that the model gives."""
    numbers = {name: getattr(score, name) for name in _REPLAYED}
    return {name: number for name, number in numbers.items() if number is not None}


def _json(content: object) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()


def files_in(folder: Path) -> Files:
    """Return the files of the artefact in a folder; what does not belong to it is left out.

    Raises:
        ModelError: when a file cannot be read.

    """
    try:
        return {name: (folder / name).read_bytes() for name in NAMES if (folder / name).is_file()}
    except OSError as error:
        raise ModelError(f"{folder}: is no readable model: {error}") from error


def digest(files: Files) -> str:
    """Return the SHA-256 of the artefact's files, names and contents, in hex."""
    total = hashlib.sha256()
    for name in NAMES:
        if name in files:
            content = hashlib.sha256(files[name]).hexdigest()
            total.update(f"{name} {content}\n".encode())
    return total.hexdigest()


def read(folder: Path, expected_digest: str | None = None) -> Artefact:
    """Read, check and replay the artefact in a folder. See `read_files`."""
    return read_files(files_in(folder), str(folder), expected_digest)


def read_files(files: Files, where: str, expected_digest: str | None = None) -> Artefact:
    """Read, check and replay an artefact.

    Args:
        files: what it consists of.
        where: they come from, as errors name it.
        expected_digest: the digest under which it was registered; None does not check it.

    Raises:
        ModelError: when it is damaged, changed, of a newer format, or scores otherwise.

    """
    if expected_digest is not None and digest(files) != expected_digest:
        raise ModelError(
            f"{where}: the model's files are not those that were registered (digest "
            f"{digest(files)[:12]} instead of {expected_digest[:12]}); promote another version"
        )
    try:
        artefact, expected = _built(files, where)
        leads = leads_of_records(list(artefact.golden), artefact.scorer, {})
        found = [_numbers(score) for score in artefact.scorer.score(leads, reasons=0)]
        _compare(found, expected, where)
    except ModelError:
        raise
    # Every part reads its own state and trusts it; what a damaged one makes it raise is open.
    except Exception as error:
        raise ModelError(f"{where}: is no readable model: {in_short(error)}") from error
    return artefact


def in_short(error: Exception) -> str:
    """Return kind and first words of an error; what a damaged file makes of it may be long."""
    words = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {words[:200]}"


def _built(files: Files, where: str) -> tuple[Artefact, list[Record]]:
    main = json.loads(files["artefact.json"])
    if main["format"] != FORMAT:
        raise ModelError(
            f"{where}: artefact format {main['format']}, this leadq reads {FORMAT}; retrain"
        )
    members = tuple(_member(files, name) for name in main["members"])
    scorer = Scorer(
        from_dict(main["agreement"], "artefact.json"),
        Encoder.from_dict(json.loads(files["encoder.json"])),
        Blend(members, main["offset"]),
        _optional(files, "value.json", ValueModel.from_dict),
        _optional(files, "timing.json", Timing.from_dict),
        _optional(files, "interval.json", Interval.from_dict),
        _optional(files, "spread.json", Spread.from_dict),
    )
    golden = json.loads(files["golden.json"])
    artefact = Artefact(
        scorer,
        dict(main["facts"]),
        dict(json.loads(files["reference.json"])),
        tuple(row["lead"] for row in golden),
    )
    return artefact, [{n: row[n] for n in _REPLAYED if n in row} for row in golden]


def _name(member: Member) -> str:
    return "trees" if isinstance(member, Trees) else "additive"


def _member(files: Files, name: str) -> Member:
    if name == "trees":
        return Trees(files["trees.txt"].decode())
    if name == "additive":
        return Additive.from_dict(json.loads(files["additive.json"]))
    raise ValueError(f"unknown member {name!r}")


def _optional(files: Files, name: str, build: Callable[[Any], Part]) -> Part | None:
    return build(json.loads(files[name])) if name in files else None


def _compare(found: list[Record], expected: list[Record], where: str) -> None:
    if not expected:
        raise ModelError(f"{where}: holds no golden rows, so it cannot be verified; retrain")
    # Another processor may round an exponential otherwise; more than that is another model.
    for row, (got, wanted) in enumerate(zip(found, expected, strict=True)):
        if not _same(got, wanted):
            raise ModelError(
                f"{where}: golden row {row} scores {got!r} instead of {wanted!r}; this machine "
                "or its libraries do not reproduce the model: retrain here"
            )


def _same(got: Record, wanted: Record) -> bool:
    if got.keys() != wanted.keys():
        return False
    return all(math.isclose(got[n], wanted[n], rel_tol=1e-9, abs_tol=1e-9) for n in wanted)
