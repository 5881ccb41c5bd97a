"""Both sides sign a text of the agreement; another text is a draft again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from features.errors import UsageError
from features.store.agreements import sign, standing
from features.store.database import Store
from features.store.tables import AgreementText, Signature
from tests.features.store.making import NOW, agreed


def count(store: Store, table: type) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def sentence(store: Store, **sections: object) -> str:
    with store.reading() as connection:
        return standing(connection, agreed(**sections)).sentence


def test_a_text_that_nobody_signed_is_a_draft(store: Store) -> None:
    said = f"agreement {agreed().label} is an unsigned draft; sign it with: leadq sign"
    assert sentence(store) == said


def test_the_side_that_is_missing_is_named(store: Store) -> None:
    store.write(lambda c: sign(c, agreed(), "sales", "Kim", NOW))
    assert sentence(store).endswith("signed by sales (Kim, 2026-06-30); marketing has not signed")


def test_a_text_is_agreed_once_both_have_signed(store: Store) -> None:
    for side, by in (("marketing", "Lee"), ("sales", "Kim")):
        store.write(lambda c, side=side, by=by: sign(c, agreed(), side, by, NOW))
    said = "signed by sales (Kim, 2026-06-30) and marketing (Lee, 2026-06-30)"
    assert sentence(store).endswith(said)
    assert count(store, AgreementText) == 1


def test_to_sign_twice_changes_nothing(store: Store) -> None:
    for day in range(2):
        moment = NOW + timedelta(days=day)
        store.write(lambda c, moment=moment: sign(c, agreed(), "sales", " Kim ", moment))
    assert count(store, Signature) == 1
    assert "2026-06-30" in sentence(store)


def test_a_changed_text_is_a_draft_again(store: Store) -> None:
    store.write(lambda c: sign(c, agreed(), "sales", "Kim", NOW))
    assert "is an unsigned draft" in sentence(store, horizon_days=30)


@pytest.mark.parametrize("name", [" ", "x" * 201])
def test_a_signature_needs_a_name(store: Store, name: str) -> None:
    with pytest.raises(UsageError, match="say who signs"):
        store.write(lambda c: sign(c, agreed(), "sales", name, NOW))
