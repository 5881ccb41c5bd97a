"""`leadq score`: a nightly export in, a scored file out, the same numbers as over REST.

Read and written a chunk at a time; the output appears under its name when it is whole, and rows
that are no leads stand in a rejects file beside it.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from features.errors import UsageError
from features.files import open_table
from features.leads import Intake, Leads, read_nightly
from serving.artefact import LoadedModel
from serving.scorer import Score, Scorer
from serving.sums import CampaignSum, Sums, campaign_sums, learned
from serving.written import rejects_path, whole_or_not, write_rejects

_OWN_COLUMNS = (
    "probability",
    "grade",
    "reasons",
    "model_version",
    "agreement_version",
    "expected_value",
    "expected_days",
    "probability_low",
    "probability_high",
)
_NUMBERS = _OWN_COLUMNS[-4:]
"""Numbers that a model may lack."""


@dataclass
class Summary:
    """The account of a scoring: rows read = scored + rejected."""

    intake: Intake
    scored: int = 0
    grades: Counter[str] = field(default_factory=Counter)
    expected_wins: float = 0.0
    campaigns: list[CampaignSum] = field(default_factory=list)
    """What to expect of each, the largest first; none where the model or the file names none."""
    absent_fields: list[str] = field(default_factory=list)
    rejects_file: Path | None = None

    def add(self, scores: Sequence[Score]) -> None:
        """Count a chunk of scores."""
        self.scored += len(scores)
        self.grades.update(score.grade for score in scores)
        self.expected_wins += sum(score.probability for score in scores)


class _Writer(Protocol):
    def write(self, scores: Sequence[Score]) -> None: ...
    def close(self) -> None: ...


def score_file(
    model: LoadedModel,
    source: Path,
    target: Path,
    reasons: int,
    progress: Callable[[int], None] = lambda _: None,
    keep: Callable[[Leads, Sequence[Score]], None] = lambda *_: None,
) -> Summary:
    """Score a file or folder into a CSV or Parquet file, by the target's ending.

    Args:
        model: the verified model.
        source: what to score; it needs no outcome column.
        target: ends in .csv or .parquet; replaced when the new one is whole.
        reasons: reasons for each lead at most.
        progress: told how many leads are scored so far.
        keep: what else is done with leads and their scores, a chunk at a time, such as storing.

    Raises:
        UsageError: for another ending, or when a column that the model needs is missing.
        FileError: when source cannot be read or target not be written.

    """
    scorer = model.artefact.scorer
    if target.suffix.lower() not in _WRITERS:
        raise UsageError(f"{target}: the output must end in {' or '.join(_WRITERS)}")
    if source.is_dir() and target.parent.resolve() == source.resolve():
        raise UsageError(f"{target}: lies in the input folder, and the next run would read it too")
    if target.exists() and source.exists() and target.samefile(source):
        raise UsageError(f"{target}: is the input itself; write the scores to another file")
    table = open_table(source, scorer.agreement.export)
    summary = Summary(Intake())
    wanted = [f.field for f in scorer.encoder.fields]
    if scorer.agreement.columns.created and any(f.kind == "date" for f in scorer.encoder.fields):
        wanted.append(scorer.agreement.columns.created)
    summary.absent_fields = [name for name in wanted if name not in table.columns]
    if len(summary.absent_fields) == len(wanted):
        raise UsageError(f"{source}: has none of the fields that the model reads: {wanted}")
    sums = _sums(scorer, table.columns)
    with whole_or_not(target) as work:
        open_writer = _WRITERS[target.suffix.lower()]
        with closing(open_writer(work, scorer.agreement.columns.id, model)) as writer:
            for leads in read_nightly(table, scorer.agreement, summary.intake):
                scores = scorer.score(leads, reasons)
                keep(leads, scores)
                writer.write(scores)
                summary.add(scores)
                if sums is not None:
                    chances = np.array([score.probability for score in scores])
                    sums.add(leads.column(scorer.agreement.columns.campaign or ""), chances)
                progress(summary.scored)
    if sums is not None and scorer.spread is not None:
        summary.campaigns = campaign_sums(sums.groups(), scorer.spread)
    summary.rejects_file = write_rejects(summary.intake.rejects, rejects_path(target))
    return summary


def _sums(scorer: Scorer, columns: Sequence[str]) -> Sums | None:
    """Return where the sums by campaign are kept, where both model and file name campaigns."""
    campaign = scorer.agreement.columns.campaign
    if scorer.spread is None or campaign is None or campaign not in columns:
        return None
    return Sums(learned(scorer.encoder, campaign))


class _CsvWriter:
    def __init__(self, path: Path, id_column: str, model: LoadedModel) -> None:
        self._file = path.open("w", newline="", encoding="utf-8")
        self._rows = csv.writer(self._file)
        self._rows.writerow([id_column, *_OWN_COLUMNS])
        self._names = [model.version, model.artefact.scorer.agreement.label]

    def write(self, scores: Sequence[Score]) -> None:
        self._rows.writerows(
            [
                *(s.id, repr(s.probability), s.grade, _json_reasons(s), *self._names),
                *(getattr(s, name) for name in _NUMBERS),
            ]
            for s in scores
        )

    def close(self) -> None:
        self._file.close()


def _json_reasons(score: Score) -> str:
    return json.dumps([reason._asdict() for reason in score.reasons], ensure_ascii=False)


class _ParquetWriter:
    def __init__(self, path: Path, id_column: str, model: LoadedModel) -> None:
        import pyarrow as pa
        import pyarrow.parquet

        reason = pa.struct(
            [
                ("field", pa.string()),
                ("value", pa.string()),
                ("direction", pa.string()),
                ("log_odds", pa.float64()),
                ("text", pa.string()),
            ]
        )
        kinds = (
            *(pa.float64(), pa.string(), pa.list_(reason), pa.string(), pa.string()),
            *(pa.float64() for _ in _NUMBERS),
        )
        self._schema = pa.schema([(id_column, pa.string()), *zip(_OWN_COLUMNS, kinds, strict=True)])
        self._writer = pyarrow.parquet.ParquetWriter(path, self._schema)
        self._names = (model.version, model.artefact.scorer.agreement.label)

    def write(self, scores: Sequence[Score]) -> None:
        import pyarrow as pa

        columns: list[list[Any]] = [
            [s.id for s in scores],
            [s.probability for s in scores],
            [s.grade for s in scores],
            [[reason._asdict() for reason in s.reasons] for s in scores],
            *([name] * len(scores) for name in self._names),
            *([getattr(s, name) for s in scores] for name in _NUMBERS),
        ]
        arrays = [pa.array(c, f.type) for c, f in zip(columns, self._schema, strict=True)]
        self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


_WRITERS: dict[str, Callable[[Path, str, LoadedModel], _Writer]] = {
    ".csv": _CsvWriter,
    ".parquet": _ParquetWriter,
}
