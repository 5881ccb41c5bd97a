"""Leads that lately got as far as a step are found by an index, and not by looking at all."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Take the step."""
    for column in ("sal", "sql", "opportunity"):
        op.create_index(op.f(f"ix_lead_states_{column}"), "lead_states", [column], unique=False)
