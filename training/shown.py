"""What later leads show of a model, however few they are: is it better than chance, and than rules?

No number of rows is asked for. What counts is whether later leads show that the sorting is better
than chance, by either of two figures, each with an error of 2.5 % so that both together have 5 %:

    AUC    a permutation test (the labels shuffled; exact at any size but for the number of
           shuffles; by its normal approximation with ties above 2,000 leads) and the lower end of
           the interval of DeLong et al. 1988 on the logit scale, both of which must agree
    lift   wins among the best tenth of the leads against wins in all, by the exact binomial
           interval of Clopper and Pearson 1934; conservative, as wins are drawn without return

Sorting alone is not enough, for scores are read as probabilities: the log loss must be shown to be
lower than that of one probability for all, the mean of the scores themselves, so that neither a
shift of the base rate nor luck with a few leads decides (a paired t-test, one-sided, 5 %).

Between a model that passes and the rules the lower log loss decides, tested or not, for one of the
two has to score; the sentence tells by the paired interval which it is. A model that sorts also
passes where its log loss is shown to be lower than that of the rules themselves: where the market
moves, both may be too sure for one probability for all, and the rules still more so.

Where leads are not independent (many of one account or one day), AUC and lift come from a
jackknife that leaves out a group of such clusters at a time, with Student's t; the paired test
counts clusters in place of leads. Which leads are the best tenth stays fixed meanwhile: a jackknife
that picks them anew each time does not settle (Efron & Tibshirani 1993, ch. 11.6). The lift must
pass the binomial interval as well, for few wins make the jackknife too sure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit
from scipy.stats import beta, mannwhitneyu, norm, rankdata, t

from serving.members import Vector
from serving.rates import Interval
from training.intervals import mean_interval
from training.labels import Labels
from training.reliability import log_losses

ERROR = 0.025
"""Of AUC and lift each, one-sided."""
_SAVED_LEVEL = 0.9
"""Of the two-sided interval of which the lower end counts: an error of 5 %."""
_TOP = 0.1
_MODEST = 0.6
"""The AUC of a modest model of leads: while it is not ruled out, more leads may show it."""
_SHUFFLES = 999
_SHUFFLED_UP_TO = 2000
_GROUPS = 50


@dataclass(frozen=True)
class Shown:
    """What later leads show of one way to score."""

    rows: int
    won: int
    auc: float
    auc_low: float
    """The lower end of its one-sided interval of 97.5 %."""
    auc_p: float
    """How often chance alone would sort as well."""
    top: int
    """The leads of the best tenth, with all that share the last score."""
    lift: float
    lift_low: float
    """The lower end of its one-sided interval of 97.5 %."""
    saved: float
    """By how much the log loss is lower than that of one probability for all."""
    saved_low: float
    """The lower end of its one-sided interval of 95 %."""

    @property
    def sorts(self) -> bool:
        """Whether the AUC is shown to be above .5, or the lift above 1."""
        return (self.auc_p <= ERROR and self.auc_low > 0.5) or self.lift_low > 1

    @property
    def better_than_chance(self) -> bool:
        """Whether it is shown to sort, and to foretell better than one probability for all."""
        return self.sorts and self.saved_low > 0

    @property
    def figures(self) -> str:
        """The figures in words."""
        if self.auc == 0.5 and self.lift == 1:
            return "it gives all of them one probability"
        return (
            f"AUC {self.auc:.3f}, with 97.5 % confidence at least {self.auc_low:.3f}; the best "
            f"{self.top:,} hold {self.lift:.2f} times their share of the wins, at least "
            f"{self.lift_low:.2f} times; {self._saved_in_words}"
        )

    @property
    def _saved_in_words(self) -> str:
        than = "than with one probability for all by"
        if self.saved < 0:
            return f"log loss higher {than} {-self.saved:.4f}"
        low = f", with 95 % confidence at least {self.saved_low:.4f}"
        return f"log loss lower {than} {self.saved:.4f}{low if self.saved_low > 0 else ''}"


@dataclass(frozen=True)
class Verdict:
    """Who scores, and why."""

    scorer: Literal["model", "rules"]
    sentence: str
    model: Shown | None = None
    """None where there is none, or later leads have one outcome only."""
    rules: Shown | None = None
    log_loss_model: float | None = None
    log_loss_rules: float | None = None
    saved: Interval | None = None
    """By how much the model's log loss is lower than that of the rules, on the same leads."""

    @property
    def learnt(self) -> bool:
        """Whether anything is shown to tell leads apart."""
        return self.scorer == "model" or any(
            found and found.better_than_chance for found in (self.model, self.rules)
        )


