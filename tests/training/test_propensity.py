from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.agreement import Agreement, load
from features.cells import Cell
from features.errors import AgreementError
from features.files import open_table
from features.leads import PROPENSITY, Leads
from features.reading import Intake, read_history
from tests.training.firms import Enquiry, agreed, clear, use, write_export
from training.check import check
from training.fit import Effort, fit
from training.propensity import MOST, MOST_OF_QUEUE, Propensity, propensity_of
from training.propose import propose
from training.render import render
from training.roles import Told
from training.summary import training_lines
from training.train import Training, train_on
from training.work import Plan, Work

AGREED = agreed({"propensity": "chance"})


def read(*cells: Cell, agreement: Agreement = AGREED) -> Propensity:
    """What the weights of leads with these cells are."""
    leads = Leads([str(i) for i in range(len(cells))], {"chance": cells}, [None] * len(cells))
    found = propensity_of(leads, agreement)
    assert found is not None
    return found


def test_a_lead_counts_one_over_the_chance_with_which_it_was_chosen() -> None:
    assert read("0.5", "1", 0.25).weight.tolist() == [2, 1, 4]


def test_the_decimal_mark_of_the_export_is_read() -> None:
    with_comma = agreed({"propensity": "chance"}, export={"decimal": ","})

    assert read("0,5", agreement=with_comma).weight.tolist() == [2]


def test_a_tiny_chance_counts_no_more_than_the_bound_and_is_told() -> None:
    found = read("0.001", "0.05", "1")

    assert (found.weight.tolist(), found.clipped) == ([MOST, MOST, 1], 1)
    assert "1 leads with a chance below 5% count 20" in found.sentences[1]


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        (None, "missing"),
        ("often", "not a number"),
        ("5 %", "above 1"),
        ("0", "zero or less"),
        ("-0.2", "zero or less"),
        (1.5, "above 1"),
    ],
)
def test_a_lead_without_a_usable_chance_counts_one_and_is_told(cell: Cell, why: str) -> None:
    found = read(cell, "0.5")

    assert found.weight.tolist() == [1, 2]
    assert f"(1 {why}): write a number above 0 and at most 1." in found.sentences[-1]


def test_the_account_of_bad_chances_holds_no_value_of_a_lead() -> None:
    assert "Anna" not in " ".join(read("Anna Abel", "0.5").sentences)


def test_a_column_that_the_export_does_not_have_is_missing_in_every_lead() -> None:
    leads = Leads(["1", "2"], {}, [None, None])
    found = propensity_of(leads, AGREED)

    assert found is not None
    assert (found.weight.tolist(), found.unusable) == ([1, 1], {"missing": 2})


def test_an_agreement_without_propensity_gives_no_weights() -> None:
    assert propensity_of(Leads(["1"], {"chance": ["0.5"]}, [None]), agreed()) is None


def test_leads_from_the_store_carry_their_chance_with_them() -> None:
    found = propensity_of(Leads(["1"], {PROPENSITY: [0.5]}, [None]), agreed())

    assert found is not None
    assert found.weight.tolist() == [2]


def test_the_propensity_cannot_be_a_field_to_predict_from() -> None:
    with pytest.raises(AgreementError, match="tells how leads were chosen"):
        agreed({"propensity": "chance"}, {"chance": {"use": "yes", "kind": "number"}})


def test_recency_and_propensity_multiply_and_are_one_on_average() -> None:
    rows = np.arange(4)
    work = Work(
        None, None, AGREED, None, np.arange(4.0), {}, Plan(), Effort(), print,  # type: ignore[arg-type]
        read("1", "0.5", "1", "1"),
    )  # fmt: skip
    alone = Work(None, None, AGREED, None, np.arange(4.0), {}, Plan(), Effort(), print)  # type: ignore[arg-type]

    ratio = work.weight(rows) / alone.weight(rows)

    assert ratio / ratio[0] == pytest.approx([1, 2, 1, 1])
    assert work.weight(rows).mean() == pytest.approx(1)


