"""From labelled leads to a scorer: members, their blend, and the calibration, all out of fold.

The recipe, measured on many sets of real leads (docs/science.md): a logistic regression whose
fields are shrunk by their worth and three shapes of small regularised trees err differently, so
their log-odds are averaged; weights and calibration come from predictions for rows that the
members had not seen; newer leads count more, because markets move. Where leads have an order, the
rows left out are blocks in time: a member that only remembers a season does badly on the season it
did not see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import rankdata
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from features.agreement import Agreement, FieldUse
from features.encoder import Column, Encoder, Matrix
from features.leads import Leads
from serving.members import Member, Trees, Vector
from serving.scorer import Scorer
from training.calibrate import Calibration, calibrate
from training.estimators import SHAPES, LogisticEstimator, Part, Shape, TreesEstimator
from training.fold import fold, summed
from training.labels import Labels
from training.splits import Rows

Recipe = Literal["blend", "trees", "logistic"]
RECIPES: tuple[Recipe, ...] = ("blend", "trees", "logistic")
FOLDS = 5
MOST_CHOSEN = 25_000
"""Rows on which numbers of trees, weights and calibration are found."""
MOST_LEARNED = 150_000
"""Rows that the members learn from, drawn evenly; above it fewer members are tried, too."""
_PULL = 0.003
"""How strongly the shares of a blend are pulled toward the usual ones."""
_USUALLY = {"logistic": 0.7}
USUAL_OF_TREES = 0.1
"""What a shape of trees usually counts for beside a logistic regression that counts .7."""
_LEAST_WEIGHT = 0.05
"""Share below which a member goes: it costs as much at every score as one that tells more."""
_FEWEST_IN_A_BLOCK = 5
Progress = Callable[[str], None]
Parameters = dict[str, float | int | str]


@dataclass(frozen=True)
class Effort:
    """How much a fit tries."""

    shapes: tuple[Shape, ...] = SHAPES
    folds: int = FOLDS
    seeds: int = 1
    """How many times each shape is grown for the final model."""
    tuned: tuple[tuple[str, Any], ...] = ()
    """LightGBM parameters that a search found for one more shape of trees."""


LEAN = Effort(shapes=("trees", "pairs"), folds=3)
"""For more rows than are learned from: there the members differ little."""
FAST = Effort(shapes=("pairs",), folds=3)
DEFAULT = Effort()


class Unseen(NamedTuple):
    """Predictions for rows that the members had not seen, after calibration."""

    rows: Rows
    weight: Vector
    """How much each counts, shape (rows,)."""
    log_odds: Vector


@dataclass(frozen=True)
class Fitted:
    """A scorer and what its fit found."""

    scorer: Scorer
    unseen: Unseen
    calibration: Calibration
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True)
class Data:
    """Encoded leads with what a fit must know of each."""

    matrix: Matrix
    labels: Labels
    weight: Vector
    columns: tuple[Column, ...]
    place: Vector | None
    """Each lead's place in time, from 0 to 1 (`in_time`), shape (rows,); None: no order."""
    seed: int

    def take(self, rows: Rows) -> Data:
        """Return these rows, in this order."""
        place = None if self.place is None else self.place[rows]
        return replace(
            self,
            matrix=self.matrix[rows],
            labels=self.labels[rows],
            weight=self.weight[rows],
            place=place,
        )

    @staticmethod
    def _blocks(place: Vector, wanted: int) -> list[Rows]:
        """Return blocks in time of about equal size; leads of one moment stay together."""
        ranks = rankdata(place, method="min") - 1
        block = np.floor(ranks * wanted / len(place)).astype(np.intp)
        return [np.flatnonzero(block == i) for i in range(wanted)]

    def sampled(self, most: int) -> Data:
        """Return the rows of `sample` with what they stand for in their weights."""
        return self.standing_for(*sample(self.labels, most, self.seed))

    def standing_for(self, rows: Rows, stands_for: Vector) -> Data:
        """Return these rows with what each stands for, shape (rows,), in their weights."""
        part = self.take(rows)
        return replace(part, weight=part.weight * stands_for)

    def folds(self, wanted: int) -> list[tuple[Rows, Rows]]:
        """Return blocks in time where there is an order and each block has both outcomes."""
        fewest = int(min(np.bincount(self.labels, minlength=2)))
        if self.place is not None:
            blocks = self._blocks(self.place, wanted)
            won = [int(self.labels[block].sum()) for block in blocks]
            both = (min(n, len(b) - n) for n, b in zip(won, blocks, strict=True))
            if min(both) >= _FEWEST_IN_A_BLOCK:
                return [(np.setdiff1d(np.arange(len(self.labels)), b), np.sort(b)) for b in blocks]
        shuffled = StratifiedKFold(min(wanted, fewest), shuffle=True, random_state=self.seed)
        return list(shuffled.split(self.matrix, self.labels))


