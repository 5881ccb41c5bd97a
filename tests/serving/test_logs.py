"""Logs: an allow-list, not good intentions."""

from __future__ import annotations

from serving.logs import only_allowed


def test_a_field_that_is_not_on_the_list_is_dropped() -> None:
    event = only_allowed(None, "info", {"event": "scored", "email": "jane@example.com"})

    assert event == {"event": "scored"}
