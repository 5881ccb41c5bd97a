"""The agreement in words: what was signed, how versions differ, what a change would do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import tomli_w

from features.agreement import Agreement, from_dict
from features.counted import counted
from features.sections import DISPOSITIONS
from features.store.agreements import Signing, signings, texts
from features.store.database import Store
from features.store.proposed import (
    Became,
    Scored,
    counted_by_score,
    first_scores,
    hindsight_of,
    hindsight_scores,
)
from serving.document import Section, Table
from serving.rates import Interval, wilson
from serving.shown import moment, plain

_LOOKED_BACK = timedelta(days=91)
_WORKING_DAYS = 5 / 7
GRADES = ("A", "B", "C", "D")


@dataclass(frozen=True)
class Signed:
    """Who signed which texts, and the texts."""

    signings: Sequence[Signing]
    texts: Mapping[str, dict[str, Any]]
    """By digest, the oldest first."""


def signed(store: Store) -> Signed:
    """Read what was signed."""
    with store.reading() as connection:
        return Signed(signings(connection), texts(connection))


def in_words(agreement: Agreement, found: Signed) -> list[Section]:
    """Return what both sides agreed on, who signed it, and how it came about."""
    return [
        _signatures(agreement, found),
        _bar(agreement),
        _promises(agreement),
        _outcomes(agreement),
        _who_gets(agreement),
        *_versions(agreement, found),
        _leads(agreement),
    ]


def _leads(agreement: Agreement) -> Section:
    columns = agreement.columns
    used = agreement.used_fields()
    unquestioned = [name for name, field in used.items() if not field.why]
    named = (columns.campaign, "campaign"), (columns.source, "source"), (columns.value, "value")
    says = [
        f"A lead is a row with an id in {columns.id!r}. It counts as won where it is won within "
        f"{counted(agreement.horizon_days, 'day')} of its creation.",
        f"To predict, {len(used)} of {len(agreement.fields)} fields are used; the others are known "
        "too late, are personal, or nobody has decided.",
    ]
    says += [f"The {what} stands in {name!r}." for name, what in named if name]
    says += [f"Used: {', '.join(unquestioned)}."] if unquestioned else []
    rows = tuple((name, field.kind, field.why) for name, field in used.items() if field.why)
    table = Table("Used in spite of doubt", ("field", "kind", "why it is honest"), rows,
                  words=("kind", "why it is honest"))  # fmt: skip
    return Section("A lead", tuple(says), (table,) if rows else ())


def _outcomes(agreement: Agreement) -> Section:
    rows = tuple(
        (plain(code), ", ".join(getattr(agreement.outcomes, code)) or "–",
         _TEACHES[getattr(agreement.learning, code)])
        for code in DISPOSITIONS
    )  # fmt: skip
    columns = ("what became of it", "said as", "counts as")
    table = Table("What the CRM says, and what it means", columns, rows, words=columns[1:])
    back = agreement.recycle
    says = (
        f"Leads that are not ready come back after {counted(back.not_ready_after_days, 'day')}, "
        f"those not reached after {back.unreachable_after_days}, those in a contract "
        f"{counted(back.in_contract_ahead_days, 'day')} before it ends, unless sales names a day.",
    )
    return Section("What became of it", says, (table,))


_TEACHES = {"positive": "won", "negative": "not won", "censored": "not yet known"}


def _bar(agreement: Agreement) -> Section:
    grades = agreement.grades
    bounds = (("A", grades.A), ("B", grades.B), ("C", grades.C))
    bar = agreement.bar.mql_probability
    says = (
        f"An MQL is a lead whose probability to be won is at least {bar:.1%}. "
        f"Leads graded {agreement.bar.handoff_grade} or better are handed to sales, which can work "
        f"{agreement.capacity.leads_per_day} a day; {agreement.exploration.share:.0%} of the calls "
        "are drawn by lot from the others.",
    )
    rows = (*((g, f"{bound:.1%}") for g, bound in bounds), ("D", f"below {grades.C:.1%}"))
    return Section("A good lead", says, (Table("Grades", ("grade", "probability from"), rows),))


def _promises(agreement: Agreement) -> Section:
    sales, marketing = agreement.sla.sales, agreement.sla.marketing
    return Section(
        "What each side promises",
        (
            f"Marketing brings {counted(marketing.leads_graded_a_or_b_per_month, 'lead')} graded A "
            "or B a month.",
            f"Sales touches each lead within {sales.first_touch_hours:g} "
            f"hour{'' if sales.first_touch_hours == 1 else 's'} of the hand-off, and says what "
            f"became of it within {counted(sales.disposition_days, 'day')}.",
        ),
    )


def _who_gets(agreement: Agreement) -> Section:
    routes = tuple(
        (r.owner, r.team or "–", "; ".join(_rule(rule) for rule in r.all) or "everybody else's")
        for r in agreement.routes
    )
    personas = tuple(
        (p.name, "; ".join(_rule(rule) for rule in p.all), p.material or "–")
        for p in agreement.personas
    )
    tables = []
    if routes:
        columns = ("owner", "team", "gets leads where")
        tables.append(Table("Who gets a lead", columns, routes, words=columns[1:]))
    if personas:
        columns = ("persona", "are leads where", "material")
        tables.append(Table("Customers that both sides want", columns, personas, words=columns[1:]))
    says = () if tables else ("Nobody agreed yet who gets which leads.",)
    return Section("Who gets it", says, tuple(tables))


def _rule(rule: Any) -> str:
    told = rule.model_dump(exclude_defaults=True, by_alias=True)
    name = told.pop("field")
    conditions = (f"{word.replace('_', ' ')} {_plain(value)}" for word, value in told.items())
    return f"{name} {' and '.join(conditions)}".strip()


def _signatures(agreement: Agreement, found: Signed) -> Section:
    own = {s.side for s in found.signings if s.digest == agreement.digest}
    missing = [side for side in ("sales", "marketing") if side not in own]
    says = f"The agreement that holds now is {agreement.label}"
    says += ", signed by both sides." if not missing else (
        f"; {' and '.join(missing)} {'have' if len(missing) > 1 else 'has'} not signed it. "
        "Sign it with: leadq sign"
    )  # fmt: skip
    rows = tuple((s.label, s.side, s.by, moment(s.at)) for s in reversed(found.signings))
    table = Table("Signatures", ("agreement", "side", "by", "at"), rows,
                  words=("side", "by", "at"))  # fmt: skip
    return Section("Who signed it", (says,), (table,) if rows else ())


def _versions(agreement: Agreement, found: Signed) -> Iterator[Section]:
    known = {**found.texts, agreement.digest: agreement.as_dict()}
    named = [(f"{text['version']}-{digest[:8]}", text) for digest, text in known.items()]
    tables = []
    for (old, before), (new, after) in zip(named[-2::-1], named[:0:-1], strict=True):
        told = ((" › ".join(map(plain, key.split("."))), *rest)
                for key, *rest in differences(before, after))  # fmt: skip
        rows = tuple(told) or (("nothing", "–", "–"),)
        columns = ("what", "before", "after")
        tables.append(Table(f"From {old} to {new}", columns, rows, words=columns[1:]))
    if tables:
        yield Section("What changed between versions", (), tuple(tables))


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], within: str = ""
) -> Iterator[tuple[str, str, str]]:
    """Yield what differs between two texts: the key, and both values in words."""
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        name = f"{within}.{key}" if within else key
        if isinstance(old, dict) and isinstance(new, dict):
            yield from differences(old, new, name)
        elif old != new:
            yield name, _plain(old), _plain(new)


def _plain(value: Any) -> str:
    if value is None or value == []:
        return "–"
    if isinstance(value, list):
        return ", ".join(_plain(each) for each in value)
    if isinstance(value, dict):
        return "; ".join(f"{k} {_plain(v)}" for k, v in value.items() if v not in (None, [], ""))
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Band:
    """Past leads of a grade."""

    grade: str
    leads: int
    won: Interval | None
    """Share won of those that sales decided."""


@dataclass(frozen=True)
class Would:
    """What an agreement would have meant for past leads."""

    leads: int
    mqls: int
    mql_won: Interval | None
    """Share won of the MQLs that sales decided."""
    handed: int
    handed_a_day: float
    """For each working day."""
    capacity: int
    grades: tuple[Band, ...]


@dataclass(frozen=True)
class PastScores:
    """The leads of a quarter whose horizon is over, by their score, and what became of them."""

    given: Sequence[Became]
    """By the first score that they were given in that quarter."""
    hindsight: Sequence[Became]
    """Those that came in then and had none, by what a model of a past day says of them."""
    day: date | None
    """The day of that model; None without one."""

    @property
    def leads(self) -> list[Became]:
        """All of them."""
        return [*self.given, *self.hindsight]

    @property
    def in_hindsight(self) -> int:
        """How many were scored by nobody then."""
        return sum(one.leads for one in self.hindsight)


def past_scores(store: Store, agreement: Agreement, now: datetime) -> PastScores:
    """Read the scores of a quarter whose horizon is over, and what became of the leads."""
    until = now - timedelta(days=agreement.horizon_days)
    span = (until - _LOOKED_BACK, until, now)
    with store.reading() as connection:
        given, later = first_scores(connection, *span), hindsight_scores(connection, *span)
        return PastScores(given, later, hindsight_of(connection))


def read_anew(
    found: Sequence[Became], agreement: Agreement, proposal: Agreement
) -> tuple[list[Became], int]:
    """Give past leads the meaning that a proposal gives the CRM's words.

    A word of which only the meaning is known, since a person said it on a page or it was kept by
    an older leadq, is taken for the CRM's where all words of that meaning become the same.

    Returns:
        The leads, and how many keep their meaning because nobody knows their word.

    """
    now: dict[str, str] = dict(agreement.raw_outcomes())
    then: dict[str, str] = now | dict(proposal.raw_outcomes())
    moved = {raw: then[raw] for raw, code in now.items() if then[raw] != code}
    read, unknown = list[Became](), 0
    for one in found:
        code, own = one.code, {then[raw] for raw, was in now.items() if was == one.code}
        if one.told is not None:
            code = moved.get(one.told, code)
        elif len(own) == 1:
            (code,) = own
        elif own:
            unknown += one.leads
        read.append(one._replace(code=code))
    return read, unknown


def would(agreement: Agreement, found: Sequence[Became]) -> Would:
    """Say what an agreement would have meant for past leads."""
    scored = counted_by_score(found)
    mqls = [s for s in scored if s.at_least >= agreement.bar.mql_probability - 1e-9]
    by_grade = {g: [s for s in scored if _grade(agreement, s) == g] for g in GRADES}
    handed = sum(s.leads for g in GRADES if g <= agreement.bar.handoff_grade for s in by_grade[g])
    return Would(
        leads=sum(s.leads for s in scored),
        mqls=sum(s.leads for s in mqls),
        mql_won=_won(mqls),
        handed=handed,
        handed_a_day=handed / (_LOOKED_BACK.days * _WORKING_DAYS),
        capacity=agreement.capacity.leads_per_day,
        grades=tuple(
            Band(g, sum(s.leads for s in part), _won(part)) for g, part in by_grade.items()
        ),
    )


def _grade(agreement: Agreement, scored: Scored) -> str:
    return agreement.grades.of(scored.at_least + 1e-9)


def _won(part: Sequence[Scored]) -> Interval | None:
    decided = sum(s.decided for s in part)
    return wilson(sum(s.won for s in part), decided) if decided else None


def proposed(agreement: Agreement, changes: Mapping[str, Any]) -> Agreement:
    """Return the next version of an agreement with some sections changed.

    Args:
        agreement: the one that holds.
        changes: new values by section and key, such as {"grades": {"A": 0.4}}.

    Raises:
        AgreementError: when it does not hold together.

    """
    text: dict[str, Any] = agreement.model_dump(mode="json", by_alias=True, exclude_none=True)
    for section, values in changes.items():
        text[section] = {**text[section], **values}
    return from_dict({**text, "version": agreement.version + 1}, "the proposal")


def as_toml(agreement: Agreement) -> str:
    """Return an agreement as a file that `leadq sign` takes."""
    text = agreement.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude_defaults=True
    )
    return (
        "# A proposal from the pages of leadq: not signed, and in force for nobody yet.\n"
        "# Put it in the place of agreement.toml, read it, and sign it: leadq sign\n\n"
        f"{tomli_w.dumps(text)}"
    )
