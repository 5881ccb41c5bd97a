"""`leadq score --engine spark`: the same scorer on every executor of a Spark cluster.

Batches of rows go to Python by Arrow (`mapInArrow`). Each Python worker opens the model once, from
an archive that is broadcast, and verifies it as every service does: digest, files, golden rows. So
a lead scores as on one machine, to the last bit. A lost executor costs only the time to do its
tasks again: a task has no effect but its rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from features.agreement import Agreement
from features.cells import text_of
from features.coded import coded
from features.counted import named
from features.errors import FileError, UsageError
from features.leads import NESTED_ID, Fault, Faults, Leads, admit
from features.parquet import cells_of
from features.spreadsheet import safe_cell
from serving.account import Summary, as_before
from serving.archive import open_model
from serving.artefact import LoadedModel
from serving.batch import Choices, Kept
from serving.blocks import Layout, block_of
from serving.spark_account import Account, Contents, contents_of, job_of, keep_scores
from serving.spark_frames import (
    BROKEN,
    FAULTY,
    OWN,
    Place,
    folder_of,
    format_of_target,
    heal,
    move,
    named_errors,
    need_apart,
    put_in_place,
    read_frame,
    remove,
    without_repeats,
    write_frame,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_BATCH = 20_000
"""Rows that a worker scores at once."""
_REJECT = pa.schema([(name, pa.string()) for name in ("field", "value", "reason", "id")])
_AGAIN = "the same id stands in a row before"


@dataclass(frozen=True)
class Archive:
    """A verified model and the archive that it was read from."""

    model: LoadedModel
    content: bytes


def score_on_spark(
    session: SparkSession,
    archive: Archive,
    source: Place,
    target: Place,
    reasons: int = 5,
    choices: Choices | None = None,
    kept: Kept | None = None,
) -> Summary:
    """Score what Spark can read into what it can write; leads that are none into TARGET.rejects.

    Where target is a folder with the scores of these very rows by this very model already, nothing
    is done.

    Args:
        session: of the cluster; its workers must have leadq installed.
        archive: the model.
        source: a folder, file, table or lake path.
        target: replaced when the new one is whole; rows are in no order.
        reasons: reasons for each lead at most.
        choices: what else can be chosen; columns by name.
        kept: where the scores are kept beside, by this process; None: nowhere.

    Raises:
        UsageError: for a target of another kind, or when columns are missing.
        FileError: when source cannot be read, target not be written, or too much is no lead.

    """
    format_of_target(target)
    need_apart(session, source, target)
    with named_errors(source):
        return _score(session, archive, source, target, reasons, choices or Choices(), kept)


def _score(
    session: SparkSession,
    archive: Archive,
    source: Place,
    target: Place,
    reasons: int,
    choices: Choices,
    kept: Kept | None,
) -> Summary:
    model = archive.model
    scorer = model.artefact.scorer
    agreement = scorer.agreement
    frame = read_frame(session, source, agreement.export)
    absent = _need(frame, model, source, choices.columns)
    session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(_BATCH))
    found = contents_of(frame)
    job = _job(found, model, target, reasons, choices)
    account = Account(session, target, job, kept.moment if kept else None)
    if folder_of(target):
        heal(session, folder_of(target))
    if not choices.force and (done := account.made_before()):
        return as_before(done)
    account.begin()
    shared = session.sparkContext.broadcast(archive.content)
    layout = Layout(agreement.columns.id, choices.columns, model.version, agreement.label)
    work = _Work(shared, model.version, model.digest, reasons, layout)
    once, again = without_repeats(frame, agreement.columns.id, work.flagged)
    rejects = _rejects(once, again, work).persist()
    rejected, read = rejects.count(), found.rows
    if rejected > choices.max_reject * read:
        raise FileError(
            f"{source.address}: {rejected:,} of {read:,} rows are no leads, more than the "
            f"{100 * choices.max_reject:g}% that may be (--max-reject); nothing was written; "
            f"{_usual(rejects)}"
        )
    if kept is not None and account.moment is not None:
        keep_scores(once, scorer, kept, account.moment, partial(_leads, agreement))
    # Kept first: a table is there as soon as it is written, and what is kept twice counts once.
    write_frame(once.mapInArrow(work.scored, _spark_schema(_plain_schema(layout))), target)
    _put_rejects(rejects, rejected, target)
    put_in_place(session, target)
    summary = _summary(session, target, read, rejected, absent)
    account.end(summary, _name_of(source))
    return summary


def _name_of(source: Place) -> str:
    """Return the last part of an address: the rest may hold what is nobody's business."""
    return source.address.rstrip("/").rpartition("/")[2].partition("?")[0]


def _job(
    found: Contents, model: LoadedModel, target: Place, reasons: int, choices: Choices
) -> dict[str, Any]:
    return job_of(
        found,
        model_version=model.version,
        model_digest=model.digest,
        agreement_version=model.artefact.scorer.agreement.label,
        output_kind=format_of_target(target),
        reasons=reasons,
        columns=list(choices.columns),
        max_reject=choices.max_reject,
    )


def _need(
    frame: DataFrame, model: LoadedModel, source: Place, columns: tuple[str, ...]
) -> list[str]:
    """Return the fields that the model reads and the rows lack; raise where too much is missing."""
    scorer = model.artefact.scorer
    names = scorer.agreement.columns
    if odd := [name for name in (names.id, *columns) if name not in frame.columns]:
        raise UsageError(
            f"{source.address}: has no column {', '.join(odd)}; it has: {named(frame.columns)}"
        )
    wanted = [field.field for field in scorer.encoder.fields]
    if names.created and any(field.kind == "date" for field in scorer.encoder.fields):
        wanted.append(names.created)
    absent = [name for name in wanted if name not in frame.columns]
    if len(absent) == len(wanted):
        raise UsageError(f"{source.address}: has none of the fields that the model reads: {wanted}")
    return absent


