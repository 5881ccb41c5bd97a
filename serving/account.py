"""The account of a scoring: what became of every row, and what to expect of those scored."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from serving.manifest import Manifest
from serving.pipeline import Read
from serving.scorer import Scorer
from serving.spread import learned
from serving.summary import kind_of
from serving.sums import CampaignSum, Sums

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class Summary:
    """The account of a scoring: rows read = scored + rejected."""

    read: int = 0
    scored: int = 0
    rejected: int = 0
    why: Counter[str] = field(default_factory=Counter)
    """Why rows were set aside, and how often."""
    grades: Counter[str] = field(default_factory=Counter)
    expected_wins: float = 0.0
    campaigns: list[CampaignSum] = field(default_factory=list)
    """What to expect of each, the largest first; none where the model or the file names none."""
    absent_fields: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """What is unusual about the file, in sentences."""
    alarming: bool = False
    """Whether it is so much that somebody must look."""
    rejects_file: Path | None = None
    manifest: Manifest | None = None
    unchanged: bool = False
    """Whether the output was there already, made of the same; then nothing but counts is told."""


def as_before(done: Manifest) -> Summary:
    """Return the account of an output that is there already."""
    return Summary(
        done.read,
        done.scored,
        done.rejected,
        warnings=done.warnings,
        alarming=done.alarming,
        manifest=done,
        unchanged=True,
    )


def count(
    summary: Summary, read: Read, block: pa.RecordBatch, sums: Sums | None, scorer: Scorer
) -> None:
    """Add a chunk to the account."""
    chances = block.column("probability").to_numpy()
    grades = block.column("grade")
    summary.read += block.num_rows + len(read.rejects)
    summary.scored += block.num_rows
    summary.rejected += len(read.rejects)
    summary.why.update(map(kind_of, read.rejects))
    each, counts = np.unique(grades.indices.to_numpy(), return_counts=True)
    for place, leads in zip(each.tolist(), counts.tolist(), strict=True):
        summary.grades[grades.dictionary[place].as_py()] += leads
    summary.expected_wins += math.fsum(chances.tolist())
    if sums is not None and block.num_rows:
        sums.add(read.leads.column(scorer.agreement.columns.campaign or ""), chances)


def sums_of(scorer: Scorer, columns: Sequence[str]) -> Sums | None:
    """Return where the sums by campaign are kept, where both model and file name campaigns."""
    campaign = scorer.agreement.columns.campaign
    if scorer.spread is None or campaign is None or campaign not in columns:
        return None
    return Sums(learned(scorer.encoder, campaign))
