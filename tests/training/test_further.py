from __future__ import annotations

from pathlib import Path

import pytest

from features.agreement import Agreement
from features.files import open_table
from features.home import Home
from features.reading import Intake, read_history
from training.further import judge_further, with_further
from training.train import Training


def test_of_very_many_leads_a_regular_part_tells_value_and_time(
    crm: Path,
    agreement: Agreement,
    trained: tuple[Home, Training],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    history = read_history(open_table(crm / "export.csv", agreement.export), agreement, Intake())
    result = trained[1]
    whole = judge_further(result.labelled, history, result.scorer, result.split, 0)
    monkeypatch.setattr("training.further._MOST_ROWS", 1500)

    part = judge_further(result.labelled, history, result.scorer, result.split, 0)
    scorer = with_further(result.scorer, result.labelled, history, part, 0)

    assert whole.value is not None
    assert part.value is not None
    assert part.value.rows == pytest.approx(whole.value.rows / 2, rel=0.1)
    assert scorer.value is not None
    assert scorer.timing is not None
