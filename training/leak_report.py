"""The leak report as a table of a web page, for the people who decide."""

from __future__ import annotations

from html import escape

from training.leaks import Finding, Verdict

VERDICTS: dict[Verdict, str] = {
    "blocked": "blocked",
    "suspect": "suspect: please decide",
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
    "AUC: 0.50 is chance, 1.00 orders every won lead before every other. The model is small, and "
    "is fitted with and without the field beside the honest fields only."
)


def worst_first(findings: dict[str, Finding]) -> list[tuple[str, Finding]]:
    """Return the findings by verdict, the worst first, each group in the order of the export."""
    ranks = list(VERDICTS)
    return sorted(findings.items(), key=lambda item: ranks.index(item[1].verdict))


def findings_html(findings: dict[str, Finding]) -> str:
    """Return the leak report as a fragment of HTML that needs nothing beside it."""
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in _HEAD)
    rows = "\n".join(_row(name, finding) for name, finding in worst_first(findings))
    return (
        '<section class="leaks" aria-labelledby="leaks-title">\n'
        '<h2 id="leaks-title">Fields that may give the outcome away</h2>\n'
        f"<p>{escape(_tally(findings))}</p>\n"
        f"<table>\n<caption>{escape(_READING)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n"
        f"<p>{escape(_CANNOT_SHOW)}</p>\n</section>\n"
    )


def _tally(findings: dict[str, Finding]) -> str:
    counts = [
        f"{sum(f.verdict == verdict for f in findings.values())} {words.split(':')[0]}"
        for verdict, words in VERDICTS.items()
    ]
    return f"{len(findings)} fields judged: {', '.join(counts)}."


def _row(name: str, finding: Finding) -> str:
    e = finding.evidence
    cells = (
        VERDICTS[finding.verdict], finding.reason, f"{e.auc_alone:.2f} ± {e.auc_error:.2f}",
        *map(_share, (e.filled_won, e.filled_lost, e.filled_open, e.filled_young, e.filled_old)),
        *map(_auc, (e.auc_without, e.auc_with)),
    )  # fmt: skip
    shown = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr class="{finding.verdict}"><th scope="row">{escape(name)}</th>{shown}</tr>'


def _share(share: float | None) -> str:
    return "not known" if share is None else f"{share:.0%}"


def _auc(auc: float | None) -> str:
    return "not measured" if auc is None else f"{auc:.2f}"
