"""The worklist of sales: the leads that were handed over and not answered, kept to be quick.

It says nothing that hand-offs, words and scores do not say: whatever is written of a lead, its line
is drawn anew from them within the same write. So a page of the queue reads no history.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select

from features.sections import STEPS
from features.store.bulk import Columns, among, insert_columns
from features.store.drawn import Worklist
from features.store.handoff_states import draw as draw_handoffs
from features.store.handoff_states import draw_rescored
from features.store.keys import chunks
from features.store.lead_states import draw, draw_new
from features.store.states import answers, standing, words
from features.store.tables import Disposition, Handoff, Lead, Score

_EVER = datetime.max


def refresh(connection: Connection, leads: Sequence[int]) -> None:
    """Draw the lines of leads anew, after a hand-off or a word, and their states.

    Args:
        connection: of a write.
        leads: their keys; those that sales does not have, or has answered, get no line.

    """
    keys = sorted(set(leads))
    draw(connection, keys)
    draw_handoffs(connection, keys)
    for some in chunks(keys):
        _refresh(connection, some)


def rescored(connection: Connection, leads: Sequence[int]) -> None:
    """Do the same after leads were scored: only those that are on the list have a line."""
    keys = sorted(set(leads))
    draw_new(connection, keys)
    draw_rescored(connection, keys)
    for some in chunks(keys):
        on_it = among(connection, Worklist.lead, some)
        if listed := list(connection.execute(select(Worklist.lead).where(on_it)).scalars()):
            _refresh(connection, sorted(listed))


def _refresh(connection: Connection, keys: Sequence[int]) -> None:
    # Of two words on one lead at once the second must see the first. Keys come in order, so that
    # no two writers wait for each other.
    held = select(Lead.key).where(among(connection, Lead.key, keys)).order_by(Lead.key)
    connection.execute(held.with_for_update(key_share=True)).all()
    rows = lines_of(connection, keys)
    connection.execute(delete(Worklist).where(among(connection, Worklist.lead, keys)))
    if rows:
        _mix_in(connection, rows)
        columns: Columns = {name: [row[name] for row in rows] for name in rows[0]}
        insert_columns(connection, Worklist, columns)


def lines_of(connection: Connection, keys: Sequence[int]) -> list[dict[str, Any]]:
    """Return the lines of leads as their events make them, each worth what its score says."""
    handed = _handed(connection, keys)
    answered = _answered(connection, handed)
    steps, scores = _steps(connection, keys), _scores(connection, keys)
    lanes = _lanes(connection, keys)
    rows = []
    for lead, row in handed.items():
        if lead in answered:
            continue
        step = steps.get(lead)
        if step is not None and not answers(step.at, row.at):
            step = None
        score = scores.get(lead)
        rows.append(_line(row, step, score, lanes.get((lead, row.at))))
    return rows


def _line(handed: Any, step: Any, score: Any, lane: str | None) -> dict[str, Any]:
    line = {
        "lead": handed.lead,
        "handed": handed.at,
        "owner": handed.owner,
        "team": handed.team,
        "campaign": handed.campaign,
        "touched": step.at if step else None,
        "step": step.code if step else None,
        "scored": None,
        "model": None,
        "probability": None,
        "expected_value": None,
        "grade": None,
        "lane": lane,
        "worth": 0.0,
    }
    if score is not None:
        worth = score.probability if score.expected_value is None else score.expected_value
        line |= {"scored": score.at, "worth": worth}
        line |= {
            name: getattr(score, name)
            for name in ("model", "probability", "expected_value", "grade")
        }
    return line


def _mix_in(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Put the leads that were drawn by lot among those of the same hand-off.

    Each takes the place of one of them, the same each time; in their own place, at the end, they
    would be told at a glance.
    """
    drawn = [row for row in rows if row["lane"] == "exploration"]
    if not drawn:
        return
    beside = {row["handed"]: list[float]() for row in drawn}
    others = select(Worklist.handed, Worklist.worth).where(
        Worklist.handed.in_(list(beside)), func.coalesce(Worklist.lane, "") != "exploration"
    )
    for handed, worth in connection.execute(others):
        beside[handed].append(worth)
    for row in rows:
        if row["lane"] != "exploration" and row["handed"] in beside:
            beside[row["handed"]].append(row["worth"])
    for row in drawn:
        if ranked := sorted(beside[row["handed"]]):
            row["worth"] = ranked[_by_lot(row["lead"], len(ranked))]


def _by_lot(lead: int, most: int) -> int:
    digest = hashlib.sha256(b"%d" % lead).digest()
    return int.from_bytes(digest[:8], "big") % most


def _handed(connection: Connection, keys: Sequence[int]) -> dict[int, Any]:
    """Return the last hand-off of each lead that is not erased."""
    rows = connection.execute(
        select(Handoff.lead, Handoff.at, Handoff.owner, Handoff.team, Lead.campaign)
        .join(Lead, Lead.key == Handoff.lead)
        .where(among(connection, Handoff.lead, keys), Lead.erased.is_(None))
        .order_by(Handoff.at)
    )
    return {row.lead: row for row in rows}


def _answered(connection: Connection, handed: dict[int, Any]) -> set[int]:
    """Return the leads of which a disposition was said since their last hand-off."""
    if not handed:
        return set()
    word = words(_EVER, among(connection, Disposition.lead, sorted(handed)))
    rows = connection.execute(select(word.c.lead, word.c.at, word.c.code))
    return {row.lead for row in rows if row.code != "open" and answers(row.at, handed[row.lead].at)}


def _steps(connection: Connection, keys: Sequence[int]) -> dict[int, Any]:
    """Return the newest step of each lead that was not taken back."""
    said = standing(among(connection, Disposition.lead, keys)).c
    rows = select(said.lead, said.at, said.code).where(
        said.code.in_(STEPS), said.origin != "export"
    )
    found = connection.execute(rows.order_by(said.at, said.key))
    return {row.lead: row for row in found}


def _scores(connection: Connection, keys: Sequence[int]) -> dict[int, Any]:
    place = func.row_number().over(
        partition_by=Score.lead, order_by=(Score.at.desc(), Score.key.desc())
    )
    ranked = (
        select(Score.lead, Score.at, Score.model, Score.probability, Score.expected_value)
        .add_columns(Score.grade, place.label("place"))
        .where(among(connection, Score.lead, keys))
        .subquery()
    )
    rows = connection.execute(select(ranked).where(ranked.c.place == 1))
    return {row.lead: row for row in rows}


def _lanes(connection: Connection, keys: Sequence[int]) -> dict[tuple[int, datetime], str | None]:
    rows = select(Score.lead, Score.at, Score.lane).where(
        among(connection, Score.lead, keys), Score.lane.is_not(None)
    )
    return {(lead, at): lane for lead, at, lane in connection.execute(rows)}
