"""What compare says to its user, in words and as JSON values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich import box
from rich.table import Table

from training.compare import Group, Pair
from training.paired import DRAWS


def runs_table(group: Group) -> Table:
    """Set runs side by side that were judged on the same leads."""
    judged = group.rows[0]
    table = Table(
        "version", "run", "log loss", "ROC AUC", "lift", "predicted", "actual", "agreement", "",
        box=box.SIMPLE,
        title=f"Judged on the same {judged.judged_rows:,} leads ({judged.judged_on[:8]}), "
        "the lowest log loss first",
        title_justify="left",
    )  # fmt: skip
    for row in group.rows:
        m = row.metrics
        numbers = (
            f"{m['log_loss']:.4f}", f"{m['roc_auc']:.4f}", f"{m['lift_top_tenth']:.2f}",
            f"{m['mean_predicted']:.1%}", f"{m['mean_actual']:.1%}", row.agreement,
        )  # fmt: skip
        table.add_row(row.version or "-", row.run, *numbers, "champion" if row.is_champion else "")
    return table


def pair_lines(group: Group) -> Iterator[str]:
    """Tell how far each version differs from the one it is held against, and what is shown."""
    by_version: dict[str, dict[str, Pair]] = {}
    for pair in group.pairs:
        by_version.setdefault(pair.version, {})[pair.measure] = pair
    for pairs in by_version.values():
        yield from _pair_lines(pairs)
    if group.pairs:
        together = f"; they hold for {group.comparisons} comparisons together, by each measure"
        drawn = "whole days" if group.drawn_by == "day" else "single leads"
        yield (
            f"  95 % intervals from {DRAWS} draws of {drawn}"
            f"{together if group.comparisons > 1 else ''}"
        )
    for version in group.unpaired:
        yield (
            f"  version {version} against {group.against}: no paired interval: trained by an older "
            "leadq"
        )
    if group.best is not None:
        yield f"  best: version {group.best}{_why_best(group)}"


def _pair_lines(pairs: dict[str, Pair]) -> Iterator[str]:
    wins, loss, auc = pairs["wins_in_top"], pairs["log_loss"], pairs["roc_auc"]
    if wins.verdict == "identical":
        yield f"  version {wins.version} predicts the same as version {wins.against}: identical"
        return
    yield (
        f"  version {wins.version} finds {_more(wins)} version {wins.against} "
        f"(95 % interval {_count(wins.low)} to {_count(wins.high)}): {_shown(wins)}"
    )
    for name, pair in (("log loss", loss), ("ROC AUC", auc)):
        yield (
            f"    {name} {pair.difference:+.4f} ({pair.low:+.4f} to {pair.high:+.4f}): "
            f"{_shown(pair)}"
        )


def _more(wins: Pair) -> str:
    count = _count(abs(wins.difference))
    if float(count) == 0:
        return f"as many wins in the top {wins.top:,} as"
    noun = "win" if count == "1" else "wins"
    more = "more" if wins.difference > 0 else "fewer"
    return f"{count} {more} {noun} in the top {wins.top:,} than"


def _count(wins: float) -> str:
    """Ties and small samples give parts of a win; from ten on they do not matter."""
    return f"{wins:.0f}" if abs(wins) >= 10 or wins == round(wins) else f"{wins:.1f}"


def _shown(pair: Pair) -> str:
    if pair.verdict != "not shown":
        return f"shown to be {pair.verdict}"
    if pair.difference == 0:
        return "no difference is shown"
    seems_better = (pair.difference < 0) == (pair.measure == "log_loss")
    return f"not shown to be {'better' if seems_better else 'worse'}"


def _why_best(group: Group) -> str:
    if group.best != group.against:
        return ", shown better by log loss and worse by nothing"
    if any(row.is_champion for row in group.rows):
        return ", the champion: no other is shown to be better"
    alone = "the champion is not among them"
    same = all(pair.verdict == "identical" for pair in group.pairs)
    if group.pairs and same and not group.unpaired:
        return f" or any other: all predict the same; {alone}"
    return f", the lowest log loss: no other is shown to be better; {alone}"


def compare_json(groups: list[Group]) -> dict[str, Any]:
    """Tell the same as JSON values; `best` is that of the newest group."""
    return {
        "best": groups[0].best,
        "groups": [[row.as_dict() for row in group.rows] for group in groups],
        "pairs": [vars(pair) for group in groups for pair in group.pairs],
    }
