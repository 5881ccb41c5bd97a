"""One answer a week from each who answers for a side; the newest of those that met stays."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Take the step."""
    op.execute(
        """
        DELETE FROM answers WHERE key NOT IN (
          SELECT MAX(key) FROM answers GROUP BY week, side, by
        )
        """
    )
    op.drop_index(op.f("ix_answers_week"), table_name="answers")
    op.create_index(op.f("ix_answers_week_side_by"), "answers", ["week", "side", "by"], unique=True)
