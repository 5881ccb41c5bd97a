"""The leak report as a section of a page, for the people who decide."""

from __future__ import annotations

from features.agreement import Agreement
from serving.document import Section, Table
from training.leaks import Finding, Verdict

VERDICTS: dict[Verdict, str] = {
    "blocked": "blocked",
    "suspect": "suspect",
    "cannot_tell": "cannot be judged from one export",
    "fine": "fine",
}
"""The verdicts in a marketer's words, the worst first."""
_HEAD = (
    "Field", "Verdict", "Why", "Alone it orders (AUC)", "Filled: won", "Filled: not won",
    "Filled: open", "Filled: youngest third", "Filled: oldest third", "Model without it (AUC)",
    "Model with it (AUC)",
)  # fmt: skip
_CANNOT_SHOW = (
    "What one export cannot show: a value that is overwritten later looks as if it had always been "
    "there. Only a snapshot taken at the hand-off proves when a field was written."
)
_READING = (
    "AUC: 0.50 is chance, 1.00 orders every won lead before every other; after ± stands one "
    "standard error. All figures are of the leads with a known outcome (filled: of the open ones "
    "too), AUCs out of fold. The model is small, and is fitted with and without the field beside "
    "the honest fields only; its two AUCs have no interval, so small differences mean nothing."
)
_HARDLY = 0.02
"""Share of leads below which hardly any is filled, whatever its outcome."""
_OPEN = 0.3
"""From this ln(share filled when decided / when open) on, at its lower end, open leads tell."""


def worst_first(findings: dict[str, Finding]) -> list[tuple[str, Finding]]:
    """Return the findings by verdict, the worst first, each group in the order of the export."""
    ranks = list(VERDICTS)
    return sorted(findings.items(), key=lambda item: ranks.index(item[1].verdict))


def verdict_of(name: str, finding: Finding, agreement: Agreement) -> str:
    """Return the verdict, and what the agreement makes of a field that is not fine."""
    said, agreed = VERDICTS[finding.verdict], agreement.fields.get(name)
    if finding.verdict == "fine" or agreed is None:
        return said
    if agreed.use == "yes":
        return f"{said}: {'used on your word' if agreed.why else 'left out, for want of a why'}"
    return f"{said}: {'left out, as agreed' if agreed.use == 'no' else 'please decide'}"


def reason_of(finding: Finding) -> str:
    """Return the reason of a verdict, with how open leads are filled where that tells."""
    e, reason = finding.evidence, finding.reason
    if finding.verdict == "fine" or "open" in reason or e.open_low is None or e.open_low < _OPEN:
        return reason
    if e.filled_open is None or max(e.filled_won, e.filled_lost) < _HARDLY:
        return reason
    return f"{reason}; of the open leads it is filled for {e.filled_open:.0%}"


def leak_section(findings: dict[str, Finding], agreement: Agreement) -> Section:
    """Return the leak report: a row for each field, those that give the outcome away first."""
    rows = tuple(_row(name, finding, agreement) for name, finding in worst_first(findings))
    table = Table("Every field", _HEAD, rows, note=_READING, words=_HEAD[1:3])
    title = "Fields that may give the outcome away"
    return Section(title, (_tally(findings), _CANNOT_SHOW), tables=(table,))


def _tally(findings: dict[str, Finding]) -> str:
    counts = [
        f"{sum(f.verdict == verdict for f in findings.values())} {words}"
        for verdict, words in VERDICTS.items()
    ]
    return f"{len(findings)} fields judged: {', '.join(counts)}."


def _row(name: str, finding: Finding, agreement: Agreement) -> tuple[str, ...]:
    e = finding.evidence
    return (
        name, verdict_of(name, finding, agreement), reason_of(finding),
        f"{e.auc_alone:.2f} ± {e.auc_error:.2f}",
        *map(_share, (e.filled_won, e.filled_lost, e.filled_open, e.filled_young, e.filled_old)),
        *map(_auc, (e.auc_without, e.auc_with)),
    )  # fmt: skip


def _share(share: float | None) -> str:
    return "not known" if share is None else f"{share:.0%}"


def _auc(auc: float | None) -> str:
    return "not measured" if auc is None else f"{auc:.2f}"
