"""An evaluation as sections of the report: a minute for heads of sales and marketing, then more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from serving.charts import Dots, Line, Plot, Range, Ranges
from serving.document import Number, Section, Table
from serving.rates import Interval
from training.evaluate import Curve, Evaluation
from training.figures import lift
from training.moved import Drift
from training.segments import Campaign, Grades
from training.statements import (
    calibration_sentences,
    calls_a_day,
    campaign_sentences,
    drift_sentences,
    grade_sentences,
    in_the_large,
    order_sentences,
    segment_sentences,
    share,
    span,
)

_DRAWN = 20
"""Campaigns in the chart; the table holds more."""
_SMALL = "What few leads share stands together; fewer than ten in all are left out."
_CALLS = (
    "Calls a day are held against judged leads alone; leads without a known outcome take calls "
    "too, so sales may reach fewer than told here.",
)


def summary(evaluation: Evaluation) -> Section:
    """Return what it means for sales and for marketing, on top of everything."""
    parts = {
        "sales": order_sentences(evaluation),
        "both": (in_the_large(evaluation),),
        "marketing": campaign_sentences(evaluation),
    }
    told = {who: " ".join(found) for who, found in parts.items()}
    sentences = [f"For {who}: {text}" for who, text in told.items() if text]
    return Section("In short", tuple(sentences), numbers=tuple(_numbers(evaluation)))


def sections(
    evaluation: Evaluation, split: str, drift: Drift | None = None, notes: Sequence[str] = ()
) -> tuple[Section, ...]:
    """Return gain, calibration, campaigns, fields, grades, drift, and how it was judged.

    Args:
        evaluation: what later leads say.
        split: one sentence on how earlier and later leads were told apart.
        drift: from the leads learned from to the later ones.
        notes: more that a reader must know of how it was judged.

    """
    found = [_gain(evaluation), _calibration(evaluation)]
    found += [_campaigns(evaluation)] if evaluation.campaigns else []
    found += [_segments(evaluation)] if evaluation.segments else []
    shown = evaluation.is_better_than_chance
    found += [_grades(evaluation.grades, shown)] if evaluation.grades is not None else []
    found += [_drift(drift)] if drift is not None else []
    return (*found, _how(evaluation, split, notes))


def _numbers(evaluation: Evaluation) -> Iterator[Number]:
    won, capacity = evaluation.figures["won_in_top_tenth"], evaluation.capacity
    if evaluation.is_better_than_chance and won.low > 0.1:
        label = "of the wins are among the best tenth"
        yield Number(share(won.value), label, f"95 % interval {span(won)}; by chance 10 %")
    shown = capacity is not None and capacity.share < capacity.won.low
    if evaluation.is_better_than_chance and capacity is not None and shown:
        yield Number(
            share(capacity.won.value),
            f"of the wins are reached with {calls_a_day(capacity)}",
            f"95 % interval {span(capacity.won)}; by chance {share(capacity.share)}",
        )
    said, was = evaluation.figures["mean_predicted"], evaluation.figures["mean_actual"]
    yield Number(
        f"{share(said.value)} → {share(was.value)}",
        "predicted → won",
        f"95 % interval of what was won {span(was)}",
    )


def _gain(evaluation: Evaluation) -> Section:
    if evaluation.is_flat:
        return Section("Whom to call first", tuple(order_sentences(evaluation)))
    gain, lifted = evaluation.gain, lift(evaluation)
    chart = Plot(
        "Wins found by calling the best leads first",
        "The further the line stands above the dashed one, the more the order is worth. The band "
        "is the 95 % interval at each share of leads by itself.",
        "leads called, best first",
        "wins found",
        (
            Line("by score", gain.x, gain.y, gain.low, gain.high),
            Line("in any order", [0, 1], [0, 1], is_reference=True),
        ),
    )
    times = Plot(
        "Lift",
        "How many times more wins the best leads hold than leads in any order.",
        "leads called, best first",
        "times as many wins",
        (
            Line("by score", lifted.x[1:], lifted.y[1:], lifted.low[1:], lifted.high[1:]),
            Line("in any order", [0, 1], [1, 1], is_reference=True),
        ),
        y_percent=False,
    )
    rows = tuple(
        (
            f"{i} %",
            share(gain.y[i]),
            f"{gain.low[i] * 100:.0f} to {gain.high[i] * 100:.0f} %",
            _lifted(lifted, i - 1),
        )
        for i in (5, 10, 20, 30, 50)
    )
    columns = ("leads called", "wins found", "95 % interval", "lift (95 % interval)")
    table = Table("In numbers", columns, rows)
    return Section(
        "Whom to call first", tuple(order_sentences(evaluation)), (table,), (chart, times)
    )


def _lifted(curve: Curve, i: int) -> str:
    return f"{curve.y[i]:.2f} ({curve.low[i]:.2f} to {curve.high[i]:.2f})"


def _calibration(evaluation: Evaluation) -> Section:
    bins = evaluation.reliability.bins
    said = [b.predicted for b in bins]
    was = [b.actual for b in bins]
    top = max([*said, *(rate.high for rate in was)])
    chart = Plot(
        "Predicted and won",
        "Bands of leads with equal numbers; on the dashed line as many won as was predicted. The "
        "strokes are 95 % intervals, each by itself.",
        "predicted",
        "won",
        (Line("as predicted", [0, top], [0, top], is_reference=True),),
        (
            Dots(
                "later leads",
                said,
                [rate.value for rate in was],
                [rate.low for rate in was],
                [rate.high for rate in was],
            ),
        ),
    )
    rows = tuple(
        (f"{i}", f"{b.rows:,}", share(b.predicted), share(b.actual.value), span(b.actual))
        for i, b in enumerate(bins, start=1)
    )
    columns = ("band, lowest first", "leads", "predicted", "won", "95 % interval")
    table = Table("By band of probability", columns, rows)
    return Section(
        "Do the probabilities come true?", tuple(calibration_sentences(evaluation)), (table,),
        (chart,),
    )  # fmt: skip


def _campaigns(evaluation: Evaluation) -> Section:
    campaigns = evaluation.campaigns
    chart = Ranges(
        "Wins by campaign",
        "A dot outside its bar is a surprise; among many campaigns a few stand outside by chance. "
        "Red ones are beyond what that explains.",
        "share of its leads won",
        "expected (95 %)",
        "won",
        tuple(
            Range(c.name, c.won / c.rows, c.low / c.rows, c.high / c.rows, c.wins != "not shown")
            for c in campaigns[:_DRAWN]
        ),
    )
    table = Table(
        "By campaign, the largest first",
        ("campaign", "leads", "expected wins", "95 % interval", "won", "verdict"),
        tuple(_campaign_row(c) for c in campaigns),
        "The interval is what the model expects of the sum if its probabilities are true. "
        + _SMALL,
        words=("verdict",),
    )
    return Section("Campaigns", tuple(campaign_sentences(evaluation)), (table,), (chart,))


def _campaign_row(c: Campaign) -> tuple[str, ...]:
    told = "no difference shown" if c.wins == "not shown" else f"{c.wins} than expected"
    return (
        c.name,
        f"{c.rows:,}",
        f"{c.expected:,.1f}",
        f"{c.low:,} to {c.high:,}",
        f"{c.won:,}",
        told,
    )


def _segments(evaluation: Evaluation) -> Section:
    columns = ("", "leads", "won", "predicted", "actual", "95 % interval", "ROC AUC")
    tables = tuple(
        Table(
            f"By {field}",
            columns,
            tuple(
                (
                    s.name, f"{s.rows:,}", f"{s.won:,}", share(s.predicted),
                    share(s.actual.value), span(s.actual), _auc(s.auc),
                )
                for s in found
            ),
            _SMALL,
        )
        for field, found in evaluation.segments.items()
    )  # fmt: skip
    return Section("Field by field", tuple(segment_sentences(evaluation)), tables)


def _auc(auc: Interval | None) -> str:
    return "not judged" if auc is None else f"{auc.value:.2f} ({auc.low:.2f} to {auc.high:.2f})"


def _grades(grades: Grades, shown: bool) -> Section:
    """Return the grades; where the order is not shown to be one, their order is not spoken of."""
    rows = tuple(
        (
            g.name, f"{g.rows:,}", f"{g.won:,}", share(g.predicted), share(g.actual.value),
            span(g.actual),
            "" if g.share_before is None else share(g.share_before.value),
            "" if g.share_after is None else share(g.share_after.value),
        )
        for g in grades.rows
    )  # fmt: skip
    columns = (
        "grade", "leads", "won", "predicted", "actual", "95 % interval",
        "share, earlier half", "share, later half",
    )  # fmt: skip
    sentences = tuple(grade_sentences(grades)) if shown else ()
    return Section("Grades", sentences, (Table("By grade", columns, rows),))


def _drift(drift: Drift) -> Section:
    rows = tuple(
        (
            f.field, f.verdict, share(f.moved_share), f"{f.psi:.2f}", f"{f.psi_by_chance:.2f}",
            share(f.missing_before), share(f.missing_after),
        )
        for f in drift.fields
    )  # fmt: skip
    columns = (
        "field", "verdict", "leads moved", "PSI", "PSI by chance, on average", "empty before",
        "empty after",
    )  # fmt: skip
    note = (
        "PSI (population stability index) is 0 where nothing moved; by custom a field has moved "
        "from 0.1 on, much from 0.25 on; where chance explains as much, it is not shown. A field "
        "such as the campaign is renewed by plan: that it moved says that the mix is another one, "
        "not that something is wrong."
    )
    table = Table(
        "From the leads learned from to the later ones", columns, rows, note, ("verdict",)
    )
    return Section("What has changed", tuple(drift_sentences(drift)), (table,))


def _how(evaluation: Evaluation, split: str, notes: Sequence[str]) -> Section:
    e, r = evaluation, evaluation.reliability
    by_cluster = e.clusters < e.rows
    sentences = (
        f"Split: {split}.",
        f"Figures come from {e.rows:,} leads, {e.won:,} of them won, that the judged model had not "
        "seen; where others are meant, it is said.",
        "Intervals are made to hold in 95 of 100 cases, each by itself, for other leads of the "
        "same kind and time; leads were "
        + (f"drawn anew in {e.clusters:,} days, each as a whole." if by_cluster else
           "drawn anew one by one, as if independent of one another.")
        + " Intervals of single bands, categories, grades and changes of a share take leads as "
        "independent.",
        "Leads of one company count as independent"
        + (", unless they came in on one day" if by_cluster else "")
        + (f". {e.companies.sentence}" if e.companies else
           ": where companies come again often, all intervals are too short."),
        "What they do not show: what changes after this time, leads without a known outcome, and "
        "what would have become of leads had sales worked them otherwise. No figure says that a "
        "field, a campaign or a call makes a lead buy; they say what goes together.",
        *(_CALLS if e.capacity is not None else ()),
        *notes,
    )  # fmt: skip
    names = {
        "roc_auc": "ROC AUC", "pr_auc": "PR AUC", "log_loss": "log loss", "brier": "Brier score",
        "actual_to_predicted": "actual / predicted",
    }  # fmt: skip
    rows = [_figure(told, e.figures[name]) for name, told in names.items()]
    rows += [] if r.slope is None else [_figure("calibration slope (1 is right)", r.slope)]
    rows += [_figure("calibration intercept (0 is right)", r.intercept)]
    b = r.brier
    parts = Table(
        "The Brier score in parts",
        ("total", "reliability", "resolution", "uncertainty", "within bands"),
        (
            tuple(
                f"{part:.4f}"
                for part in (b.total, b.reliability, b.resolution, b.uncertainty, b.within)
            ),
        ),
        "Total = reliability − resolution + uncertainty + within bands (Murphy 1973). Reliability "
        "is best at 0; more resolution is better.",
    )
    table = Table("For statisticians", ("figure", "value", "95 % interval"), tuple(rows))
    return Section("How it was judged", sentences, (table, parts))


def _figure(name: str, interval: Interval) -> tuple[str, ...]:
    return name, f"{interval.value:.3f}", f"{interval.low:.3f} to {interval.high:.3f}"
