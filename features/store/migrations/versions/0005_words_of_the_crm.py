"""By which word the CRM told what sales said: so that another meaning can be tried on the past."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Take the step."""
    op.add_column("dispositions", sa.Column("told", sa.Text(), nullable=True))
