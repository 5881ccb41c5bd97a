"""Fields that give the future away: a verdict on each, with its reason in a sentence.

A leak is a field that is filled in, or changed, once the outcome is known or nearly so. It makes
a model look brilliant and be useless. Evidence and names are judged together:

    blocked      alone it tells the outcome, as no honest field does; or it is filled, or other than
                 zero, for one outcome only; or its name says that it is written at the end or while
                 the lead is worked, and it tells much
    suspect      its name or its values say so; or values of it settle the outcome; or it is filled
                 for winners, or for decided leads, and much less for others of the same age; or it
                 is a date that mostly lies after the creation, and tells; or no number, and without
                 it the model loses half of what it knows
    cannot_tell  only when it is written decides, and one export does not show that: it names who
                 works the lead, or is a score, or a date after the creation that tells little (the
                 lead may have planned it), or a number that tells much and has nothing else against
                 it. Honest numbers do that too: a customer's loyalty, an income, an age

What is blocked is taken away and the rest is judged again, until nothing more is found: so no leak
hides behind another, and the model with and without a field is measured beside honest fields only.
Some leaks cannot be seen in one export at all, such as a score that is renewed later: snapshots
taken at hand-off are the cure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np

from features.agreement import Agreement, FieldUse
from features.encoder import Encoder
from features.leads import History, Leads
from training.labels import Labelled
from training.leak_evidence import Crowd, Evidence, Exhibit, weigh
from training.leak_model import Bench
from training.leak_words import Hint, hint_of, is_known_before, is_planned, is_renewed

Verdict = Literal["blocked", "suspect", "fine", "cannot_tell"]

BECAUSE: dict[Verdict, str] = {
    "blocked": "leak",
    "suspect": "suspected leak",
    "cannot_tell": "possible leak",
}
"""How the agreement names a verdict, before its reason."""
_WORST: tuple[Verdict, ...] = ("blocked", "suspect", "cannot_tell")
_MOST_ROWS = 50_000
_MOST_MEASURED = 14
"""Fields that a model is fitted with and without, those that tell most first."""
_WORTH_MEASURING = 0.65


@dataclass(frozen=True)
class Finding:
    """The verdict on one field."""

    verdict: Verdict
    evidence: Evidence
    reason: str

    def as_dict(self) -> dict[str, object]:
        """Return it as JSON values."""
        evidence = {
            key: value if value is None else round(value, 4)
            for key, value in asdict(self.evidence).items()
        }
        return {"verdict": self.verdict, "evidence": evidence, "reason": self.reason}


def find_leaks(
    labelled: Labelled, history: History, agreement: Agreement, fields: dict[str, FieldUse]
) -> dict[str, Finding]:
    """Judge every field of `fields`.

    Args:
        labelled: the rows with labels; of more than 50,000 a regular part is judged.
        history: all rows, for the open and the young ones among them.
        agreement: says how values are read.
        fields: the fields to judge, and their kinds.

    """
    if not fields:
        return {}
    never = [
        n
        for n in fields
        if _is_empty(labelled.history.leads, n) and not _is_empty(history.leads, n)
    ]
    labelled, history = _part(labelled), _part_of(history)
    leads, y, crowd = labelled.history.leads, labelled.labels, Crowd.of(history)
    encoder = Encoder.fit(leads, agreement, fields)
    matrix = encoder.encode(leads)
    findings: dict[str, Finding] = {}
    for name, use in fields.items():
        at = [i for i, column in enumerate(encoder.columns) if column.field == name]
        columns = tuple(encoder.columns[i] for i in at)
        field = Exhibit(name, use, leads.column(name), matrix[:, at], columns)
        evidence = weigh(field, y, leads, crowd, agreement)
        verdict, reason = _NEVER if name in never else judge(name, evidence)
        findings[name] = Finding(verdict, evidence, reason)
    usable = {n for n, use in fields.items() if use.use != "no"}
    return _beside_honest_fields(findings, usable, Bench(matrix, encoder.columns, y))


_NEVER: tuple[Verdict, str] = (
    "suspect",
    "no lead whose outcome is known holds a value, so nothing can be learned from it",
)


def _is_empty(leads: Leads, name: str) -> bool:
    return all(cell is None for cell in leads.coded(name).values)


def _part(labelled: Labelled) -> Labelled:
    step = -(-len(labelled.labels) // _MOST_ROWS)
    if step == 1:
        return labelled
    rows = np.arange(0, len(labelled.labels), step)
    return replace(labelled, history=labelled.history.take(rows), labels=labelled.labels[::step])


def _part_of(history: History) -> History:
    step = -(-len(history) // _MOST_ROWS)
    return history if step <= 1 else history.take(np.arange(0, len(history), step))


def _beside_honest_fields(
    findings: dict[str, Finding], usable: set[str], bench: Bench
) -> dict[str, Finding]:
    """Measure the model with and without each field that tells much or is doubted.

    A field that only seemed honest beside its like is found when they are gone; then all is
    measured again.
    """
    measured = dict(findings)
    while True:
        honest = frozenset(n for n in usable if measured[n].verdict == "fine")
        found = {n: _measured(findings[n], n, honest, bench) for n in _worth_measuring(findings)}
        measured |= found
        if all(measured[n].verdict == "fine" for n in honest):
            return measured


def _worth_measuring(findings: dict[str, Finding]) -> list[str]:
    worth = [
        name
        for name, f in findings.items()
        if f.verdict != "fine" or f.evidence.auc_alone >= _WORTH_MEASURING
    ]
    return sorted(worth, key=lambda n: -findings[n].evidence.auc_alone)[:_MOST_MEASURED]


def _measured(finding: Finding, name: str, honest: frozenset[str], bench: Bench) -> Finding:
    without, with_it = bench.auc(honest - {name}), bench.auc(honest | {name})
    evidence = replace(finding.evidence, auc_without=without, auc_with=with_it)
    gain = (with_it - without) / (1 - without) if without < 1 else 0.0
    little = gain < 0.5 or with_it - without < 0.05 or with_it < 0.85
    if little or evidence.auc_alone - 2 * evidence.auc_error < 0.7:
        return replace(finding, evidence=evidence)
    reason, says = _gain_reason(without, with_it), _says(name, evidence)
    if finding.verdict in ("fine", "cannot_tell"):
        unclear = evidence.is_scale and not says and with_it < 0.97
        return Finding("cannot_tell" if unclear else "suspect", evidence, reason)
    if finding.verdict == "suspect" and with_it >= 0.9 and says:
        return Finding("blocked", evidence, reason)
    return replace(finding, evidence=evidence)


def _gain_reason(without: float, with_it: float) -> str:
    return (
        f"with it a model orders the leads with an AUC of {with_it:.2f}, without it with "
        f"{without:.2f}: it tells more than all honest fields leave open"
    )


def judge(name: str, e: Evidence) -> tuple[Verdict, str]:
    """Return the verdict on a field by its name and what it shows alone, and the reason."""
    says = _says(name, e)
    told = (_proved(says, e), _named(says, e), *_noticed(name, e))
    found = [verdict for verdict in told if verdict]
    return min(found, key=lambda verdict: _WORST.index(verdict[0]), default=("fine", _facts(e)))


def _says(name: str, e: Evidence) -> Hint:
    """Return what the name tells of when the field is written; where it is silent, the values."""
    told = e.ending_words >= 0.1 and not is_known_before(name)
    return hint_of(name) or ("noted" if told else "")


def _fills(e: Evidence) -> str:
    return f"filled for {e.filled_won:.0%} of the won leads and {e.filled_lost:.0%} of the others"


def _facts(e: Evidence) -> str:
    return f"AUC {e.auc_alone:.2f} alone, {_fills(e)}"


def _tells(e: Evidence, auc: float) -> bool:
    """Whether the field alone reaches an AUC, and more than chance would."""
    return e.auc_alone >= auc and e.auc_alone - 2 * e.auc_error >= (0.5 + auc) / 2


def _enough(e: Evidence) -> bool:
    return max(e.filled_won, e.filled_lost) >= 0.02


def _proved(says: Hint, e: Evidence) -> tuple[Verdict, str] | None:
    # Honest numbers of public sets reach an AUC of .94; no honest category or flag reaches .9.
    told = says not in ("", "assigned", "other_score")
    if _tells(e, 0.95 if e.is_scale and not told else 0.9):
        return "blocked", f"alone it tells won from lost with an AUC of {e.auc_alone:.2f}"
    one_sided = e.fill_log_ratio >= 3 and e.fill_low >= 1.5 and _enough(e)
    if one_sided or (e.auc_missing >= 0.8 and e.fill_low > 0):
        return "blocked", f"it is {_fills(e)}: whether it is filled gives the outcome away"
    if e.nonzero_low >= 2.5:
        return "blocked", "it is other than zero for one outcome only"
    return None


def _signal(e: Evidence) -> bool:
    return (
        (e.auc_alone >= 0.53 and e.auc_alone - 2 * e.auc_error > 0.5)
        or (e.fill_log_ratio >= 0.5 and e.fill_low > 0 and _enough(e))
        or e.nonzero_low >= 0.5
    )


def _named(hint: Hint, e: Evidence) -> tuple[Verdict, str] | None:
    much = _tells(e, 0.68) or e.fill_low >= 1
    if hint == "ending":
        said = "its name says that it is written when the lead is decided"
        return ("blocked" if much else "suspect"), f"{said}: {_facts(e)}"
    if hint == "assigned" and e.fill_low >= 0.2:
        return "suspect", f"it names who works the lead, and it is {_fills(e)}"
    if hint in ("assigned", "other_score") and _tells(e, 0.58):
        return "cannot_tell", _WHEN[hint]
    if not _signal(e):
        said = f"{_WHEN['worked']}; alone it is not shown to tell won from lost"
        return ("suspect", said) if hint == "worked" and _enough(e) else None
    if hint in ("worked", "noted", "scored"):
        enough = _tells(e, 0.75 if hint == "noted" else 0.72) or e.fill_low >= 1
        return ("blocked" if enough else "suspect"), f"{_WHEN[hint]}, and it tells: {_facts(e)}"
    if hint == "offered" and e.fill_log_ratio >= 0.3 and e.fill_low > 0:
        return "suspect", f"it belongs to an offer, and it is {_fills(e)}"
    return None


_WHEN: dict[Hint, str] = {
    "worked": "its name says that it is written while a lead is worked",
    "noted": "its name or its values say that it may be written while a lead is worked",
    "scored": "its name says that a system watches the lead and renews this",
    "assigned": (
        "it names who works the lead: if that was chosen or changed after the hand-off it knows "
        "the outcome, and no statistic of one export shows when"
    ),
    "other_score": (
        "it looks like the score of another system: if that is written or renewed after the "
        "hand-off it knows the outcome, and no statistic of one export shows when"
    ),
}


def _noticed(name: str, e: Evidence) -> Iterator[tuple[Verdict, str]]:
    # The ends of an honest number that tells much settle the outcome too.
    strong: Verdict = "cannot_tell" if e.is_scale else "suspect"
    if e.after_created is not None and e.after_created >= 0.5 and not is_planned(name):
        told = is_renewed(name) or _tells(e, 0.58) or e.fill_low >= 0.3
        said = f"in {e.after_created:.0%} of the leads it lies after the creation: unless it is "
        said += "a date that the lead planned, it was written later"
        yield ("suspect" if told else "cannot_tell"), said
    if _tells(e, 0.85):
        said = f"alone it orders the leads with an AUC of {e.auc_alone:.2f}, which few honest "
        yield strong, f"{said}fields reach"
    if e.certain_share >= 0.1 and _tells(e, 0.7):
        said = f"{e.certain_share:.0%} of the leads hold a value under which the outcome is all "
        yield strong, f"{said}but certain (AUC {e.auc_alone:.2f} alone)"
    if e.fill_log_ratio >= 1.5 and e.fill_low >= 0.7 and _enough(e):
        yield "suspect", f"it is {_fills(e)}: it may be filled in once the outcome shows"
    if e.filled_won >= 0.97 and e.fill_log_ratio >= 0.45 and e.fill_low >= 0.3:
        yield "suspect", f"it is {_fills(e)}: a sale may not be possible without it"
    # Sales may work first those whose forms are full, so less of a gap asks for more beside it.
    one_sided = e.fill_log_ratio >= 0.7 and e.fill_low >= 0.4
    if e.open_low is not None and e.open_low >= (0.7 if one_sided else 1.5) and _enough(e):
        said = f"it is {_fills(e)}, but for only {e.filled_open or 0:.0%} of the open ones, at "
        yield "suspect", f"{said}equal age: it is filled in while a lead is worked"
