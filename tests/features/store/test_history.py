"""The story of one lead, as the store tells it."""

from __future__ import annotations

from datetime import timedelta

from features.store.database import Store
from features.store.exports import keep_export
from features.store.history import history_of
from tests.features.store.making import MONDAY, NOW, agreed, hand, lost, say
from tests.features.store.test_exports import an_export


def _words(store: Store, id_: str) -> list[tuple[str, str | None]]:
    with store.reading() as connection:
        history = history_of(connection, id_)
    assert history is not None
    return [(word.code, word.reason) for word in history.words]


def test_what_an_export_and_sales_said_alike_is_told_once_in_the_words_of_sales(
    store: Store,
) -> None:
    closed = MONDAY + timedelta(days=3)
    keep_export(store, an_export(["lost", "won"], closed), agreed(), NOW)
    hand(store, "a", "b")
    say(store, lost("a", 3, reason="price"), lost("b", 3, reason="price"))
    assert _words(store, "a") == [("lost", "price")]
    assert sorted(_words(store, "b"), key=str) == [("lost", "price"), ("won", None)]
