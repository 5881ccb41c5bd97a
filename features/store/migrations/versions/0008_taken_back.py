"""What was taken back counts nowhere; found by an index of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Take the step; what is drawn from words is drawn anew when the store is opened."""
    taken_back = sa.text("code = 'open' AND origin = 'page'")
    op.create_index(
        "ix_dispositions_taken_back",
        "dispositions",
        ["lead"],
        unique=False,
        sqlite_where=taken_back,
        postgresql_where=taken_back,
    )