def test_weights_teach_what_all_leads_do_though_sales_chose_the_likely_ones() -> None:
    # A rep's hunch, which no field holds, tells much: 60 % of the leads it likes are won, and
    # 10 % of the others. Sales works 90 % of the former and 15 % of the latter.
    random = np.random.default_rng(5)
    liked = random.random(12_000) < 0.5
    won = random.random(12_000) < np.where(liked, 0.6, 0.1)
    chance = np.where(liked, 0.9, 0.15)
    worked = np.flatnonzero(random.random(12_000) < chance)
    sizes: list[Cell] = random.choice(["small", "large"], 12_000).tolist()
    everyone = Leads([str(i) for i in range(12_000)], {"size": sizes}, [None] * 12_000)
    weight = read(*chance[worked].tolist()).weight

    def mean_prediction(weight: np.ndarray) -> float:  # type: ignore[type-arg]
        fitted = fit(
            everyone.take(worked.tolist()),
            won[worked].astype(np.int8),
            weight / weight.mean(),
            agreed(),
            {"size": use()},
            "logistic",
            effort=Effort(shapes=(), folds=2),
        )
        return float(fitted.scorer.probabilities(everyone).mean())

    assert mean_prediction(weight) == pytest.approx(0.35, rel=0.05)
    assert mean_prediction(np.ones(len(worked))) > 0.5


def with_chance(e: Enquiry) -> dict[str, object]:
    """Every fifth lead was drawn by lot; a few say nonsense."""
    chance = "nonsense" if e.number % 50 == 0 else "0.02" if e.number % 5 == 0 else "0.8"
    return clear(e) | {"chance": chance}


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Agreement]:
    """An export with the chances, and an agreement that names them."""
    export = write_export(tmp_path_factory.mktemp("chosen"), with_chance, rows=400)
    path = export.with_name("agreement.toml")
    text = render(propose(export, Told(exclude=("chance",))))
    path.write_text(text.replace("[columns]", '[columns]\npropensity = "chance"'), "utf-8")
    return export, load(path)


@pytest.fixture(scope="module")
def trained(firm: tuple[Path, Agreement]) -> list[Training]:
    """Trained with the chances and without."""
    export, agreement = firm
    columns = agreement.columns.model_copy(update={"propensity": None})
    results = []
    for agreed_on in (agreement, agreement.model_copy(update={"columns": columns})):
        intake = Intake()
        told = read_history(open_table(export, agreed_on.export), agreed_on, intake)
        plan = Plan("logistic", preset="fast")
        results.append(train_on(told, agreed_on, plan, lambda _: None, intake, "here"))
    return results


def test_train_tells_bound_effect_and_bad_values(trained: list[Training]) -> None:
    lines = training_lines(trained[0], trained[0].work.agreement)
    told = [line for line in lines if line.startswith("  chosen")]

    assert len(told) == 3
    assert "teach as much as" in told[0]
    assert "below 5% count 20" in told[1]
    assert "not a number" in told[2]


def test_weights_change_what_is_registered(trained: list[Training]) -> None:
    leads = trained[0].later.leads
    said = [result.scorer.probabilities(leads) for result in trained]

    assert np.abs(said[0] - said[1]).max() > 0.001


def test_leads_with_a_bad_chance_teach_all_the_same(trained: list[Training]) -> None:
    assert len(trained[0].labelled.labels) == len(trained[1].labelled.labels)


def test_the_later_leads_judge_with_one_voice_each(trained: list[Training]) -> None:
    rates = [result.evaluation and result.evaluation.mean_actual for result in trained]

    assert rates[0] == rates[1] == trained[0].later.labels.mean()


def test_check_tells_what_is_wrong_with_chances(firm: tuple[Path, Agreement]) -> None:
    remarks = check(*firm).remarks

    assert any("not a number" in remark for remark in remarks)


def test_a_lead_that_the_queue_drew_counts_no_more_than_its_smaller_bound() -> None:
    leads = Leads(["1", "2", "3"], {PROPENSITY: [0.001, 0.8, 1.0]}, [None] * 3)
    found = propensity_of(leads, agreed())

    assert found is not None
    assert found.weight.tolist() == [MOST_OF_QUEUE, 1.25, 1]
    assert found.clipped == 1
    assert "below 50% count 2" in found.sentences[1]
