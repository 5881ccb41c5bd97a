"""Why a score changed: the lead's data, time, the model, or the agreement.

Of two scores the difference in log-odds is split exactly, in two steps: first the lead's data
changes under the earlier model, then the model changes over the newer data. The first step is
shared among the fields that changed: what each moves when the fields change one after another,
averaged over orders that put each field in each place, forwards and backwards (Shapley 1953; with
up to three fields these are all orders). The second is split by the contributions of the fields
under either model. A field's encoding never looks at the day of scoring, so time alone moves
nothing; what time changes (visits, days since) comes in as data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log

from features.cells import Cell
from features.errors import ModelError
from features.leads import Leads
from features.store.history import PastScore
from serving.artefact import LoadedModel, leads_of_records
from serving.kernel import by_field
from serving.scorer import Scorer

Load = Callable[[str], LoadedModel]
"""Gives the model of a version, or raises a `ModelError`."""

_SMALL = 5e-4
"""Log-odds below which a part is not worth a line."""


@dataclass(frozen=True)
class FieldChange:
    """What one field did to the difference, in log-odds."""

    field: str
    before: Cell
    after: Cell
    log_odds: float


@dataclass(frozen=True)
class Change:
    """The difference between two scores of a lead; the parts add up to it."""

    earlier: PastScore
    later: PastScore
    log_odds: float
    """The later score's log-odds less the earlier one's."""
    data: list[FieldChange]
    """By field whose content changed, the strongest first; as the earlier model sees it."""
    time: float
    """Always 0: no field is read against the day of scoring."""
    model: list[FieldChange]
    """By field whose weight changed from model to model; the base stands under an empty name."""
    agreement: str
    """What another agreement does to the grade, in words; empty where it does nothing."""
    unexplained: str
    """Why the difference could not be split; empty where it was."""

    @property
    def is_none(self) -> bool:
        """Whether nothing has changed: neither the score nor what it is made from."""
        moved = self.data or self.model or self.agreement or self.unexplained
        return not moved and self.log_odds == 0 and self.earlier.model == self.later.model


def changes(scores: Sequence[PastScore], load: Load) -> list[Change]:
    """Explain each score of a lead against the one before it, in their order."""
    return [_change(earlier, later, load) for earlier, later in pairwise(scores)]


def _change(earlier: PastScore, later: PastScore, load: Load) -> Change:
    difference = _logit(later.probability) - _logit(earlier.probability)
    if earlier.fields is None or later.fields is None:
        return _unsplit(earlier, later, difference, "what was known then was not kept")
    try:
        before, after = load(earlier.model), load(later.model)
    except ModelError as error:
        return _unsplit(earlier, later, difference, f"a model is gone: {error}")
    old, new = before.artefact.scorer, after.artefact.scorer
    same_model = earlier.model == later.model
    return Change(
        earlier,
        later,
        difference,
        _data_changes(old, earlier.fields, later.fields),
        0.0,
        [] if same_model else _model_changes(old, new, later.fields),
        _regraded(later.probability, old, new),
        "",
    )


def _unsplit(earlier: PastScore, later: PastScore, difference: float, why: str) -> Change:
    return Change(earlier, later, difference, [], 0.0, [], "", why)


def _data_changes(
    scorer: Scorer, before: dict[str, Cell], after: dict[str, Cell]
) -> list[FieldChange]:
    """Share what the changed fields moved among them; the sum is exact."""
    changed = [name for name in _read(scorer) if before.get(name) != after.get(name)]
    orders = [changed[i:] + changed[:i] for i in range(len(changed))]
    orders += [order[::-1] for order in orders]
    # Each set of fields that have changed so far is scored once.
    places: dict[frozenset[str], int] = {frozenset(): 0}
    for order in orders:
        for i in range(len(order)):
            places.setdefault(frozenset(order[: i + 1]), len(places))
    mixed = [
        {**before, **{name: after.get(name) for name in taken}}
        for taken in places
    ]  # fmt: skip
    log_odds = scorer.blend.log_odds(scorer.encoder.encode(_leads(scorer, mixed))).tolist()
    moved = dict.fromkeys(changed, 0.0)
    for order in orders:
        for i, name in enumerate(order):
            step = log_odds[places[frozenset(order[: i + 1])]]
            moved[name] += (step - log_odds[places[frozenset(order[:i])]]) / len(orders)
    return _strongest(
        FieldChange(name, before.get(name), after.get(name), by) for name, by in moved.items()
    )


def _model_changes(old: Scorer, new: Scorer, fields: dict[str, Cell]) -> list[FieldChange]:
    before, after = _parts(old, fields), _parts(new, fields)
    return _strongest(
        FieldChange(name, fields.get(name), fields.get(name), after.get(name, 0.0) - was)
        for name, was in {**dict.fromkeys(after, 0.0), **before}.items()
    )


def _strongest(found: Iterable[FieldChange]) -> list[FieldChange]:
    return sorted((c for c in found if c.log_odds), key=lambda c: (-abs(c.log_odds), c.field))


def _read(scorer: Scorer) -> list[str]:
    """Return the columns that a score is made from."""
    created = scorer.agreement.columns.created
    return [*dict.fromkeys([*(f.field for f in scorer.encoder.fields), *filter(None, [created])])]


def _parts(scorer: Scorer, fields: dict[str, Cell]) -> dict[str, float]:
    """Return the contribution of each field to a lead's log-odds; the base under no name."""
    _, parts = scorer.blend.explained(scorer.encoder.encode(_leads(scorer, [fields])))
    (effects,) = by_field(parts, scorer.encoder.bounds).tolist()
    names = (field.field for field in scorer.encoder.fields)
    return {"": float(parts[0, -1]), **dict(zip(names, effects, strict=True))}


