"""Blocks say of each lead what is said of it alone, whatever holds its cells."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from features.agreement import Agreement
from features.leads import Leads
from serving.blocks import Layout, block_of
from serving.scorer import Scorer
from tests.features.making import nightly_of
from training.registry import load_champion

LAYOUT = Layout("id", (), "1", "1")
ODD = ["", "never seen", "12.0", "007.0", "a@uni-x.de", "+1 212 555 0100", "call me; now", "5.50"]


@pytest.fixture(scope="module")
def scorer(trained) -> Scorer:
    return load_champion(trained[0]).artefact.scorer


@pytest.fixture(scope="module")
def leads(crm: Path, agreement: Agreement, tmp_path_factory: pytest.TempPathFactory) -> Leads:
    """Leads of a file, in columns of many values and of few, with what hardly repeats itself."""
    chance = random.Random(3)
    header, *rows = (crm / "export.csv").read_text(encoding="utf-8").splitlines()
    path = tmp_path_factory.mktemp("blocks") / "export.csv"
    spoilt = []
    for row in rows[:400]:
        first, *cells = row.split(",")
        cells = [chance.choice(ODD) if chance.random() < 0.3 else cell for cell in cells]
        spoilt.append(",".join([first, *cells]))
    path.write_text("\n".join([header, *spoilt, ""]), encoding="utf-8")
    return nightly_of(path, agreement)[0][0]


@pytest.mark.parametrize("most", [1, 5, 50])
def test_a_lead_of_a_block_has_the_reasons_that_it_has_alone(
    scorer: Scorer, leads: Leads, most: int
) -> None:
    found = block_of(leads, scorer.score_columns(leads, most), LAYOUT).column("reasons")

    assert len(leads) > 100
    for i, said in enumerate(found.to_pylist()):
        (alone,) = scorer.score(leads.take([i]), most)
        assert said == [reason._asdict() for reason in alone.reasons]


def test_a_text_stands_in_a_block_once(scorer: Scorer, leads: Leads) -> None:
    # A writer of Parquet takes it for granted.
    reasons = block_of(leads, scorer.score_columns(leads), LAYOUT).column("reasons").values

    for name in ("field", "value", "direction", "text"):
        own = reasons.field(name).dictionary.to_pylist()
        assert len(own) == len(set(own))
        assert None not in own
