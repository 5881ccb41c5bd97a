"""An agreement as commented TOML: what was found, why, and what a human must decide."""

from __future__ import annotations

import json
from collections.abc import Iterator
from textwrap import wrap

from features.agreement import Agreement
from features.leads import ROW_NUMBER
from training.outcome_words import RESTRICTED_NAMES, spoken
from training.propose import Proposal
from training.roles import Roles

_WIDE = 90
"""Characters of a line of comment at most."""


def render(proposal: Proposal) -> str:
    """Return the agreement as commented TOML."""
    return "\n".join(_lines(proposal)) + "\n"


def _lines(proposal: Proposal) -> Iterator[str]:
    a = proposal.agreement
    yield "# What sales and marketing agree on. leadq proposed it from an export; it is yours to"
    yield "# change. Lines marked DECIDE wait for a human. Raise `version` with every change."
    yield ""
    yield f"format = {a.format}"
    yield f"version = {a.version}"
    yield f"name = {_text(a.name)}"
    yield ""
    yield "# A lead counts as won when it is won within so many days;"
    yield f"# {proposal.notes['horizon_days']}."
    yield f"horizon_days = {a.horizon_days}"
    yield from _column_lines(a, proposal.notes["created"])
    yield from _export_lines(a, proposal.notes["day_first"])
    yield from _outcome_lines(a, proposal.roles)
    yield from _rule_lines(a, float(proposal.labelled.labels.mean()))
    yield from _field_lines(a)
    yield from _points_lines(a)


def _column_lines(a: Agreement, one_day: str) -> Iterator[str]:
    yield "\n[columns]"
    for name, value in a.columns.model_dump().items():
        if value is not None:
            yield f"{name} = {_text(value)}"
    if a.columns.id == ROW_NUMBER:
        yield "# DECIDE: no column has a value of its own for each lead: the row number stands in;"
        yield "# scores can then be joined to leads by position only. Add an id to the export."
    if one_day:
        yield from wrap(f"DECIDE: {one_day}.", _WIDE, initial_indent="# ", subsequent_indent="# ")
    if a.columns.serial:
        yield "# No creation time was found; this serial stands in for it: later leads have more."
    if a.order_column is None:
        yield "# Neither a creation time nor a serial was found: models are judged on a random"
        yield "# part, so drift cannot be seen. If a column tells the order, add: created = ..."
    if a.columns.created and not a.columns.closed:
        yield "# No column says when the outcome became known: only leads older than the horizon"
        yield "# are learned from. If there is one, add: closed = ..."


def _export_lines(a: Agreement, day_note: str) -> Iterator[str]:
    yield "\n[export]"
    yield "# Delimiter and encoding are found out for each file, unless said here."
    for name in ("delimiter", "encoding"):
        if (said := getattr(a.export, name)) is not None:
            yield f"{name} = {_text(said)}"
    yield f"decimal = {_text(a.export.decimal)}"
    yield f"day_first = {str(a.export.day_first).lower()}" + (f"  # {day_note}" if day_note else "")
    yield "# Values that mean: nothing was chosen."
    yield f"missing = {_texts(a.export.missing)}"


def _outcome_lines(a: Agreement, roles: Roles) -> Iterator[str]:
    yield "\n# Which values of the outcome mean what. An empty outcome is open."
    yield "[outcomes]"
    for name, values in a.outcomes.model_dump().items():
        if values or name in ("won", "lost"):
            yield f"{name} = {_texts(values)}"
    if roles.undecided:
        yield "# DECIDE: these fit no disposition; put each under one of the above, or under"
        yield "# unqualified, not_ready, in_contract, unreachable, open. Until then their rows"
        yield "# are set aside."
    for value, leads in roles.undecided.items():
        yield f"#     {_text(value)}  ({leads:,} {'lead' if leads == 1 else 'leads'})"


