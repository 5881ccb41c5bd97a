"""The report of a training as one page: what both sides read, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from features.agreement import Agreement
from serving.document import Section, render
from training.leak_report import leak_section
from training.leaks import Finding
from training.report_sections import sections, summary
from training.rolling import rolling_section

if TYPE_CHECKING:
    from training.train import Training


OF_THE_RULES = "The figures that follow are those of the rules, not of a model."


def page(training: Training, name: str, standing: str | None = None) -> str:
    """Return the report as one self-contained HTML page.

    Args:
        training: what is reported.
        name: of the run.
        standing: who signed the agreement, where that is known.

    """
    facts = _facts(training) | ({"Signed": standing} if standing else {})
    return render(f"Lead quality: {name}", facts, list(_sections(training)))


def leak_page(findings: dict[str, Finding], agreement: Agreement) -> str:
    """Return the leak report alone as one self-contained HTML page."""
    facts = {"Agreement": f"{agreement.name}, {agreement.label}"}
    return render("Leak report", facts, [leak_section(findings, agreement)])


def fitted_on(training: Training) -> str:
    """Say what the registered model was fitted on; of very many leads that is a part."""
    total, learned = len(training.labelled.labels), training.parameters.get("learned_from")
    if learned is None:
        return f"all {total:,} labelled leads"
    return f"{learned:,} leads drawn from all {total:,} labelled ones"


def _facts(training: Training) -> dict[str, str]:
    labelled, agreement = training.labelled, training.scorer.agreement
    won, total = int(labelled.labels.sum()), len(labelled.labels)
    return {
        "Agreement": f"{agreement.name}, {agreement.label}",
        "Known outcomes": f"{total:,} leads, {won:,} won",
        "Learned from": fitted_on(training),
        "Judged on": (
            f"{len(training.split.later):,} of them, by a fit on {len(training.split.earlier):,} "
            f"others: {training.split.method}"
        ),
        "Won means": _won_means(agreement),
    }


def _won_means(agreement: Agreement) -> str:
    days = agreement.horizon_days
    if not agreement.columns.created:
        return "won by the time of the export"
    if not agreement.columns.closed:
        return (
            f"won by the time of the export, among leads at least {days} days old; older leads had "
            "more time to win"
        )
    return f"within {days} days of creation"


def _sections(training: Training) -> Iterator[Section]:
    evaluation = training.evaluation
    notes = tuple(_notes(training))
    said = tuple(filter(None, (_ending(training), _growth(training), _warning(training))))
    if evaluation is None:
        yield Section("In short", (*said, *notes))
        yield leak_section(training.choice.findings, training.scorer.agreement)
        return
    first = summary(evaluation)
    yield Section(
        first.title,
        (*said, *first.sentences),
        first.tables,
        first.figures,
        first.numbers,
    )
    *middle, last = sections(evaluation, training.split.method, training.drift, notes)
    yield from middle
    if training.origins:
        yield rolling_section(training.origins)
    if training.further.on_value:
        yield Section("Value", training.further.on_value)
    if training.further.on_timing:
        yield Section("When wins come", training.further.on_timing)
    yield leak_section(training.choice.findings, training.scorer.agreement)
    yield last


def _ending(training: Training) -> str:
    """Say who scores where it is not the model; else the proof stands with the other proofs."""
    if training.verdict.scorer == "model":
        return ""
    told = _sentence(training.verdict.sentence)
    return told if training.evaluation is None else f"{told} {OF_THE_RULES}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _growth(training: Training) -> str:
    return f"How many more would do: {training.growth.rstrip('.')}." if training.growth else ""


def _warning(training: Training) -> str:
    return f"Warning: {training.caution.rstrip('.')}." if training.caution else ""


def _notes(training: Training) -> Iterator[str]:
    """What a reader must know of how it was judged."""
    if training.verdict.scorer == "model":
        yield _sentence(training.verdict.sentence)
    yield (
        "The figures are those of a fit on the earlier leads. What is registered was then fitted "
        f"anew on {fitted_on(training)}, with the same recipe, and is not judged itself."
    )
    if training.work.place is not None:
        yield (
            "In the fits newer leads count more: the middle one in time half as much as the "
            "newest, the oldest a quarter (in the logistic regression .7 and a half). Of those "
            "that judge each counts once."
        )
    yield (
        "Leaks were looked for among all leads with a known outcome, those that judge too. That "
        "can only take fields away, so it hardly flatters the figures."
    )
    for why, count in training.labelled.unlabelled.items():
        yield f"{count:,} leads taught nothing: {why}."
    if training.labelled.if_open_were_lost:
        yield training.labelled.if_open_were_lost
    if training.work.propensity is not None:
        yield from training.work.propensity.sentences
    for name, why in training.choice.on_your_word.items():
        yield f"{name} is used on your word although it looks like a leak: {why}."