def shown(
    y: Labels, probability: Vector, clusters: npt.NDArray[Any] | None = None, seed: int = 0
) -> Shown:
    """Say what later leads show of their probabilities.

    Args:
        y: 1 won, 0 not, shape (rows,); both must occur.
        probability: what was foretold, shape (rows,).
        clusters: leads of one cluster are not independent, shape (rows,); None: all are.
        seed: of the shuffles.

    """
    top = _top(probability)
    auc, lift, lift_low = _auc(y, probability), _lift(y, top), _binomial_low(y, top)
    if clusters is None:
        auc_low, auc_p = _delong_low(y, probability, auc), _chance(y, probability, seed)
    else:
        auc_low, auc_p, by_cluster = _by_cluster(y, probability, top, clusters, seed)
        lift_low = min(lift_low, by_cluster)
    return Shown(
        len(y),
        int(y.sum()),
        auc,
        auc_low,
        auc_p,
        int(top.sum()),
        lift,
        min(lift, lift_low),
        *_saved(y, probability, clusters),
    )


def _saved(
    y: Labels, probability: Vector, clusters: npt.NDArray[Any] | None
) -> tuple[float, float]:
    """Return what the log loss is lower than with the mean score for all, and its lower end."""
    tiny = np.finfo(np.float64).eps
    said = np.clip(probability, tiny, 1 - tiny)
    mean = float(said.mean())
    each = np.where(y == 1, np.log(said / mean), np.log((1 - said) / (1 - mean)))
    found = mean_interval(each, clusters, _SAVED_LEVEL)
    return found.value, found.low


def _top(probability: Vector) -> npt.NDArray[np.bool_]:
    """Mark the best tenth, and all leads that share its last score: order is no merit."""
    count = max(1, round(_TOP * len(probability)))
    last = np.partition(probability, len(probability) - count)[len(probability) - count]
    return np.asarray(probability >= last)


def _auc(y: Labels, probability: Vector) -> float:
    won = int(y.sum())
    ranks = rankdata(probability)[y == 1].sum()
    return float((ranks - won * (won + 1) / 2) / (won * (len(y) - won)))


def _lift(y: Labels, top: npt.NDArray[np.bool_]) -> float:
    return float(y[top].mean() / y.mean())


def _binomial_low(y: Labels, top: npt.NDArray[np.bool_]) -> float:
    found = int(y[top].sum())
    share = float(beta.ppf(ERROR, found, y.sum() - found + 1)) if found else 0.0
    return share / float(top.mean())


def _chance(y: Labels, probability: Vector, seed: int) -> float:
    """Return how often shuffled labels reach the AUC."""
    won, lost = probability[y == 1], probability[y == 0]
    if np.ptp(probability) == 0:
        return 1.0
    if len(y) > _SHUFFLED_UP_TO:
        test = mannwhitneyu(won, lost, alternative="greater", method="asymptotic")
        return float(test.pvalue)
    ranks = rankdata(probability)
    reached = ranks[y == 1].sum() - 1e-9
    generator = np.random.default_rng(seed)
    drawn = [generator.permutation(ranks)[: len(won)].sum() for _ in range(_SHUFFLES)]
    return float((1 + np.sum(np.array(drawn) >= reached)) / (1 + _SHUFFLES))


