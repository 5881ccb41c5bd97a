"""`leadq score`: a nightly export in, a scored file out, the same numbers as over REST.

Read a chunk at a time, scored on all cores, written in the order of the input. What is scored is
kept beside the target until all is there (`serving.journal`), so a job that was killed goes on
where it was, and its output is the one of an undisturbed job, to the byte. Rows that are no leads
stand in a rejects file beside the output, and `TARGET.manifest.json` says what it was made of.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatch
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from features.counted import named
from features.errors import FileError, OutputError, UsageError
from features.files import Reject, Table, files_of, open_table
from features.fingerprint import Fingerprint, fingerprint, of_rows
from features.leads import Leads, need_columns
from features.reading import Admitted, admit_nightly, nobody, others
from features.repeats import Repeats
from features.spreadsheet import safe_cell
from serving.account import Summary, as_before, count, sums_of
from serving.artefact import LoadedModel
from serving.blocks import Layout, block_of, packed, unpacked
from serving.journal import Journal, alone, carry_out, has_parts, remove, sweep
from serving.manifest import Manifest, digest_of_file, made_by, manifest_path
from serving.pace import Pace, Progress, rows_in
from serving.pipeline import Piece, Read, cores, in_order, pieces
from serving.scorer import Scorer
from serving.sums import campaign_sums
from serving.unusual import Unusual, diagnosis, warnings
from serving.writers import WRITERS
from serving.written import rejects_path

ALL = "all"
"""In place of names of columns: all of them."""
_FORMAT = 2
"""Of what is kept of a job; parts of another one are made anew."""
_OUTPUT, _REJECTS, _MANIFEST = "output", "rejects.csv", "manifest.json"
_SOME = 2000
"""Leads by which readers learn what fields hold."""
_FEWEST = 20_000
"""Rows from which on a file is judged where nothing says how many there are."""
MAX_REJECT = 0.1
"""A file of which more than a tenth is no lead is another file than was agreed on.

A stray quote or a lead that came twice costs a few rows in a thousand; a shifted column, another
delimiter or another encoding costs nearly all of them.
"""


class Scores(NamedTuple):
    """What is kept of the scores of some leads, in their order."""

    probability: list[float]
    grade: list[str]
    expected_value: list[float | None]


Keep = Callable[[Leads, Scores, datetime], None]
"""What is done with leads and their scores, and the moment as of which they are.