def _leads(scorer: Scorer, records: Sequence[dict[str, Cell]]) -> Leads:
    id_column = scorer.agreement.columns.id
    named = [{**record, id_column: str(i)} for i, record in enumerate(records)]
    return leads_of_records(named, scorer, {})


def _regraded(probability: float, old: Scorer, new: Scorer) -> str:
    before = old.agreement.grades.of(probability)
    after = new.agreement.grades.of(probability)
    if before == after:
        return ""
    return (
        f"{probability:.1%} is {after} by agreement {new.agreement.label}; "
        f"by {old.agreement.label} it would be {before}"
    )


def _logit(probability: float) -> float:
    return log(probability) - log(1 - probability)


def change_lines(change: Change, most: int = 5) -> Iterator[str]:
    """Tell why a score changed, in plain words."""
    earlier, later = change.earlier, change.later
    yield (
        f"{earlier.at:%Y-%m-%d %H:%M}  {earlier.probability:.1%} {earlier.grade}  ->  "
        f"{later.at:%Y-%m-%d %H:%M}  {later.probability:.1%} {later.grade}  "
        f"({change.log_odds:+.2f} log-odds)"
    )
    if change.unexplained:
        yield f"  cannot be split: {change.unexplained}"
        return
    yield from _part_lines("its data changed", change.data, most, _was_and_is)
    if earlier.model != later.model:
        title = f"the model changed, version {earlier.model} to {later.model}"
        yield from _part_lines(title, change.model, most, _weighs)
    if change.agreement:
        yield f"  the agreement changed: {change.agreement}"
    if not (change.data or change.model or change.agreement):
        yield "  nothing that the model reads has changed"


def _part_lines(
    title: str,
    parts: Sequence[FieldChange],
    most: int,
    worded: Callable[[FieldChange], str],
) -> Iterator[str]:
    if not parts:
        return
    yield f"  {title}: {sum(part.log_odds for part in parts):+.2f}"
    shown = [part for part in parts if abs(part.log_odds) >= _SMALL][:most]
    for part in shown:
        yield f"    {part.log_odds:+.2f}  {worded(part)}"
    if rest := len(parts) - len(shown):
        others = sum(part.log_odds for part in parts) - sum(part.log_odds for part in shown)
        yield f"    {others:+.2f}  {rest} other field{'s' if rest > 1 else ''}"


def _was_and_is(part: FieldChange) -> str:
    return f"{part.field}: {_shown(part.before)} -> {_shown(part.after)}"


def _weighs(part: FieldChange) -> str:
    return f"{part.field} weighs differently" if part.field else "where an average lead starts"


def _shown(value: Cell) -> str:
    return "not known" if value is None else str(value)