@dataclass(frozen=True)
class _Work:
    """What runs on the executors."""

    content: Any
    """The archive, broadcast."""
    version: str
    digest: str
    reasons: int
    layout: Layout

    def _model(self) -> LoadedModel:
        return _opened(self.version, self.digest, self.content.value)

    def scored(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the scores of batches of rows."""
        scorer, schema = self._model().artefact.scorer, _plain_schema(self.layout)
        for batch in batches:
            faults: Faults = {}
            leads = _leads(scorer.agreement, batch, faults)
            good = leads.take([i for i in range(len(leads)) if i not in faults])
            if len(good):
                block = block_of(good, scorer.score_columns(good, self.reasons), self.layout)
                plain = [_plain(column) for column in block.columns]
                yield pa.RecordBatch.from_arrays(plain, schema=schema)

    def flagged(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield rows with the word whether they are no leads."""
        agreement = self._model().artefact.scorer.agreement
        for batch in batches:
            faults: Faults = {}
            _leads(agreement, batch, faults)
            mask = pa.array([i in faults for i in range(batch.num_rows)], pa.bool_())
            yield batch.append_column(FAULTY, mask)

    def rejected(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield what is no lead."""
        agreement = self._model().artefact.scorer.agreement
        for batch in batches:
            faults: Faults = {}
            leads = _leads(agreement, batch, faults)
            rows = [
                (fault.field, text_of(fault.value), fault.reason, leads.ids[i])
                for i, fault in sorted(faults.items())
            ]
            yield pa.RecordBatch.from_pylist(
                [dict(zip(_REJECT.names, map(safe_cell, row), strict=True)) for row in rows],
                _REJECT,
            )


@lru_cache(maxsize=2)
def _opened(version: str, digest: str, content: bytes) -> LoadedModel:
    """Open the model once for each worker."""
    return open_model(version, digest, content)


def _leads(agreement: Agreement, batch: pa.RecordBatch, faults: Faults) -> Leads:
    cells = {
        name: cells_of(column)
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
        if name not in OWN
    }
    for i, text in enumerate(cells.pop(BROKEN, coded([None] * batch.num_rows))):
        if text is not None:
            reason = "cannot be split into its fields; look for a stray delimiter or quote"
            faults[i] = Fault("", text_of(text)[:200], reason)
    name = agreement.columns.id
    if pa.types.is_nested(batch.schema.field(name).type):
        for i, cell in enumerate(cells[name]):
            if cell is not None:
                faults.setdefault(i, Fault(name, cell, NESTED_ID))
    return admit(cells, agreement, faults, need_created=False)


def _plain(array: Any) -> Any:
    """Return an array without codes, which Spark does not take."""
    if pa.types.is_dictionary(array.type):
        return array.dictionary_decode()
    if pa.types.is_list(array.type):
        return pa.ListArray.from_arrays(array.offsets, _plain(array.values))
    if pa.types.is_struct(array.type):
        names = [part.name for part in array.type]
        return pa.StructArray.from_arrays([_plain(part) for part in array.flatten()], names)
    return array


def _plain_schema(layout: Layout) -> pa.Schema:
    return pa.schema([(field.name, _plain_type(field.type)) for field in layout.schema])


def _plain_type(kind: Any) -> Any:
    if pa.types.is_dictionary(kind):
        return kind.value_type
    if pa.types.is_list(kind):
        return pa.list_(_plain_type(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(part.name, _plain_type(part.type)) for part in kind])
    return kind


def _spark_schema(schema: pa.Schema) -> Any:
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(schema)


def _rejects(once: DataFrame, again: DataFrame | None, work: _Work) -> DataFrame:
    from pyspark.sql import functions

    found = once.mapInArrow(work.rejected, _spark_schema(_REJECT))
    if again is None:
        return found
    name = work.layout.id
    repeated = again.select(
        functions.lit(name).alias("field"),
        functions.col(f"`{name}`").cast("string").alias("value"),
        functions.lit(_AGAIN).alias("reason"),
        functions.col(f"`{name}`").cast("string").alias("id"),
    )
    return found.unionByName(repeated)


def _usual(rejects: DataFrame) -> str:
    rows = rejects.groupBy("field").count().orderBy("count", ascending=False).take(3)
    return "most often: " + ", ".join(f"{row[0] or 'whole lines'} ({row[1]:,})" for row in rows)


def _put_rejects(rejects: DataFrame, rejected: int, target: Place) -> None:
    """Put what is no lead beside the scores, or into a table beside theirs; none of before stays.

    They take their place before the scores do: so never are those of another night beside them.
    """
    session = rejects.sparkSession
    if not folder_of(target):
        rejects.write.mode("overwrite").saveAsTable(f"{target.address}_rejects")
        return
    folder = f"{folder_of(target)}.rejects"
    remove(session, f"{folder}.new")
    if rejected:
        rejects.coalesce(1).write.option("header", "true").csv(f"{folder}.new")
        move(session, f"{folder}.new", folder)
    else:
        remove(session, folder)


def _summary(
    session: SparkSession, target: Place, read: int, rejected: int, absent: list[str]
) -> Summary:
    from features.agreement import Export

    written = read_frame(session, target, Export())
    rows = written.groupBy("grade").agg({"probability": "sum", "*": "count"}).collect()
    summary = Summary(read=read, rejected=rejected, absent_fields=absent)
    for row in rows:
        found = row.asDict()
        summary.scored += found["count(1)"]
        summary.grades[found["grade"]] = found["count(1)"]
        summary.expected_wins += found["sum(probability)"]
    return summary
