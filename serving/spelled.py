"""Scores of many leads as JSON, spelled from their columns.

Each text is made JSON once for all leads that share it, and each column of numbers at once. What
`serving.replies` says of a lead alone has the same names in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, repeat

import numpy as np
import orjson

from features.agreement import GRADES
from serving.columns import Coded, ReasonKind, Reasons, ScoredColumns
from serving.members import Vector

_RESULT = (
    b'{"id":%b,"probability":%b,"probability_low":%b,"probability_high":%b,"grade":%b,'
    b'"reasons":[%b],"base_log_odds":%b,"rest_log_odds":%b,"expected_value":%b,'
    b'"expected_days":%b,"warnings":[%b]}'
)
_GRADES = [orjson.dumps(grade) for grade in GRADES]
_NULL = b"null"
_EFFECT, _NO_EFFECT = b'"log_odds":', b'"log_odds":null'


def spelled(
    scored: ScoredColumns, first: Sequence[Sequence[str]], last: Sequence[str]
) -> list[bytes]:
    """Return the result of each lead.

    Args:
        scored: the leads.
        first: of each lead, warnings that go before its own.
        last: warnings that go behind those of every lead.

    """
    if not len(scored):
        return []
    why = scored.reasons
    rows = zip(
        map(orjson.dumps, scored.ids),
        _numbers(scored.probability),
        _numbers(scored.probability_low),
        _numbers(scored.probability_high),
        map(_GRADES.__getitem__, scored.grade.tolist()),
        repeat(b"") if why is None else _reasons(why),
        repeat(_NULL if why is None else orjson.dumps(why.base)),
        _numbers(None if why is None else why.rest),
        _numbers(scored.expected_value),
        _numbers(scored.expected_days),
        _warnings(scored.warnings, first, last),
        strict=False,
    )
    return list(map(_RESULT.__mod__, rows))


def _numbers(column: Vector | Sequence[float] | None) -> Iterable[bytes]:
    """Return each number of a column; where there is no column, null without end."""
    if column is None:
        return repeat(_NULL)
    return orjson.dumps(np.asarray(column).tolist()).strip(b"[]").split(b",")


def _reasons(why: Reasons) -> Iterator[bytes]:
    """Yield the reasons of each lead, comma between them."""
    kinds = [_around(kind) for kind in why.kinds]
    effects = _numbers(why.log_odds)
    pairs = zip(map(kinds.__getitem__, why.codes.tolist()), effects, strict=False)
    found = [before + effect + behind for (before, behind), effect in pairs]
    for start, end in pairwise([0, *why.ends.tolist()]):
        yield b",".join(found[start:end])


def _around(kind: ReasonKind) -> tuple[bytes, bytes]:
    """Return what stands before and behind the log-odds of a reason."""
    field, value, direction, text = kind
    told = {
        "field": field,
        "value": value,
        "direction": direction,
        "log_odds": None,
        "text": text,
    }
    # A quote within a text has a backslash before it, so no text holds this.
    before, _, behind = orjson.dumps(told).partition(_NO_EFFECT)
    return before + _EFFECT, behind


def _warnings(
    own: Coded[str], first: Sequence[Sequence[str]], last: Sequence[str]
) -> Iterator[bytes]:
    """Yield the warnings of each lead, comma between them."""
    texts = Coded(own.ends, own.codes, [orjson.dumps(kind) for kind in own.kinds])
    behind = [orjson.dumps(text) for text in last]
    for before, found in zip(first, texts.by_lead(), strict=True):
        yield b",".join([*map(orjson.dumps, before), *found, *behind])