Of a job that was killed it may be told some leads twice, with the same moment.
"""


class Kept(NamedTuple):
    """Where scores are kept beside the output."""

    moment: datetime
    """When the job begins. A run that goes on with another's takes that one's moment."""
    keep: Keep


@dataclass(frozen=True)
class Choices:
    """What can be chosen beside the number of reasons."""

    columns: tuple[str, ...] = ()
    """Of the input, that go along; `("all",)` means all of them."""
    max_reject: float = MAX_REJECT
    """Share of the rows that may be set aside."""
    force: bool = False
    """Score again what is scored already."""


Tell = Callable[[Progress], None]


def score_file(
    model: LoadedModel,
    source: Path,
    target: Path,
    reasons: int = 5,
    choices: Choices | None = None,
    tell: Tell = lambda _: None,
    kept: Kept | None = None,
) -> Summary:
    """Score a file or folder into a file of the kind that the target's ending names.

    Where target has the scores of this very input by this very model already, nothing is done.

    Args:
        model: the verified model.
        source: what to score; it needs no outcome column.
        target: replaced when the new one is whole.
        reasons: reasons for each lead at most.
        choices: what else can be chosen.
        tell: told how far it is.
        kept: where the scores are kept beside; None: nowhere.

    Raises:
        BusyError: when another process is at the same target.
        UsageError: for another ending, or when a column that the model needs is missing.
        FileError: when source cannot be read, or too much of it is no lead.
        OutputError: when target cannot be written any more; the next run goes on from there.

    """
    _check(source, target)
    folder = target.with_name(f".{target.name}.work")
    job = _Job(model, source, target, folder, reasons, choices or Choices(), tell, kept)
    try:
        with alone(folder):
            try:
                carry_out(folder)
                return job.run()
            except UsageError as error:
                # A disk or a share that fails may be back; a file that is wrong stays so.
                if not isinstance(error.__cause__, OSError):
                    sweep(folder)
                raise
            finally:
                if not has_parts(folder):
                    remove(folder)
    except OSError as error:
        left = "; what is done is kept: run again to go on" if has_parts(folder) else ""
        what = error.filename or target
        raise OutputError(f"{what}: cannot be written: {error.strerror or error}{left}") from error


def _check(source: Path, target: Path) -> None:
    """Refuse a target that cannot be written, or that would destroy the input."""
    if target.suffix.lower() not in WRITERS:
        raise UsageError(f"{target}: the output must end in {' or '.join(WRITERS)}")
    if source.is_dir() and target.parent.resolve() == source.resolve():
        raise UsageError(f"{target}: lies in the input folder, and the next run would read it too")
    for path in (target, rejects_path(target), manifest_path(target)):
        if path.exists() and source.exists() and path.samefile(source):
            raise UsageError(f"{path}: is the input itself; write the scores to another file")
        if not source.exists() and fnmatch(str(path.absolute()), str(source.absolute())):
            raise UsageError(f"{path}: matches the pattern, and the next run would read it too")


class _Scored(NamedTuple):
    """A chunk with its scores, leads whose id came before among them."""

    content: bytes
    """A block, packed."""
    is_kept: bool
    """Whether an earlier run has kept it."""
    admitted: Admitted[Leads]
    """The rows; of its leads no more fields than are asked for."""
    part: Leads
    """A part of them, to be looked at."""


def _ids_in(content: bytes) -> list[str]:
    ids: list[str] = unpacked(content).column(0).to_pylist()
    return ids


def _without_repeats(
    piece: Piece, scored: _Scored, repeats: Repeats, name: str
) -> tuple[Read, pa.RecordBatch]:
    """Return a chunk and its block without the leads whose id came before."""
    admitted, block = scored.admitted, unpacked(scored.content)
    leads = admitted.batch
    again = admitted.repeated(repeats, name, leads.ids)
    if again:
        left = others(len(leads), again)
        leads, block = leads.take(left), block.take(pa.array(left))
    return Read(leads, [*piece.rejects, *admitted.rejected(again)]), block


@dataclass(frozen=True)
class _Job:
    """What the steps of a scoring share."""

    model: LoadedModel
    source: Path
    target: Path
    folder: Path
    reasons: int
    choices: Choices
    tell: Tell
    kept: Kept | None

    @property
    def scorer(self) -> Scorer:
        return self.model.artefact.scorer

    def run(self) -> Summary:
        """Score, unless it is done already; the folder is held by `alone`."""
        files = files_of(self.source)
        table = open_table(self.source, self.scorer.agreement.export)
        found = fingerprint(files) if files else of_rows(table)
        summary = Summary(absent_fields=self._absent(table))
        layout = self._layout(table)
        job = self._identity(found, layout)
        if not self.choices.force and (done := made_by(job, self.target)):
            return as_before(done)
        moment = None if self.kept is None else self.kept.moment.isoformat()
        journal = Journal(self.folder, job, {"moment": moment})
        resumed = sum(part.rows for part in journal.parts)
        pace = Pace(rows_in(files, found), resumed)
        unusual = Unusual(self.scorer, self.model.artefact.reference, table)
        self._write(table, layout, journal, summary, unusual, pace)
        found.need_same(files)
        summary.warnings, summary.alarming = warnings(unusual, summary.read, summary.rejected)
        output = self.folder / _OUTPUT
        summary.manifest = Manifest(
            job=job,
            # The rest of an address may hold what is nobody's business.
            input=self.source.name if files else table.files[0],
            begun=journal.about["moment"],
            read=summary.read,
            scored=summary.scored,
            rejected=summary.rejected,
            output=self.target.name,
            output_bytes=output.stat().st_size,
            output_digest=digest_of_file(output),
            resumed=resumed,
            seconds=pace.seconds,
            rows_per_second=pace.rate(summary.scored),
            peak_memory_mb=pace.peak_memory_mb,
            warnings=summary.warnings,
            alarming=summary.alarming,
        )
        self._publish(journal, summary, summary.manifest)
        return summary

    def _identity(self, found: Fingerprint, layout: Layout) -> dict[str, Any]:
        """Return all on which the output hangs."""
        return {
            "format": [_FORMAT, package_version("leadq"), pa.__version__],
            "input_digest": found.digest,
            "input_bytes": found.bytes,
            "model_version": self.model.version,
            "model_digest": self.model.digest,
            "agreement_version": self.scorer.agreement.label,
            "output_kind": self.target.suffix.lower(),
            "reasons": self.reasons,
            "columns": list(layout.kept),
            "max_reject": self.choices.max_reject,
        }

    def _layout(self, table: Table) -> Layout:
        """Return what the output holds; columns to go along must be there."""
        agreement = self.scorer.agreement
        asked = self.choices.columns
        every = tuple(name for name in table.columns if name != agreement.columns.id)
        kept = every if asked == (ALL,) else tuple(dict.fromkeys(asked))
        if odd := [name for name in kept if name not in table.columns]:
            raise UsageError(
                f"--keep {', '.join(odd)}: not in {self.source}, which has: {named(table.columns)}"
            )
        return Layout(agreement.columns.id, kept, self.model.version, agreement.label)

    def _absent(self, table: Table) -> list[str]:
        """Return the fields that the model reads and the file lacks."""
        encoder, names = self.scorer.encoder, self.scorer.agreement.columns
        wanted = [f.field for f in encoder.fields]
        if names.created and any(f.kind == "date" for f in encoder.fields):
            wanted.append(names.created)
        absent = [name for name in wanted if name not in table.columns]
        if len(absent) == len(wanted):
            raise UsageError(
                f"{self.source}: has none of the fields that the model reads: {named(wanted)}; it "
                f"has: {named(table.columns)}; is its first line the header, in this spelling?"
            )
        return absent

    def _write(
        self,
        table: Table,
        layout: Layout,
        journal: Journal,
        summary: Summary,
        unusual: Unusual,
        pace: Pace,
    ) -> None:
        """Write the output and the rejects into the folder, and count."""
        names = self.scorer.agreement.columns
        need_columns(table, self.scorer.agreement, [names.id])
        known, several = len(journal.parts), len(table.files) > 1
        sums = sums_of(self.scorer, table.columns)
        write = WRITERS[self.target.suffix.lower()]

        def scored(piece: Piece) -> _Scored:
            found = nobody()
            if piece.chunk is not None:
                found = admit_nightly(piece.chunk, self.scorer.agreement, several)
            leads = found.batch
            asked = leads.only(leads.columns)
            if self.kept is None:
                asked = leads.only([names.campaign or ""])
                asked = replace(asked, created=[None] * len(leads))
            content = journal.read(piece.number) if piece.number < known else None
            is_kept = content is not None and _ids_in(content) == leads.ids
            if content is None or not is_kept:
                scores = self.scorer.score_columns(leads, self.reasons)
                content = packed(block_of(leads, scores, layout))
            found = replace(found, batch=asked)
            return _Scored(content, is_kept, found, unusual.part_of(leads))

        with (
            (self.folder / _REJECTS).open("w", newline="", encoding="utf-8") as file,
            closing(write(self.folder / _OUTPUT, layout.schema)) as writer,
            closing(Repeats()) as repeats,
            closing(in_order(scored, self._ahead(table), cores(), pace.held)) as chunks,
        ):
            rejects = csv.writer(file)
            rejects.writerow(Reject._fields)
            for piece, each in chunks:
                read, block = _without_repeats(piece, each, repeats, names.id)
                if not each.is_kept and piece.number < len(journal.parts):
                    journal.forget(piece.number)
                if piece.number >= len(journal.parts):
                    self._keep(read.leads, block, journal)
                    journal.add(each.content, block.num_rows, len(read.rejects))
                writer.write(block)
                rejects.writerows([safe_cell(str(v)) for v in row] for row in read.rejects)
                count(summary, read, block, sums, self.scorer)
                unusual.look(each.part)
                pace.rows = summary.read
                self._need_good(summary, unusual, pace.all_rows)
                self.tell(pace.progress())
        self._need_good(summary, unusual, summary.read)
        if sums is not None and self.scorer.spread is not None:
            summary.campaigns = campaign_sums(sums.groups(), self.scorer.spread)

    def _ahead(self, table: Table) -> Iterator[Piece]:
        """Yield the chunks of the file; some of the first one's leads are encoded here.

        What readers load and learn is then there before processes are forked that need it.
        """
        encoder = self.scorer.encoder
        for piece in pieces(table):
            if piece.number == 0 and piece.chunk is not None:
                # A copy, for what is split here would be sent along.
                chunk = piece.chunk.of_file(piece.chunk.file)
                leads = admit_nightly(chunk, self.scorer.agreement, False).batch
                asked = leads.only([field.field for field in encoder.fields])
                encoder.encode(asked.take(np.arange(min(len(leads), _SOME))))
            yield piece

    def _keep(self, leads: Leads, block: pa.RecordBatch, journal: Journal) -> None:
        if self.kept is None or not len(leads):
            return
        began = journal.about["moment"]
        moment = datetime.fromisoformat(began) if began else self.kept.moment
        scores = Scores(*(block.column(name).to_pylist() for name in Scores._fields))
        self.kept.keep(leads, scores, moment)

    def _need_good(self, summary: Summary, unusual: Unusual, rows: int | None) -> None:
        """Stop at a file of which more than may be is set aside, as soon as that is sure."""
        rows = max(summary.read, _FEWEST if rows is None else rows)
        most = self.choices.max_reject
        if summary.rejected > most * rows:
            raise FileError(
                f"{self.source}: {summary.rejected:,} of {summary.read:,} rows are no leads, more "
                f"than the {100 * most:g}% that may be (--max-reject); nothing was written"
                f"{diagnosis(unusual, summary.why)}"
            )

    def _publish(self, journal: Journal, summary: Summary, manifest: Manifest) -> None:
        """Bring rejects, output and manifest to their places, in this order.

        Where a kill comes between, the manifest is the old one and names another digest than the
        output has; the next run brings the rest before anything else.
        """
        (self.folder / _MANIFEST).write_text(manifest.text, encoding="utf-8")
        rejects = rejects_path(self.target)
        places = {_OUTPUT: self.target.name, _MANIFEST: manifest_path(self.target).name}
        if summary.rejected:
            places = {_REJECTS: rejects.name, **places}
            summary.rejects_file = rejects
        journal.done(places, [] if summary.rejected else [rejects.name])
