"""What `leadq score`, and whoever reads a file of leads, says to its user."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.counted import counted
from features.files import Reject
from features.reading import Intake

if TYPE_CHECKING:
    # Store and models are loaded by those commands alone that need them.
    from features.store.intake import Account
    from serving.account import Summary
    from serving.artefact import LoadedModel
    from serving.sums import CampaignSum

_MOST_REASONS = 3
_MOST_CAMPAIGNS = 50


def intake_lines(intake: Intake, rejects: Path | None) -> Iterator[str]:
    """Tell how many rows were read, taken and set aside, and the usual reasons."""
    yield from row_lines(
        intake.read, len(intake.rejects), Counter(map(kind_of, intake.rejects)), rejects
    )
    if not intake.read:
        yield "  WARNING: the file has a header and no rows"


def row_lines(
    read: int, rejected: int, reasons: Counter[str], rejects: Path | None
) -> Iterator[str]:
    """Tell the same from counts.

    Args:
        read: rows.
        rejected: rows of these that were set aside.
        reasons: kinds of them, see `kind_of`, and how often each came.
        rejects: the file in which they stand.

    """
    line = f"{counted(read, 'row')} read, {read - rejected:,} taken, {rejected:,} set aside"
    yield f"{line} in {rejects}" if rejects else line
    yield from _reason_lines(reasons)


def account_lines(account: Account, waiting: int, rejects: str | None) -> Iterator[str]:
    """Tell what became of the rows of a file that came into the store.

    Args:
        account: of the file.
        waiting: how much feedback waits for its lead, of this file and of others.
        rejects: where the rows stand that were refused.

    """
    parts = [f"{account.stored:,} stored", f"{account.repeated:,} there already"]
    if account.replaced:
        parts.append(f"{account.replaced:,} replaced another amount")
    if account.waiting:
        parts.append(f"{account.waiting:,} wait for their lead")
    refused = f"{account.refused:,} refused"
    parts.append(f"{refused} in {rejects}" if rejects else refused)
    yield f"{counted(account.read, 'row')} read: {', '.join(parts)}"
    yield from _reason_lines(account.reasons)
    if account.early:
        yield (
            f"  {counted(account.early, 'row')} of those that wait: before their lead was handed "
            "over or scored; send them again where their time is wrong"
        )
    if account.is_undated:
        yield (
            "  WARNING: no column at: every row is handed over now; "
            "the same file again hands over again"
        )
    if waiting:
        yield (
            f"waiting until their leads are handed over: {counted(waiting, 'word of sales')} "
            "(leadq feedback --waiting names them)"
        )


def account_json(account: Account, waiting: int, rejects: str | None) -> dict[str, Any]:
    """Tell the same as JSON values."""
    return {
        "read": account.read,
        "stored": account.stored,
        "repeated": account.repeated,
        "waiting": account.waiting,
        "early": account.early,
        "refused": account.refused,
        "waiting_in_all": waiting,
        "rejects": rejects,
    }


def _reason_lines(reasons: Counter[str]) -> Iterator[str]:
    """Tell the usual reasons, and how many rows and reasons there are beside them."""
    usual = reasons.most_common(_MOST_REASONS)
    for reason, count in usual:
        yield f"  {counted(count, 'row')}: {reason}"
    if more := len(reasons) - len(usual):
        rows = reasons.total() - sum(count for _, count in usual)
        yield f"  and {counted(rows, 'row')} for {counted(more, 'more reason')}"


def kind_of(reject: Reject) -> str:
    """Return field and reason of a row set aside, without what differs from row to row."""
    reason = reject.reason.replace(repr(reject.value), "the value").split(" (")[0]
    reason = re.sub(r" line \d+( of .*)?$", " another line", reason)
    return f"{reject.field}: {reason}" if reject.field else reason


def scoring_lines(
    summary: Summary, model: LoadedModel, output: Path, standing: str | None = None
) -> Iterator[str]:
    """Tell what was scored, what the file lacked, and who signed the agreement."""
    if summary.unchanged:
        yield (
            f"nothing to do: {output} has the scores of this very input by version "
            f"{model.version}: {counted(summary.scored, 'lead')}; --force scores it again"
        )
        yield from _warning_lines(summary)
        return
    grades = ", ".join(f"{grade} {summary.grades[grade]:,}" for grade in "ABCD")
    yield f"wrote {output}: {counted(summary.scored, 'lead')}, version {model.version}"
    yield f"  grades {grades}; about {counted(round(summary.expected_wins), 'win')} to expect"
    yield from _campaign_lines(summary.campaigns)
    yield from _warning_lines(summary)
    if standing:
        yield f"  {standing}"
    yield from row_lines(summary.read, summary.rejected, summary.why, summary.rejects_file)


def _warning_lines(summary: Summary) -> Iterator[str]:
    yield from (f"  WARNING: {warning}" for warning in summary.warnings)


def _campaign_lines(campaigns: Sequence[CampaignSum]) -> Iterator[str]:
    """Tell what to expect of the largest campaigns."""
    if not campaigns:
        return
    shown = campaigns[:_MOST_CAMPAIGNS]
    width = min(max(len(c.name) for c in shown), 50)
    yield "  wins to expect by campaign, with the 90 % interval of their number:"
    for c in shown:
        new, noun = "" if c.known else "  new to the model", "lead" if c.leads == 1 else "leads"
        yield (
            f"    {c.name[:width]:{width}}  {c.leads:>7,} {noun:5}  {c.expected:>9,.1f} wins  "
            f"{c.low:,} to {c.high:,}{new}"
        )
    if len(campaigns) > len(shown):
        yield f"    and {counted(len(campaigns) - len(shown), 'smaller one')}; --json names all"


def scoring_json(
    summary: Summary, model: LoadedModel, output: Path, standing: str | None = None
) -> dict[str, Any]:
    """Tell the same as JSON values."""
    return {
        "output": str(output),
        "model_version": model.version,
        "agreement_version": model.artefact.scorer.agreement.label,
        "agreement_standing": standing,
        "unchanged": summary.unchanged,
        "read": summary.read,
        "scored": summary.scored,
        "rejected": summary.rejected,
        "rejects": None if summary.rejects_file is None else str(summary.rejects_file),
        "grades": dict(summary.grades),
        "expected_wins": summary.expected_wins,
        "campaigns": [campaign.as_dict() for campaign in summary.campaigns],
        "absent_fields": summary.absent_fields,
        "warnings": summary.warnings,
        "alarming": summary.alarming,
        "manifest": None if summary.manifest is None else summary.manifest.as_dict(),
    }