def _rule_lines(a: Agreement, base: float) -> Iterator[str]:
    yield "\n# What a disposition teaches: positive, negative, or censored (not yet, so neither)."
    yield "[learning]"
    yield from _pairs(a.learning.model_dump())
    yield "\n# When a lead that is not ready yet comes back."
    yield "[recycle]"
    yield from _pairs(a.recycle.model_dump())
    yield f"\n# The lowest probability of each grade; {base:.1%} of the leads here were won."
    yield "# Below C: D."
    yield "[grades]"
    yield from _pairs(a.grades.model_dump())
    yield "# A model scores by the grades it was trained with: retrain after a change."
    yield "\n# DECIDE together: what counts as an MQL, and from which grade on sales gets a lead."
    yield "[bar]"
    yield f"mql_probability = {a.bar.mql_probability}"
    yield f"handoff_grade = {_text(a.bar.handoff_grade)}"
    yield "\n# DECIDE together: what sales can work, and what each side promises. The figures are"
    yield "# common ones, not yours; scores do not depend on them."
    yield "[capacity]"
    yield from _pairs(a.capacity.model_dump())
    yield from _gate_lines(a)
    yield "\n# Share of the calls that goes to leads drawn by lot from below the cut. It shows what"
    yield "# the model misses and measures its lift over chance; with 0 nobody can know either."
    yield "[exploration]"
    yield from _pairs(a.exploration.model_dump())
    yield "\n# When `leadq retrain --if-due` acts: so many new outcomes, so old a model, scores"
    yield "# that moved so much (PSI beyond chance), wins predicted so far from those there were."
    yield "[retrain]"
    yield from _pairs(a.retrain.model_dump())
    yield "\n[sla.marketing]"
    yield from _pairs(a.sla.marketing.model_dump())
    yield "\n[sla.sales]"
    yield from _pairs(a.sla.sales.model_dump())
    yield "\n# Personas and routes are rules over fields, for example:"
    yield '# [[personas]]\n# name = "Large manufacturer"'
    yield '# all = [{ field = "employees", at_least = 250 }]'
    yield '# [[routes]]\n# owner = "inside-sales"'


def _gate_lines(a: Agreement) -> Iterator[str]:
    yield "\n# What a retrained model must show on later leads before it takes over by itself."
    yield "[gate]"
    values = a.gate.model_dump()
    for name, line in zip(values, _pairs(values), strict=True):
        yield f"{line}  # {_GATE[name]}"


_GATE = {
    "decide_by": "or log_loss, which also decides where neither finds more wins",
    "sure": "how sure (one-sided) each finding must be",
    "predicted_to_actual_at_least": "wins expected by wins there were, in all and in",
    "predicted_to_actual_at_most": "each large campaign",
    "large_campaign_wins": "a campaign is large from so many wins on, expected or actual",
    "most_grade_shift": "share of the leads by which the shares of grades may shift",
    "most_a_leads_lost": "share of the A leads that may become C or D",
    "renew_after_days": "an older champion yields to one that is no worse on later leads",
    "outcomes_agree_at_least": "known outcomes that stay what they were (Cohen's kappa)",
    "order_kept_at_least": "order of new outcomes, by that which the champion promises",
    "too_good": "beyond this share of what the AUC lacked of 1, a leak is suspected",
}


def _field_lines(a: Agreement) -> Iterator[str]:
    yield "\n# Which fields may be used to predict, and how each is read."
    yield '# "decide" is left out until someone decides. To use a field that leadq doubts, write'
    yield '# use = "yes" and the reason: why = "written by the form, before anybody called".'
    yield "[fields]"
    for name, use in a.fields.items():
        if use.use == "decide":
            yield "# DECIDE: is this written before the hand-off, and never changed after it?"
        if use.use != "no" and RESTRICTED_NAMES.search(spoken(name)):
            yield '# NOTE: protected by law in many uses; say use = "no" unless you may use it.'
        shown: dict[str, str] = {"use": use.use, "kind": use.kind}
        if use.kind == "options":
            shown["separator"] = use.separator
        if use.because:
            shown["because"] = use.because
        if use.why:
            shown["why"] = use.why
        inner = ", ".join(f"{key} = {_text(value)}" for key, value in shown.items())
        yield f"{_text(name)} = {{ {inner} }}"


def _points_lines(a: Agreement) -> Iterator[str]:
    yield "\n# DECIDE together: points for good and bad signs. 10 points double the odds, -10 halve"
    yield "# them; the points of all rules that hold add up. They score until a model is shown to"
    yield "# be better, and stay the bar that it must clear. A rule says one or more of: is,"
    yield "# at_least, at_most (bounds included), filled."
    if not a.points:
        yield "# The leads here show no clear sign yet. Write down what sales knows, for example:"
        yield '# [[points]]\n# field = "employees"\n# at_least = 250\n# points = 10'
        yield '# why = "large firms have a budget of their own"'
    else:
        yield "# Proposed from the earlier leads; the later ones judge rules and models alike."
    for rule in a.points:
        yield "\n[[points]]"
        yield f"field = {_text(rule.field)}"
        if rule.is_ is not None:
            yield f"is = {_texts(rule.is_)}"
        for name in ("at_least", "at_most"):
            bound = getattr(rule, name)
            if bound is not None:
                yield f"{name} = {int(bound) if bound.is_integer() else bound}"
        if rule.filled is not None:
            yield f"filled = {str(rule.filled).lower()}"
        yield f"points = {rule.points}"
        if rule.why:
            yield f"why = {_text(rule.why)}"


def _pairs(values: dict[str, object]) -> Iterator[str]:
    for key, value in values.items():
        yield f"{key} = {_text(value) if isinstance(value, str) else value}"


def _text(value: str) -> str:
    # A JSON string is a TOML basic string but for one character that TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _texts(values: list[str]) -> str:
    return "[" + ", ".join(_text(value) for value in values) + "]"
