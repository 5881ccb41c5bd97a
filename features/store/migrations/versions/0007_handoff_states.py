"""Each hand-off with what sales did with it, on one line; when each lead first got how far."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Take the step."""
    counted = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "handoff_states",
        sa.Column("handoff", counted, autoincrement=False, nullable=False),
        sa.Column("lead", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("team", sa.Text(), nullable=True),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("following", sa.DateTime(), nullable=True),
        sa.Column("touched", sa.DateTime(), nullable=True),
        sa.Column("answered", sa.DateTime(), nullable=True),
        sa.Column("accepted", sa.DateTime(), nullable=True),
        sa.Column("rejected", sa.DateTime(), nullable=True),
        sa.Column("won", sa.DateTime(), nullable=True),
        sa.Column("score", counted, nullable=True),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("grade", sa.String(length=1), nullable=True),
        sa.ForeignKeyConstraint(
            ["handoff"], ["handoffs.key"], name=op.f("fk_handoff_states_handoff")
        ),
        sa.ForeignKeyConstraint(["lead"], ["leads.key"], name=op.f("fk_handoff_states_lead")),
        sa.PrimaryKeyConstraint("handoff", name=op.f("pk_handoff_states")),
    )
    for column in ("sal", "sql", "opportunity"):
        op.add_column("lead_states", sa.Column(column, sa.DateTime(), nullable=True))
    said = _SAID_POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SAID_SQLITE
    for statement in (_HANDOFFS.replace("SAID", said), _FIRSTS, _TAKEN_BACK):
        op.execute(_STANDING + statement)
    for column in ("lead", "at"):
        op.create_index(
            op.f(f"ix_handoff_states_{column}"), "handoff_states", [column], unique=False
        )


# Frozen as of this step; `features.store.handoff_states` and `lead_states` draw from now on.
_STANDING = """
WITH marked AS (
  SELECT key, lead, at, received, code,
    CASE WHEN code = 'open' AND origin = 'page' THEN 1 ELSE 0 END AS back
  FROM dispositions
), stacked AS (
  SELECT key, lead, at, received, code, back,
    SUM(1 - 2 * back) OVER (PARTITION BY lead ORDER BY received, at, key
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS height
  FROM marked
), followed AS (
  SELECT key, lead, at, code, back, height,
    MIN(height) OVER (PARTITION BY lead ORDER BY received, at, key
      ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS least
  FROM stacked
), standing AS (
  SELECT key, lead, at, code FROM followed WHERE back = 0 AND COALESCE(least, height) >= height
)
"""
_SAID_POSTGRESQL = """
  (d.at >= h.at OR d.at = date_trunc('day', h.at)
    OR (h.first = 1 AND d.at >= h.at - INTERVAL '1 day'))
  AND (h.following IS NULL OR (d.at < h.following AND d.at <> date_trunc('day', h.following)))
"""
_SAID_SQLITE = """
  (d.at >= h.at OR d.at = strftime('%Y-%m-%d 00:00:00.000000', h.at)
    OR (h.first = 1 AND round((julianday(h.at) - julianday(d.at)) * 86400, 3) <= 86400))
  AND (h.following IS NULL OR (d.at < h.following
    AND d.at <> strftime('%Y-%m-%d 00:00:00.000000', h.following)))
"""
_HANDOFFS = """
, handed AS (
  SELECT key, lead, at, owner, team,
    CASE WHEN ROW_NUMBER() OVER (PARTITION BY lead ORDER BY at) = 1 THEN 1 ELSE 0 END AS first,
    LEAD(at) OVER (PARTITION BY lead ORDER BY at) AS following,
    (SELECT s.key FROM scores s WHERE s.lead = handoffs.lead AND s.at <= handoffs.at
      ORDER BY s.at DESC, s.model DESC LIMIT 1) AS score
  FROM handoffs
), said AS (
  SELECT h.key, d.code, CASE WHEN d.at < h.at THEN h.at ELSE d.at END AS at
  FROM handed h JOIN standing d ON d.lead = h.lead AND SAID
), outcome AS (
  SELECT key, MIN(at) AS touched,
    MIN(CASE WHEN code NOT IN ('contacted', 'accepted', 'qualified', 'opportunity', 'open')
      THEN at END) AS answered,
    MIN(CASE WHEN code IN ('accepted', 'qualified', 'opportunity', 'won') THEN at END) AS accepted,
    MIN(CASE WHEN code = 'unqualified' THEN at END) AS rejected,
    MIN(CASE WHEN code = 'won' THEN at END) AS won
  FROM said GROUP BY key
)
INSERT INTO handoff_states (handoff, lead, at, owner, team, first, following, touched, answered,
  accepted, rejected, won, score, probability, grade)
SELECT h.key, h.lead, h.at, h.owner, h.team, h.first, h.following, o.touched, o.answered,
  o.accepted, o.rejected, o.won, h.score, s.probability, s.grade
FROM handed h
LEFT JOIN outcome o ON o.key = h.key
LEFT JOIN scores s ON s.key = h.score
"""
_FIRSTS = """
UPDATE lead_states SET sal = s.sal, sql = s.sql, opportunity = s.opportunity FROM (
  SELECT lead,
    MIN(CASE WHEN code IN ('accepted', 'qualified', 'opportunity', 'won') THEN at END) AS sal,
    MIN(CASE WHEN code IN ('qualified', 'opportunity', 'won') THEN at END) AS sql,
    MIN(CASE WHEN code IN ('opportunity', 'won') THEN at END) AS opportunity
  FROM standing GROUP BY lead
) AS s WHERE s.lead = lead_states.lead
"""
# A step that was taken back was counted until now.
_TAKEN_BACK = """
, steps AS (
  SELECT b.lead, MAX(s.at) AS stepped, COUNT(CASE WHEN s.code <> 'contacted' THEN 1 END) AS accepted
  FROM (SELECT DISTINCT lead FROM marked WHERE back = 1) b
  LEFT JOIN standing s ON s.lead = b.lead
    AND s.code IN ('contacted', 'accepted', 'qualified', 'opportunity')
  GROUP BY b.lead
)
UPDATE lead_states SET stepped = s.stepped, accepted = CASE WHEN s.accepted > 0 THEN 1 ELSE 0 END
FROM steps s WHERE s.lead = lead_states.lead
"""
