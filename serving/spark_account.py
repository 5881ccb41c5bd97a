"""What is told and kept of a scoring on Spark: the manifest beside the scores, and the store.

The digest of a table is one of its rows in no order, so it is the same however the cluster cut
them: the sum of the hashes of its rows. A manifest lies beside a folder; a table has none.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version as package_version
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from features.agreement import Export
from features.leads import Faults, Leads
from serving.account import Summary
from serving.batch import Kept, Scores
from serving.blocks import packed, unpacked
from serving.manifest import Manifest
from serving.pace import peak_memory_mb
from serving.scorer import Scorer
from serving.spark_frames import (
    Place,
    folder_of,
    read_frame,
    read_text,
    remove,
    size_of,
    write_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import Column, DataFrame, SparkSession

_FORMAT = 1
"""Of what is written; scores of another one are made anew."""


@dataclass(frozen=True)
class Contents:
    """What a table holds, told in one walk over it."""

    rows: int
    digest: str


def contents_of(frame: DataFrame) -> Contents:
    """Return how many rows a table has, and a digest that does not hang on their order."""
    from pyspark.sql import functions

    # By its place: a hash of several columns passes over those that are missing.
    cells = [
        functions.xxhash64(functions.lit(i), _hashable(field.name, field.dataType.simpleString()))
        for i, field in enumerate(frame.schema.fields)
    ]
    # Hashes of 64 bits, each as a number of up to 20 digits, so that no sum runs over.
    each = functions.xxhash64(*cells).cast("decimal(20,0)")
    row = frame.agg(functions.count("*"), functions.sum(each)).first()
    rows, total = (row[0], row[1] or 0) if row else (0, 0)
    return Contents(rows, f"{int(total) % 2**128:032x}")


def _hashable(name: str, kind: str) -> Column:
    """Return a column as Spark can hash it: one that holds maps as JSON."""
    from pyspark.sql import functions

    column = functions.col(f"`{name.replace('`', '``')}`")
    return functions.to_json(column) if "map<" in kind else column


@dataclass
class Account:
    """The account of one job: what makes it the same as another, and when it began."""

    session: SparkSession
    target: Place
    job: Mapping[str, Any]
    moment: datetime | None
    """As of when its scores are kept."""
    _began: float = field(default_factory=time.monotonic)

    def made_before(self) -> Manifest | None:
        """Return the manifest of scores that this very job has made and nobody has changed."""
        told = read_text(self.session, self._address) if folder_of(self.target) else None
        try:
            found = Manifest(**json.loads(told or ""))
        except (ValueError, TypeError):  # none, or none that is readable
            return None
        if found.job != self.job or not size_of(self.session, self.target):
            return None
        there = contents_of(read_frame(self.session, self.target, Export()))
        return found if there.digest == found.output_digest else None

    def begin(self) -> None:
        """Take over the moment of the same job that was killed, or write this one's down."""
        if self.moment is None or not folder_of(self.target):
            return
        told = json.loads(read_text(self.session, self._begun) or "{}")
        if told.get("job") == self.job:
            self.moment = datetime.fromisoformat(told["moment"])
        else:
            about = {"job": self.job, "moment": self.moment.isoformat()}
            write_text(self.session, self._begun, json.dumps(about))

    def end(self, summary: Summary, source: str) -> None:
        """Write the manifest, the last thing of a job."""
        seconds = time.monotonic() - self._began
        written = contents_of(read_frame(self.session, self.target, Export()))
        summary.manifest = Manifest(
            job=dict(self.job),
            input=source,
            begun=self.moment.isoformat() if self.moment else None,
            read=summary.read,
            scored=summary.scored,
            rejected=summary.rejected,
            output=self.target.address.rstrip("/").rpartition("/")[2],
            output_bytes=size_of(self.session, self.target),
            output_digest=written.digest,
            resumed=0,
            seconds=round(seconds, 1),
            rows_per_second=round(summary.scored / max(seconds, 0.001), 1),
            peak_memory_mb=peak_memory_mb(),
            warnings=[],
            alarming=False,
        )
        if folder_of(self.target):
            write_text(self.session, self._address, summary.manifest.text)
            remove(self.session, self._begun)

    @property
    def _begun(self) -> str:
        return f"{folder_of(self.target)}.begun.json"

    @property
    def _address(self) -> str:
        return f"{folder_of(self.target)}.manifest.json"


def job_of(found: Contents, **choices: Any) -> dict[str, Any]:
    """Return all on which the scores hang, as JSON values.

    Args:
        found: the rows to be scored.
        choices: model, agreement and options.

    """
    releases = [package_version("leadq"), package_version("pyspark"), pa.__version__]
    return {
        "format": [_FORMAT, *releases],
        "input_digest": found.digest,
        "input_rows": found.rows,
        **choices,
    }


def keep_scores(
    once: DataFrame,
    scorer: Scorer,
    kept: Kept,
    moment: datetime,
    leads_of: Callable[[pa.RecordBatch, Faults], Leads],
) -> None:
    """Keep leads and their scores, some thousand at a time; a lead's score is the same here.

    Args:
        once: the rows that were scored, those that are no leads among them.
        scorer: the model's.
        kept: where to.
        moment: as of which.
        leads_of: reads leads from rows.

    """
    # As Arrow has them on the executors: a row of Python knows no time zone, and nests otherwise.
    rows = once.mapInArrow(_packed, "rows binary")
    for row in rows.toLocalIterator(prefetchPartitions=True):
        faults: Faults = {}
        leads = leads_of(unpacked(row[0]), faults)
        good = leads.take([i for i in range(len(leads)) if i not in faults])
        if len(good):
            found = scorer.score(good, 0)
            kept.keep(
                good,
                Scores(
                    [score.probability for score in found],
                    [score.grade for score in found],
                    [score.expected_value for score in found],
                ),
                moment,
            )


def _packed(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield pa.RecordBatch.from_pydict({"rows": [packed(batch)]})