def sample(labels: Labels, most: int, seed: int) -> tuple[Rows, Vector]:
    """Return about so many rows at most, in their order, and how many each stands for.

    Of the rarer outcome enough are kept to learn from, and weighed for it.

    Args:
        labels: 1 won, 0 not, shape (rows,).
        most: how many.
        seed: of the draw.

    """
    rows = np.arange(len(labels))
    if len(rows) <= most:
        return rows, np.ones(len(rows))
    generator, drawn, stands_for = np.random.default_rng(seed), [], []
    for outcome in (0, 1):
        all_ = rows[labels == outcome]
        wanted = max(round(most * len(all_) / len(rows)), min(most // 10, len(all_)))
        drawn.append(generator.choice(all_, wanted, replace=False))
        stands_for.append(np.full(wanted, len(all_) / wanted))
    chosen, weight = np.concatenate(drawn), np.concatenate(stands_for)
    in_order = np.argsort(chosen)
    return chosen[in_order], weight[in_order] / weight.mean()


def recency_weights(place: Vector | None, rows: int) -> Vector:
    """Return the weight of each of so many rows by its place in time, mean one (`recency`)."""
    if place is None:
        return np.ones(rows)
    weight = recency(in_time(place))
    return np.asarray(weight / weight.mean())


def in_time(place: Vector) -> Vector:
    """Return the share of the leads that are older than each, from 0 to 1 (now), shape (rows,)."""
    # Leads of one moment count alike, in whatever order a file holds them.
    return np.asarray(rankdata(place, method="average") / len(place))


def recency(share_older: Vector) -> Vector:
    """Return how much a lead counts beside the newest: half for each half of newer leads."""
    return np.asarray(0.5 ** (2 * (1 - share_older)))


def fit(
    leads: Leads,
    labels: Labels,
    weight: Vector,
    agreement: Agreement,
    fields: dict[str, FieldUse],
    recipe: Recipe = "blend",
    seed: int = 0,
    progress: Progress = lambda _: None,
    place: Vector | None = None,
    effort: Effort = DEFAULT,
    rows: Rows | None = None,
) -> Fitted:
    """Fit a scorer.

    Only the leads that are learned from are encoded (`MOST_LEARNED`): of ten million the matrix of
    all would be the largest thing of a training.

    Args:
        leads: the leads, among them the n that it is fitted on.
        labels: 1 won, 0 not, shape (n,); both must occur at least twice.
        weight: how much each row counts, shape (n,): recency, censoring, propensity, multiplied.
        agreement: goes into the scorer.
        fields: the fields to predict from.
        recipe: which members.
        seed: decides folds, trees and nothing else; the same seed gives the same bits.
        progress: told what is being done.
        place: each lead's place in time, shape (n,); None where there is no order.
        effort: how much is tried.
        rows: the positions of the n among the leads, shape (n,); None: all leads.

    """
    rows = np.arange(len(labels)) if rows is None else rows
    learned, learned_for = sample(labels, MOST_LEARNED, seed)
    chosen, chosen_for = sample(labels, MOST_CHOSEN, seed)
    needed = np.union1d(learned, chosen)
    some = leads.take(rows[needed])
    encoder = Encoder.fit(some, agreement, fields)
    data = Data(
        encoder.encode(some),
        labels[needed],
        weight[needed],
        encoder.columns,
        None if place is None else in_time(place)[needed],
        seed,
    )
    if effort == DEFAULT and len(labels) > MOST_LEARNED:
        effort = LEAN
    parameters: Parameters = {"recipe": recipe, "seed": seed, "folds": effort.folds}
    if len(learned) < len(labels):
        parameters["learned_from"] = len(learned)
    part = data.standing_for(np.searchsorted(needed, chosen), chosen_for)
    candidates = list(candidates_on(part, recipe, effort, parameters, progress))
    shares = blend_weights(*offered(candidates), part)
    kept = [(s, c) for s, c in zip(shares, candidates, strict=True) if s > 0]
    parameters |= {f"weight_{c.name}": s for s, c in zip(shares, candidates, strict=True)}
    blended = np.asarray(sum(share * candidate.unseen for share, candidate in kept))
    calibration = calibrate(
        blended, part.labels, part.weight, part.place, part.matrix, _named(encoder, agreement)
    )
    parameters |= {"slope": calibration.slope, "offset": calibration.offset}
    learned_from = data.standing_for(np.searchsorted(needed, learned), learned_for)
    # A slope of zero means that nothing was learned: then no member has a say.
    grown = [(s, c.grow(learned_from, progress)) for s, c in kept if calibration.slope > 0]
    blend = fold(grown, calibration, len(encoder.columns))
    for member in blend.members:
        if isinstance(member, Trees):
            parameters["trees"], parameters["leaves"] = member.size
    unseen = Unseen(chosen, part.weight, calibration.apply(blended, part.matrix))
    return Fitted(Scorer(agreement, encoder, blend), unseen, calibration, parameters)


def _named(encoder: Encoder, agreement: Agreement) -> dict[int, Column]:
    """Return the matrix columns whose values marketing adds up over, by position."""
    wanted = {agreement.columns.campaign, agreement.columns.source}
    return {
        i: column
        for i, column in enumerate(encoder.columns)
        if column.field in wanted and column.levels is not None
    }


class _Candidate(NamedTuple):
    """A kind of member: what it predicted out of fold, and how it is grown on all rows."""

    name: str
    unseen: Vector
    grow: Callable[[Data, Progress], Member]

    @property
    def usual(self) -> float:
        """What it usually counts for, relative to the others."""
        return _USUALLY.get(self.name, USUAL_OF_TREES)


def offered(candidates: Sequence[_Candidate]) -> tuple[list[Vector], list[float]]:
    """Return what each candidate predicted out of fold, and what each usually counts for."""
    return [c.unseen for c in candidates], [c.usual for c in candidates]


def candidates_on(
    data: Data, recipe: Recipe, effort: Effort, parameters: Parameters, progress: Progress
) -> Iterator[_Candidate]:
    """Yield each kind of member that the effort asks for, with its predictions out of fold."""
    folds = data.folds(effort.folds)
    if recipe != "trees":
        progress("choosing: logistic regression")
        yield _logistic(data, folds)
    if recipe != "logistic":
        for shape in effort.shapes:
            progress(f"choosing: {shape}")
            yield _trees(shape, shape, {}, data, folds, effort, parameters)
        if effort.tuned:
            progress("choosing: tuned trees")
            yield _trees("tuned", "trees", dict(effort.tuned), data, folds, effort, parameters)


def _logistic(data: Data, folds: list[tuple[Rows, Rows]]) -> _Candidate:
    unseen, known = np.empty(len(data.labels)), None
    for rows, rest in folds:
        model = _regression(data.take(rows), known)
        known, left_out = model.variances_, data.take(rest)
        unseen[rest] = model.log_odds_at(left_out.matrix, left_out.place)

    def grow(on: Data, progress: Progress) -> Member:
        progress("logistic regression")
        return _regression(on, known).member_

    return _Candidate("logistic", unseen, grow)


def _regression(data: Data, known: Mapping[Part, float] | None) -> LogisticEstimator:
    """Fit the logistic regression; its weights may move in time, so older leads tell it more."""
    weight = data.weight
    if data.place is not None:
        weight = weight / np.sqrt(recency(data.place))
    return LogisticEstimator(data.columns, known).fit(data.matrix, data.labels, weight, data.place)


def _trees(
    name: str,
    shape: Shape,
    tuned: dict[str, Any],
    data: Data,
    folds: list[tuple[Rows, Rows]],
    effort: Effort,
    parameters: Parameters,
) -> _Candidate:
    """Find the number of trees out of fold; a tenth more are grown on all rows."""
    unseen, counts = np.empty(len(data.labels)), []
    for rest, log_odds, count in trees_out_of_fold(shape, tuned, data, folds):
        unseen[rest] = log_odds
        counts.append(count)
    trees = max(1, round(1.1 * float(np.mean(counts))))
    parameters[f"trees_{name}"] = trees

    def grow(on: Data, progress: Progress) -> Member:
        progress(f"{trees} trees ({name})")
        grown = []
        for i in range(effort.seeds):
            model = TreesEstimator(on.columns, shape, trees, on.seed + i, tuned=tuned)
            member = model.fit(on.matrix, on.labels, on.weight).member_
            assert isinstance(member, Trees)  # noqa: S101  # what its fit makes
            grown.append((1 / effort.seeds, member))
        return summed(grown) if len(grown) > 1 else grown[0][1]

    return _Candidate(name, unseen, grow)


def trees_out_of_fold(
    shape: Shape, tuned: dict[str, Any], data: Data, folds: list[tuple[Rows, Rows]]
) -> Iterator[tuple[Rows, Vector, int]]:
    """Yield, fold by fold, the rows left out, their log-odds, and how many trees were best."""
    for rows, rest in folds:
        model = TreesEstimator(data.columns, shape, seed=data.seed, tuned=tuned)
        judge = (data.matrix[rest], data.labels[rest], data.weight[rest])
        model.fit_early(data.matrix[rows], data.labels[rows], data.weight[rows], judge)
        yield rest, model.decision_function(data.matrix[rest]), model.best_trees_


def log_loss_of(log_odds: Vector, data: Data) -> float:
    """Return the weighted log loss."""
    return float(log_loss(data.labels, expit(log_odds), sample_weight=data.weight))


def blend_weights(unseen: Sequence[Vector], usual: Sequence[float], data: Data) -> Vector:
    """Return weights that sum to one, by log loss; a small pull keeps them steady.

    Args:
        unseen: log-odds of each member for rows that it had not seen, each of shape (rows,).
        usual: what each usually counts for, in any unit; the pull is toward this mix.
        data: the rows.

    """
    scores, mix = np.column_stack(unseen), np.array(usual) / sum(usual)
    y, weight = data.labels, data.weight / data.weight.sum()

    def cost(free: Vector) -> tuple[float, Vector]:
        share = np.exp(free - free.max())
        share /= share.sum()
        z = scores @ share
        off = share - mix
        loss = float(weight @ (np.logaddexp(0, z) - y * z)) + _PULL * float(off @ off)
        slope = scores.T @ (weight * (expit(z) - y)) + 2 * _PULL * off
        return loss, share * (slope - share @ slope)

    free = minimize(cost, np.log(mix), jac=True, method="L-BFGS-B").x
    share = np.exp(free - free.max())
    share = np.where(share / share.sum() < _LEAST_WEIGHT, 0.0, share)
    return np.asarray(share / share.sum())