def _delong_low(y: Labels, probability: Vector, auc: float) -> float:
    won, lost = probability[y == 1], probability[y == 0]
    above = (rankdata(probability)[y == 1] - rankdata(won)) / len(lost)
    below = (rankdata(probability)[y == 0] - rankdata(lost)) / len(won)
    if min(len(won), len(lost)) < 2:
        return 0.0
    variance = above.var(ddof=1) / len(won) + below.var(ddof=1) / len(lost)
    # A perfect order has no spread of its own: half a pair less is taken for it.
    inner = float(np.clip(auc, 0.5 / (len(won) * len(lost)), 1 - 0.5 / (len(won) * len(lost))))
    least = inner * (1 - inner) / min(len(won), len(lost))
    spread = max(variance, least if variance == 0 else 0.0) ** 0.5
    return float(expit(logit(inner) + norm.ppf(ERROR) * spread / (inner * (1 - inner))))


def _by_cluster(
    y: Labels,
    probability: Vector,
    top: npt.NDArray[np.bool_],
    clusters: npt.NDArray[Any],
    seed: int,
) -> tuple[float, float, float]:
    """Return the lower end and chance of the AUC, and the lower end of the lift."""
    names, which = np.unique(clusters, return_inverse=True)
    groups = min(len(names), _GROUPS)
    group = (np.random.default_rng(seed).permutation(len(names)) % groups)[which]
    without = []
    for left_out in range(groups):
        rest = group != left_out
        if 0 < y[rest].sum() < rest.sum() and top[rest].any():
            without.append((_auc(y[rest], probability[rest]), _lift(y[rest], top[rest])))
    if len(without) < 2:
        return 0.0, 1.0, 0.0
    found, n = np.array(without), len(without)
    error = np.sqrt((n - 1) / n * ((found - found.mean(axis=0)) ** 2).sum(axis=0))
    auc, lift = _auc(y, probability), _lift(y, top)
    low = auc + t.ppf(ERROR, n - 1) * error[0]
    p = float(t.sf((auc - 0.5) / error[0], n - 1)) if error[0] > 0 else 1.0
    # A best tenth of a few accounts has varied that often and no more.
    varied = min(n, len(np.unique(which[top])))
    lift_low = lift + t.ppf(ERROR, varied - 1) * error[1] if varied > 1 else 0.0
    return float(np.clip(low, 0.0, 1.0)), p, max(0.0, float(lift_low))


def takes_over(
    y: Labels,
    p_model: Vector,
    p_rules: Vector,
    clusters: npt.NDArray[Any] | None = None,
    seed: int = 0,
) -> Verdict:
    """Decide by later leads whether the model scores, or the agreed rules.

    The model takes over when it is shown to be better than chance and its log loss is lower than
    that of the rules, whether or not that is more than chance; or when it is shown to sort, and
    its log loss to be lower than that of the rules. Both must have been fitted on earlier leads
    alone.

    Args:
        y: 1 won, 0 not, of the later leads, shape (rows,).
        p_model: what the model foretells of them, shape (rows,).
        p_rules: what the rules foretell, shape (rows,); one value for all where there are none.
        clusters: as in `shown`.
        seed: as in `shown`.

    """
    won = int(y.sum())
    if won == 0 or won == len(y):
        lacks = "won" if won == 0 else "lost"
        return Verdict(
            "rules",
            f"the rules score: of {len(y):,} judged leads none was {lacks}, so nothing can be "
            f"shown of a model yet; bring some leads of a later time that were {lacks}",
        )
    model, rules = shown(y, p_model, clusters, seed), shown(y, p_rules, clusters, seed)
    mine, theirs = log_losses(y, p_model), log_losses(y, p_rules)
    saved = mean_interval(theirs - mine, clusters)
    losses = float(mine.mean()), float(theirs.mean())
    plain = "the rules" if np.ptp(p_rules) > 0 else "the base rate for all"
    passes = model.better_than_chance or (model.sorts and saved.low > 0)
    takes = passes and saved.value > 0
    sentence = _sentence(model, rules, _beside(losses, saved, plain, passes), takes)
    return Verdict("model" if takes else "rules", sentence, model, rules, *losses, saved)


