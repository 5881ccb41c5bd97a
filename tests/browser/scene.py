"""What the browser looks at: 100,000 leads of a simulated CRM, and a few that are hard to show."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from features.agreement import Agreement
from features.store.agreements import sign
from features.store.answering import add_note
from features.store.database import Store
from features.store.feedback import keep
from features.store.handoffs import Handover, hand_over
from features.store.meetings import answer, decide
from features.store.said import Said
from features.store.scores import Given, add_scores
from features.store.tables import Disposition, Handoff, Lead, Promotion, Snapshot, Spend
from features.store.worklist import refresh
from serving.artefact import LoadedModel
from serving.scorekeeper import score_listed
from tests.features.store.making import agreed, some_leads
from tests.features.store.simulated import filled
from tests.serving.small import small_model

NOW = datetime(2026, 11, 18, 14, 30)
"""A Wednesday."""
LEADS = 100_000
EVIL = (
    '<script>alert(1)</script> <img src=x onerror=alert(2)> \u202e=HYPERLINK("http://evil.example")'
)
"""Runs, calls home or turns the text around where it is not shown as text."""
FORMULA = '=HYPERLINK("http://evil.example","A") \u202e<script>alert(1)</script>'
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft " * 3
_KNOWN = ("company", "industry", "visits", "email", "phone", "job_title", "products")
_LATELY = timedelta(days=4)


def the_agreement(version: int = 2, **sections: Any) -> Agreement:
    """What both sides agreed on in the scene."""
    columns = {"id": "id", "outcome": "status", "created": "created", "closed": "closed"}
    columns |= {"campaign": "campaign", "source": "source", "called": "company"}
    columns |= {"product": "products", "nurture": "drip"}
    uses = {"industry": "category", "visits": "number"}
    fields = {name: {"use": "yes", "kind": kind} for name, kind in uses.items()}
    fields |= {name: {"use": "no", "kind": name} for name in ("email", "phone")}
    said: dict[str, Any] = {
        "version": version,
        "columns": columns,
        "fields": fields,
        "outcomes": {"won": ["Won"], "lost": ["Lost", "No budget"], "unreachable": ["No answer"]},
        "grades": {"A": 0.25, "B": 0.12, "C": 0.06},
        "capacity": {"leads_per_day": 40},
        "routes": [
            {"owner": "Lee", "all": [{"field": "industry", "is": ["Trade"]}]},
            {"owner": "Kim"},
        ],
        "personas": [
            {"name": "Makers", "all": [{"field": "industry", "is": ["Software"]}],
             "material": "https://example.com/makers"},
            {"name": EVIL, "all": [{"field": "industry", "is": [EVIL]}], "material": EVIL},
        ],
    }  # fmt: skip
    return agreed(**(said | sections))


def the_model() -> LoadedModel:
    """A small model with all that its page shows of a large one."""
    small = small_model("7")
    steps = [n / 10 for n in range(11)]
    gain = [min(1.0, 1.6 * x) for x in steps]
    bins = [(x, x * 0.9, x * 0.7, x * 1.2, 100) for x in (0.02, 0.05, 0.1, 0.2, 0.4)]
    backtest = {"roc_auc": 0.78, "roc_auc_low": 0.75, "roc_auc_high": 0.81, "mean_actual": 0.11}
    backtest |= {"lift_top_tenth": 2.9, "actual_to_predicted": 0.97}
    shown = {
        "gain": (steps, gain, [0.9 * y for y in gain], [min(1.0, 1.1 * y) for y in gain]),
        "calibration": bins,
        "drivers": {"industry": 0.6, "visits": 0.4},
        "leaks": {"close_reason": "blocked", EVIL: "suspect"},
    }
    facts = {"as_of": "2026-06-01T00:00:00", "caution": "", "shown": shown, "leads": 40_000}
    facts |= {"won": 4_500, "evaluation": backtest, "verdict": "the model scores: it is better"}
    return replace(small, artefact=replace(small.artefact, facts=facts))


def played(store: Store, leads: int = LEADS) -> None:
    """Fill a store with the scene."""
    told = filled(store, leads=leads, end=NOW.date() - timedelta(days=1)).export
    names = [name for name in _KNOWN if name in told]
    agreement = the_agreement()

    def fill(connection: Connection) -> None:
        _know(connection, told, names)
        _hand_over(connection, agreement)
        _hard_to_show(connection, agreement)
        _meet(connection, agreement)

    store.write(fill)
    while score_listed(store, the_model(), NOW):
        pass


def _know(connection: Connection, told: Any, names: list[str]) -> None:
    """Say what is known of the leads that were handed over lately, and list them."""
    handed = select(Handoff.lead).where(Handoff.at >= NOW - _LATELY)
    keys = sorted(set(connection.execute(handed).scalars()))
    known = [
        {"own": key, "told": json.dumps({n: c for n in names if (c := told[n][key - 1])})}
        for key in keys
    ]
    own = Snapshot.__table__.c.key == bindparam("own")
    connection.execute(
        update(Snapshot.__table__).where(own).values(fields=bindparam("told")), known
    )
    refresh(connection, keys)


def _hand_over(connection: Connection, agreement: Agreement) -> None:
    """Hand Kim forty leads; one of them was drawn by lot, one became better known today."""
    for i in range(40):
        at = NOW - timedelta(hours=1 + i, days=2 if i == 3 else 0)
        kind = "Software" if i % 3 else "Trade"
        known = {"visits": str(i % 20), "industry": kind, "phone": f"+4530{i:06}"}
        known |= {"created": at.isoformat()}
        leads = some_leads(f"lead-{i:02}", **known, campaign="Spring fair")
        hand_over(connection, leads, agreement, [Handover(at, "Kim", "north")], NOW)
    again = some_leads("lead-03", visits="19", industry="Trade", created=NOW.isoformat())
    hand_over(connection, again, agreement, [Handover(NOW, "Kim", "north")], NOW)
    drawn, at = some_leads("by-lot", visits="1", industry="Trade"), NOW - timedelta(hours=2)
    add_scores(connection, drawn, Given("1", [0.02], ["D"], ["exploration"], [0.1]), agreement, at)
    hand_over(connection, drawn, agreement, [Handover(at, "Kim", "north")], NOW)


def _hard_to_show(connection: Connection, agreement: Agreement) -> None:
    """Leads, campaigns, owners and words with markup, formulas, turned and very long texts."""
    for n, name in enumerate((EVIL, FORMULA, LONG.strip()[:190])):
        hard_to_show(connection, agreement, name, n, EVIL)


def hard_to_show(
    connection: Connection, agreement: Agreement, name: str, n: int, known: str
) -> None:
    """Let a text stand in each field of a lead that waits, one that comes back, a rejected one.

    Args:
        connection: to the store.
        agreement: by which they are kept.
        name: the text, as an id can hold it.
        n: how many came before, which keeps their times apart.
        known: the text in what is known of them.

    """
    at = NOW - timedelta(hours=3 + n)
    fields = {
        "created": (at - timedelta(days=91)).isoformat(),
        "industry": known,
        "visits": "12",
        "company": name,
        "email": f"{name}@x.example",
    }
    leads = some_leads(name, **fields, campaign=name, source=name, drip=name, products=name)
    hand_over(connection, leads, agreement, [Handover(at, name, name)], NOW)
    gone = some_leads(f"back {name}"[:190], **fields, campaign=name)
    earlier = at - timedelta(days=90)
    add_scores(connection, gone, Given("1", [0.6], ["A"]), agreement, earlier)
    hand_over(connection, gone, agreement, [Handover(earlier, name, name)], NOW)
    returns = (NOW + timedelta(days=n % 3)).date()
    said = Said(f"back {name}"[:190], "not_ready", at, name, None, name, returns)
    keep(connection, [said], agreement, "rest", NOW)
    add_note(connection, name, name, name, "key", NOW)
    cost = {"campaign": name, "date": NOW.date(), "amount": 900.0, "visits": 70}
    connection.execute(insert(Spend), [cost])
    rejected = some_leads(f"bad {name}"[:190], **fields, campaign=name)
    add_scores(connection, rejected, Given("1", [0.6], ["A"]), agreement, at)
    hand_over(connection, rejected, agreement, [Handover(at, name, name)], NOW)
    word = Said(f"bad {name}"[:190], "unqualified", NOW, name, None, name)
    keep(connection, [word], agreement, "rest", NOW)


def _meet(connection: Connection, agreement: Agreement) -> None:
    """Both sides signed, decided and said how it goes; versions followed one another."""
    for text, at in ((the_agreement(1, capacity={"leads_per_day": 50}), 40), (agreement, 20)):
        for side, name in (("sales", "Kim"), ("marketing", EVIL)):
            sign(connection, text, side, name, NOW - timedelta(days=at))  # type: ignore[arg-type]
    long_ago = NOW - timedelta(days=15)
    missed, due = (long_ago + timedelta(days=9)).date(), (NOW + timedelta(days=9)).date()
    decide(connection, EVIL, EVIL, missed, EVIL, "Kim", "key", long_ago)
    decide(connection, "Ask for the budget", "Mia", due, "Sales asks", "Mia", "key", long_ago)
    for week in (44, 45, 46):
        answer(connection, f"2026-W{week}", "sales", week % 5 + 1, EVIL, "Kim", "key", NOW)
        answer(connection, f"2026-W{week}", "marketing", 3, "slow", "Mia", "key", NOW)
    row = {"at": NOW - timedelta(days=30), "model": "1", "digest": "0" * 64, "previous": None}
    connection.execute(insert(Promotion), [row | {"act": "train", "why": f"first {EVIL}"}])


def words_on(store: Store, id_: str) -> list[str]:
    """What sales said of a lead, the oldest first."""
    told = select(Disposition.code).join(Lead, Lead.key == Disposition.lead).where(Lead.id == id_)
    with store.reading() as connection:
        return list(connection.execute(told.order_by(Disposition.key)).scalars())
