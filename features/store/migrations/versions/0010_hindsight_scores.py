"""What a model of a past day says of leads that came in later stands apart from scores given."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Take the step."""
    counted = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "hindsight_scores",
        sa.Column("lead", counted, autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("model", sa.String(length=16), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["lead"], ["leads.key"], name=op.f("fk_hindsight_scores_lead")),
        sa.PrimaryKeyConstraint("lead", name=op.f("pk_hindsight_scores")),
    )
    op.create_index(op.f("ix_hindsight_scores_at"), "hindsight_scores", ["at"], unique=False)
