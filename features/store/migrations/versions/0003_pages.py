"""What the pages need: the worklist of sales, notes, decisions, answers, what a score is worth."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Take the step."""
    counted = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("scores", sa.Column("expected_value", sa.Float(), nullable=True))
    op.create_table(
        "worklist",
        sa.Column("lead", counted, autoincrement=False, nullable=False),
        sa.Column("handed", sa.DateTime(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("team", sa.Text(), nullable=True),
        sa.Column("campaign", sa.Text(), nullable=True),
        sa.Column("touched", sa.DateTime(), nullable=True),
        sa.Column("step", sa.String(length=16), nullable=True),
        sa.Column("scored", sa.DateTime(), nullable=True),
        sa.Column("model", sa.String(length=16), nullable=True),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("expected_value", sa.Float(), nullable=True),
        sa.Column("grade", sa.String(length=1), nullable=True),
        sa.Column("lane", sa.String(length=16), nullable=True),
        sa.Column("worth", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["lead"], ["leads.key"], name=op.f("fk_worklist_lead")),
        sa.PrimaryKeyConstraint("lead", name=op.f("pk_worklist")),
    )
    op.create_index(op.f("ix_worklist_worth_lead"), "worklist", ["worth", "lead"], unique=False)
    op.create_table(
        "notes",
        sa.Column("key", counted, nullable=False),
        sa.Column("campaign", sa.Text(), nullable=True),
        sa.Column("lead", counted, nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["lead"], ["leads.key"], name=op.f("fk_notes_lead")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_notes")),
    )
    op.create_index(op.f("ix_notes_campaign_at"), "notes", ["campaign", "at"], unique=False)
    op.create_index(op.f("ix_notes_lead"), "notes", ["lead"], unique=False)
    op.create_table(
        "decisions",
        sa.Column("key", counted, nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("due", sa.Date(), nullable=False),
        sa.Column("consequence", sa.Text(), nullable=False),
        sa.Column("done_at", sa.DateTime(), nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_decisions")),
    )
    op.create_table(
        "answers",
        sa.Column("key", counted, nullable=False),
        sa.Column("week", sa.String(length=8), nullable=False),
        sa.Column("side", sa.String(length=16), nullable=False),
        sa.Column("mark", sa.Integer(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_answers")),
    )
    op.create_index(op.f("ix_answers_week"), "answers", ["week"], unique=False)
    op.execute(_FILL)


# Frozen as of this step; `features.store.worklist` keeps the list from now on. What was scored
# before it has no value yet and stands by its probability. A word at midnight is one of which only
# the day was told: it counts for the hand-offs of its day.
_FILL = """
WITH words AS (
  SELECT lead, at, code, ROW_NUMBER() OVER (
    PARTITION BY lead ORDER BY at DESC, CASE code
      WHEN 'won' THEN 6 WHEN 'lost' THEN 5 WHEN 'unqualified' THEN 4 WHEN 'in_contract' THEN 3
      WHEN 'not_ready' THEN 2 WHEN 'unreachable' THEN 1 ELSE 0 END DESC) AS place
  FROM dispositions WHERE code NOT IN ('contacted', 'accepted', 'qualified', 'opportunity')
), steps AS (
  SELECT lead, at, code, ROW_NUMBER() OVER (PARTITION BY lead ORDER BY at DESC, key DESC) AS place
  FROM dispositions WHERE code IN ('contacted', 'accepted', 'qualified', 'opportunity')
), handed AS (
  SELECT lead, at, owner, team,
    ROW_NUMBER() OVER (PARTITION BY lead ORDER BY at DESC) AS place FROM handoffs
), scored AS (
  SELECT lead, at, model, probability, grade,
    ROW_NUMBER() OVER (PARTITION BY lead ORDER BY at DESC, key DESC) AS place FROM scores
)
INSERT INTO worklist (lead, handed, owner, team, campaign, touched, step,
  scored, model, probability, grade, lane, worth)
SELECT h.lead, h.at, h.owner, h.team, l.campaign, s.at, s.code,
  c.at, c.model, c.probability, c.grade,
  (SELECT x.lane FROM scores x WHERE x.lead = h.lead AND x.at = h.at AND x.lane IS NOT NULL
    ORDER BY x.key LIMIT 1),
  COALESCE(c.probability, 0)
FROM handed h
JOIN leads l ON l.key = h.lead
LEFT JOIN words w ON w.lead = h.lead AND w.place = 1
LEFT JOIN steps s ON s.lead = h.lead AND s.place = 1 AND (s.at >= h.at OR (
  substr(CAST(s.at AS text), 12, 8) = '00:00:00'
  AND substr(CAST(s.at AS text), 1, 10) = substr(CAST(h.at AS text), 1, 10)))
LEFT JOIN scored c ON c.lead = h.lead AND c.place = 1
WHERE h.place = 1 AND l.erased IS NULL
  AND (w.code IS NULL OR w.code = 'open' OR (w.at < h.at AND NOT (
  substr(CAST(w.at AS text), 12, 8) = '00:00:00'
  AND substr(CAST(w.at AS text), 1, 10) = substr(CAST(h.at AS text), 1, 10))))
"""
