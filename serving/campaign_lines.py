"""Campaign figures as text and as a table."""

from __future__ import annotations

from collections.abc import Iterator

from features.counted import counted
from serving.campaign_figures import Campaign, Campaigns, CostOfWin
from serving.outlook import Range

COLUMNS = (
    *("campaign", "leads", "scored", "grade_a", "grade_b", "grade_c", "grade_d"),
    *("won", "won_late", "wins", "wins_low", "wins_high", "by_now", "by_now_low", "by_now_high"),
    *("pace", "value", "revenue", "revenue_low", "revenue_high", "cost", "visits"),
    *("cost_per_lead", "cost_per_win", "cost_per_win_low", "cost_per_win_high"),
    *("accepted", "answered", "acceptance", "trend", "trend_low", "trend_high"),
    *("gain", "gain_low", "gain_high", "budget", "reasons", "notes"),
)
_WIDEST = 40
_MOST_REASONS = 5


def rows(figures: Campaigns) -> Iterator[list[str]]:
    """Give the cells of each campaign by `COLUMNS`."""
    for c in figures.campaigns:
        reasons = "; ".join(
            f"{r.code}: {r.reason or 'no reason'} {r.leads}" for r in c.reasons[:_MOST_REASONS]
        )
        cells: list[object] = [c.name, c.leads, c.scored, *c.grades.values(), c.won, c.won_late]
        cells += [*_ends(c.wins), *_ends(c.by_now), c.pace, c.value, *_ends(c.revenue)]
        cells += [c.cost, c.visits, c.cost_per_lead, *_ends(c.cost_per_win)]
        cells += [c.accepted, c.answered, c.acceptance and c.acceptance.value]
        cells += [*_ends(c.trend.change), *_ends(c.gain), c.budget, reasons]
        cells.append("; ".join(note.text for note in c.notes))
        yield [_cell(cell) for cell in cells]


def _ends(found: Range | CostOfWin | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if found is None else (found.value, found.low, found.high)


def _cell(cell: object) -> str:
    if cell is None:
        return ""
    return f"{cell:.4f}".rstrip("0").rstrip(".") if isinstance(cell, float) else str(cell)


def campaign_lines(figures: Campaigns, most: int) -> Iterator[str]:
    """Tell what campaigns bring, those first whose budget matters most."""
    total, shown = figures.total, figures.campaigns[:most]
    if not total.leads and total.cost is None:
        yield f"no lead was created within the last {counted(figures.days, 'day')}"
        return
    yield (
        f"{counted(total.leads, 'lead')} of the last {counted(figures.days, 'day')}, "
        f"{total.won:,} won so far"
        f"{_of_wins(total.wins)}{_costs(total)}"
    )
    width = min(max((len(c.name) for c in shown), default=0), _WIDEST)
    for c in shown:
        wins = "no score" if c.wins is None else f"{c.won:,} won, {_range(c.wins)} expected"
        noun = "lead " if c.leads == 1 else "leads"
        yield f"  {c.name[:width]:{width}}  {c.leads:>7,} {noun}  {wins}{_costs(c)}{_advice(c)}"
    if len(figures.campaigns) > len(shown):
        more = len(figures.campaigns) - len(shown)
        yield f"  and {more:,} more; write them all with -o FILE.csv"
    if not figures.timed:
        yield (
            "WARNING: the model does not know when wins come; they are taken to come evenly over "
            f"{figures.horizon_days} days"
        )


def _of_wins(wins: Range | None) -> str:
    return "" if wins is None else f", {_range(wins)} expected by the end of their horizon"


def _range(found: Range) -> str:
    low, high = round(found.low), round(found.high)
    if low == high and abs(found.value - low) < 0.05:
        return f"{low:,}"
    digits = 0 if found.value >= 10 else 1
    return f"{found.value:,.{digits}f} ({found.low:,.0f} to {found.high:,.0f})"


def _costs(campaign: Campaign) -> str:
    if campaign.cost is None:
        return ""
    each = campaign.cost_per_win
    return f"; cost {campaign.cost:,.0f}" + (f", {each.value:,.0f} a win" if each else "")


def _advice(campaign: Campaign) -> str:
    words = {"more": "worth more budget", "less": "worth less budget"}
    return f"; {words[campaign.budget]}" if campaign.budget in words else ""