def rules_alone(
    y: Labels,
    p_rules: Vector,
    why: str,
    clusters: npt.NDArray[Any] | None = None,
    seed: int = 0,
) -> Verdict:
    """Say what later leads show of the rules where no model could be fitted.

    Args:
        y: 1 won, 0 not, of the later leads, shape (rows,).
        p_rules: what the rules foretell of them, shape (rows,).
        why: there is no model.
        clusters: as in `shown`.
        seed: as in `shown`.

    """
    begins = f"the rules score: {why}, so there is no model"
    won = int(y.sum())
    if won == 0 or won == len(y):
        lacks = "won" if won == 0 else "lost"
        tells = f"of {len(y):,} judged leads none was {lacks}, so the rules cannot be judged either"
        return Verdict("rules", f"{begins}; {tells}")
    rules = shown(y, p_rules, clusters, seed)
    tells = f"they are{'' if rules.better_than_chance else ' not'} shown to be better than chance"
    if np.ptp(p_rules) == 0:
        tells = "they tell no lead from another"
    sentence = f"{begins}; on {rules.rows:,} judged leads, {won:,} of them won, {tells}"
    loss = float(log_losses(y, p_rules).mean())
    return Verdict("rules", sentence, rules=rules, log_loss_rules=loss)


def _beside(losses: tuple[float, float], saved: Interval, plain: str, decides: bool) -> str:
    """Hold the model's log loss beside that of the rules, and say whether chance explains it.

    `decides`: whether the lower of the two scores, shown to be lower or not.
    """
    mine, theirs = (f"{loss:.4f}" for loss in losses)
    by = f"by {saved.value:.4f} (95 % interval {saved.low:.4f} to {saved.high:.4f})"
    if saved.low > 0:
        return f"and its log loss {mine} is shown to be lower than {theirs} of {plain} {by}"
    if saved.value > 0:
        what = (
            "which decides although chance may explain it"
            if decides
            else "which chance may explain"
        )
        return f"and its log loss {mine} is lower than {theirs} of {plain} {by}, {what}"
    return (
        f"but its log loss {mine} is not lower than {theirs} of {plain} (difference "
        f"{-saved.value:+.4f}, 95 % interval {-saved.high:+.4f} to {-saved.low:+.4f})"
    )


def _sentence(model: Shown, rules: Shown, beside: str, takes: bool) -> str:
    judged = f"{model.rows:,} judged leads, {model.won:,} of them won"
    if takes:
        than_chance = "be" if model.better_than_chance else "sort leads"
        return (
            f"the model scores: on {judged}, it is shown to {than_chance} better than chance "
            f"({model.figures}), {beside}"
        )
    if model.better_than_chance:
        return (
            f"the rules score: on {judged}, the model is shown to be better than chance "
            f"({model.figures}), {beside}"
        )
    if rules.better_than_chance:
        return (
            f"the rules score: on {judged}, they are shown to be better than chance "
            f"({rules.figures}); the model is not ({model.figures})"
        )
    if model.sorts:
        flat = rules.lift == 1 and rules.auc == 0.5
        lack = "tell no lead from another" if flat else "are not shown to sort better than chance"
        either = "" if rules.sorts else f", though they {lack}"
        return (
            f"the rules score{either}: on {judged}, the model sorts leads better than chance, but "
            f"its probabilities are not shown to be better than one for all ({model.figures}), "
            f"{beside}"
        )
    if rules.sorts:
        return (
            f"the rules score: on {judged}, they sort leads better than chance, but their "
            f"probabilities are not shown to be better than one for all ({rules.figures}); the "
            f"model is not shown to be better than chance ({model.figures})"
        )
    # By chance alone, too (Mann and Whitney 1947): one score for all has no spread of its own.
    by_chance = np.sqrt((model.rows + 1) / (12 * model.won * (model.rows - model.won)))
    at_best = max(2 * model.auc - model.auc_low, 0.5 + norm.isf(ERROR) * by_chance)
    yet = " yet" if at_best > _MODEST else ""
    begins = f"nothing to learn here{yet}: on {judged}, the model is not shown to be better"
    if rules.lift == 1 and rules.auc == 0.5:
        return f"{begins} than chance ({model.figures}), and the rules tell no lead from another"
    return f"{begins} than chance ({model.figures}), and neither are the rules ({rules.figures})"
