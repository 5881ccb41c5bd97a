"""Each lead as it stands now, on one line; scores by their moment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Take the step."""
    counted = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "lead_states",
        sa.Column("lead", counted, autoincrement=False, nullable=False),
        sa.Column("created", sa.DateTime(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("scored", sa.DateTime(), nullable=True),
        sa.Column("model", sa.String(length=16), nullable=True),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("expected_value", sa.Float(), nullable=True),
        sa.Column("grade", sa.String(length=1), nullable=True),
        sa.Column("snapshot", counted, nullable=True),
        sa.Column("word", counted, nullable=True),
        sa.Column("code", sa.String(length=16), nullable=True),
        sa.Column("told", sa.Text(), nullable=True),
        sa.Column("said", sa.DateTime(), nullable=True),
        sa.Column("ended", sa.DateTime(), nullable=True),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("return_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("stepped", sa.DateTime(), nullable=True),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.Column("handed", sa.DateTime(), nullable=True),
        sa.Column("erased", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["lead"], ["leads.key"], name=op.f("fk_lead_states_lead")),
        sa.PrimaryKeyConstraint("lead", name=op.f("pk_lead_states")),
    )
    op.execute(_FILL)
    for column in ("created", "scored", "code"):
        op.create_index(op.f(f"ix_lead_states_{column}"), "lead_states", [column], unique=False)
    op.create_index(op.f("ix_scores_at"), "scores", ["at"], unique=False)


# Frozen as of this step; `features.store.lead_states` draws the lines from now on.
_FILL = """
WITH words AS (
  SELECT key, lead, at, code, told, closed, value, reason, return_on, origin, ROW_NUMBER() OVER (
    PARTITION BY lead ORDER BY at DESC, CASE code
      WHEN 'won' THEN 6 WHEN 'lost' THEN 5 WHEN 'unqualified' THEN 4 WHEN 'in_contract' THEN 3
      WHEN 'not_ready' THEN 2 WHEN 'unreachable' THEN 1 ELSE 0 END DESC,
      CASE WHEN origin = 'export' THEN 0 ELSE 1 END DESC, digest DESC) AS place
  FROM dispositions WHERE code NOT IN ('contacted', 'accepted', 'qualified', 'opportunity')
), said AS (
  SELECT lead,
    MAX(CASE WHEN code IN ('contacted', 'accepted', 'qualified', 'opportunity') THEN at END)
      AS stepped,
    MAX(CASE WHEN code IN ('accepted', 'qualified', 'opportunity') THEN 1 ELSE 0 END) AS accepted
  FROM dispositions GROUP BY lead
), scored AS (
  SELECT lead, at, model, probability, expected_value, grade, snapshot,
    ROW_NUMBER() OVER (PARTITION BY lead ORDER BY at, key) AS place FROM scores
), handed AS (
  SELECT lead, MAX(at) AS at FROM handoffs GROUP BY lead
)
INSERT INTO lead_states (lead, created, campaign, source, scored, model, probability,
  expected_value, grade, snapshot, word, code, told, said, ended, value, return_on, reason, stepped,
  accepted, handed, erased)
SELECT l.key, COALESCE(l.created, l.added), l.campaign, l.source, s.at, s.model, s.probability,
  s.expected_value, s.grade, s.snapshot, w.key, w.code, w.told, w.at,
  COALESCE(CASE WHEN w.origin = 'export' THEN w.closed END, w.at),
  CASE WHEN w.code = 'won' THEN COALESCE(w.value, (SELECT MAX(d.value) FROM dispositions d
    WHERE d.lead = w.lead AND d.at = w.at AND d.code = 'won')) END,
  w.return_on, w.reason, t.stepped, COALESCE(t.accepted, 0), h.at,
  CASE WHEN l.erased IS NULL THEN 0 ELSE 1 END
FROM leads l
LEFT JOIN scored s ON s.lead = l.key AND s.place = 1
LEFT JOIN words w ON w.lead = l.key AND w.place = 1
LEFT JOIN said t ON t.lead = l.key
LEFT JOIN handed h ON h.lead = l.key
"""
