"""What campaigns cost: read with care, kept once for each day, corrected in the open."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from features.errors import UsageError
from features.files import Reject, open_table
from features.leads import Fault
from features.store.database import Store
from features.store.intake import Account, take_spend
from features.store.spend import SpendReader, Spent, book
from features.store.tables import Audit, Spend
from tests.features.store.making import NOW, agreed

DAY = date(2026, 3, 2)


def spent(store: Store) -> list[tuple[Any, ...]]:
    with store.reading() as connection:
        rows = connection.execute(select(Spend).order_by(Spend.campaign, Spend.date))
        return [(row.campaign, str(row.date), row.amount, row.visits) for row in rows]


def audited(store: Store) -> list[tuple[str, str, str]]:
    with store.reading() as connection:
        return [(row.who, row.act, row.what) for row in connection.execute(select(Audit))]


def keep(store: Store, *items: Spent, who: str = "kim") -> list[str]:
    return list(store.write(lambda c: book(c, items, who, NOW)))


def take(store: Store, folder: Path, text: str, **sections: Any) -> tuple[Account, list[Reject]]:
    (folder / "spend.csv").write_text(text, encoding="utf-8")
    agreement, rejects = agreed(**sections), list[Reject]()
    table = open_table(folder / "spend.csv", agreement.export)
    return take_spend(store, table, agreement, NOW, rejects.append), rejects


def test_the_same_spend_twice_adds_nothing(store: Store) -> None:
    assert keep(store, Spent("Fair", DAY, 10.0, 5)) == ["stored"]
    assert keep(store, Spent("Fair", DAY, 10.0, 5)) == ["repeated"]
    assert spent(store) == [("Fair", "2026-03-02", 10.0, 5)]
    assert audited(store) == []


def test_a_correction_replaces_the_amount_and_is_in_the_audit_log(store: Store) -> None:
    keep(store, Spent("Fair", DAY, 10.0, 5))
    assert keep(store, Spent("Fair", DAY, 12.5)) == ["replaced"]
    assert spent(store) == [("Fair", "2026-03-02", 12.5, 5)]
    assert audited(store) == [("kim", "spend replaced", "Fair, 2026-03-02: 10.00 became 12.50")]


def test_visits_that_come_later_are_added_and_audited(store: Store) -> None:
    keep(store, Spent("Fair", DAY, 10.0))
    assert keep(store, Spent("Fair", DAY, 10.0, 7)) == ["replaced"]
    assert spent(store) == [("Fair", "2026-03-02", 10.0, 7)]
    assert "(7 visits)" in audited(store)[0][2]


def test_spellings_of_a_campaign_are_one(store: Store) -> None:
    keep(store, Spent("Spring Fair", DAY, 10.0))
    assert keep(store, Spent("spring  fair", DAY, 10.0), Spent("SPRING FAIR", DAY, 10.0)) == [
        "repeated",
        "repeated",
    ]
    assert len(spent(store)) == 1


def test_new_spend_may_be_repeated_within_one_file(store: Store) -> None:
    assert keep(store, Spent("Fair", DAY, 1.0), Spent("fair", DAY, 1.0)) == ["stored", "repeated"]


def test_good_rows_beside_bad_ones_go_on(store: Store, tmp_path: Path) -> None:
    text = (
        "campaign,date,amount,visits\nFair,2026-03-02,10,5\n,2026-03-02,1,\nFair,someday,1,\n"
        "Fair,2026-03-03,-4,\nFair,2026-03-04,,\nFair,2026-03-05,3,2.5\nFair,2027-01-01,3,\n"
        "Mail,2026-03-02,0,\n"
    )
    account, rejects = take(store, tmp_path, text)
    assert (account.read, account.stored, account.refused) == (8, 2, 6)
    assert [(reject.line, reject.field) for reject in rejects] == [
        (3, "campaign"),
        (4, "date"),
        (5, "amount"),
        (6, "amount"),
        (7, "visits"),
        (8, "date"),
    ]
    assert spent(store) == [("Fair", "2026-03-02", 10.0, 5), ("Mail", "2026-03-02", 0.0, None)]


def test_a_file_taken_again_changes_nothing(store: Store, tmp_path: Path) -> None:
    text = "Campaign name;Day;Cost\nFair;02.03.2026;1.234,50\n"
    european = {"export": {"decimal": ",", "day_first": True}}
    assert take(store, tmp_path, text, **european)[0].stored == 1
    assert take(store, tmp_path, text, **european)[0].repeated == 1
    assert spent(store) == [("Fair", "2026-03-02", 1234.5, None)]


def test_two_amounts_for_one_day_in_one_file_are_told_not_guessed(
    store: Store, tmp_path: Path
) -> None:
    account, rejects = take(
        store, tmp_path, "campaign,date,amount\nFair,2026-03-02,10\nfair,2026-03-02,20\n"
    )
    assert (account.stored, account.refused) == (1, 1)
    assert "make one row of them with the sum" in rejects[0].reason
    assert spent(store)[0][2] == 10.0


def test_dates_of_both_orders_in_one_file_are_not_guessed(store: Store, tmp_path: Path) -> None:
    text = "campaign,date,amount\nFair,13/03/2026,1\nFair,03/04/2026,1\n"
    account, rejects = take(store, tmp_path, text)
    assert account.refused == 2
    assert "both orders" in rejects[1].reason


def test_a_file_without_an_amount_is_named_with_the_cure(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no column for amount .* columns campaign, date, amount"):
        take(store, tmp_path, "campaign,date\nFair,2026-03-02\n")


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ("Fair", ""),
        ({"campaign": "Fair", "date": "2026-03-02"}, "amount"),
        ({"campaign": "Fair", "date": "2026-03-02", "amount": "NaN"}, "amount"),
        ({"campaign": "Fair", "date": "2026-03-02", "amount": 1e300}, "amount"),
        ({"campaign": {"is": "Fair"}, "date": "2026-03-02", "amount": 1}, "campaign"),
        ({"campaign": ["Fair", "Expo"], "date": "2026-03-02", "amount": 1}, "campaign"),
        ({"campaign": "x" * 201, "date": "2026-03-02", "amount": 1}, "campaign"),
        ({"campaign": "Fair", "date": "2026-03-02", "amount": 1, "euro": 2}, "euro"),
        ({"campaign": "Fair", "date": "2026-03-02", "amount": 1, "cost": 2}, "cost"),
        ({"campaign": "Fair", "date": "2026-03-02", "amount": True}, "amount"),
        ({"campaign": "Fair", "date": "2026-03-02", "amount": 1, "visits": "many"}, "visits"),
    ],
)
def test_what_cannot_be_read_is_a_fault_of_its_field(item: Any, field: str) -> None:
    found = SpendReader(agreed(), NOW).item(item)
    assert isinstance(found, Fault)
    assert found.field == field
    assert found.reason
