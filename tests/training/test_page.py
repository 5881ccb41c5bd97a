"""The report of a training: written, kept with the run, whole in itself."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from features.errors import UsageError
from features.home import Home
from tests.conftest import home_at
from tests.training.firms import Enquiry, decided, write_export
from training.compare import compare
from training.page import fitted_on, page
from training.propose import propose
from training.registry import connect
from training.roles import Told
from training.train import Training, train


def told(text: str) -> str:
    """The words of a page."""
    return unescape(re.sub(r"<[^>]+>", " ", text)).replace("\u00a0", " ")


@pytest.fixture(scope="module")
def report(trained: tuple[Home, Training]) -> str:
    """The report of the simulated firm."""
    return page(trained[1], "first")


def test_the_page_names_every_field_that_was_left_out_with_its_verdict(
    trained: tuple[Home, Training], report: str
) -> None:
    left_out = trained[1].choice.left_out
    rows = [told(row) for row in re.findall(r"<tr>.*?</tr>", report, flags=re.S)]

    for found in left_out:
        verdict = found.verdict.replace("cannot_tell", "cannot be judged")
        assert any(found.field in row and verdict in row for row in rows), found.field
    assert len(left_out) >= 7


def test_it_says_who_scores_and_that_what_is_registered_was_fitted_anew(
    trained: tuple[Home, Training], report: str
) -> None:
    words = told(report)

    assert trained[1].verdict.sentence[1:] in words
    leads = len(trained[1].labelled.labels)
    assert f"What is registered was then fitted anew on all {leads:,} labelled leads" in words
    assert trained[1].split.method in words
    assert "In the fits newer leads count more" in words
    assert "Leaks were looked for among all leads with a known outcome" in words


def test_of_very_many_leads_it_says_how_many_the_model_was_fitted_on(
    trained: tuple[Home, Training],
) -> None:
    drawn = replace(trained[1], parameters={**trained[1].parameters, "learned_from": 1234})

    leads = len(drawn.labelled.labels)
    assert fitted_on(drawn) == f"1,234 leads drawn from all {leads:,} labelled ones"


def test_it_tells_when_wins_come(trained: tuple[Home, Training], report: str) -> None:
    assert trained[1].further.has_timing
    assert "When wins come" in told(report)


def test_it_needs_nothing_beside_it_and_runs_no_program(report: str) -> None:
    assert not re.search(r"""(src|href|url\()\s*=?\s*["']?(https?:|//|file:|data:)""", report)
    assert not re.search(r"<(script|link|iframe|img|object)\b", report)


def test_it_names_no_lead(trained: tuple[Home, Training], report: str) -> None:
    leads = trained[1].labelled.history.leads
    addresses = [str(cell) for cell in leads.column("email") if cell]

    assert addresses
    assert not any(known in report for known in (*leads.ids, *addresses))


def test_the_run_keeps_the_same_page_and_what_was_said_of_later_leads(
    trained: tuple[Home, Training], tmp_path: Path
) -> None:
    home, training = trained
    client, run = connect(home), training.registered.run_id

    kept = Path(client.download_artifacts(run, "report.html", str(tmp_path)))
    files = {file.path for file in client.list_artifacts(run)}

    # The registered page was written before its version had a number.
    assert kept.read_text(encoding="utf-8") == page(training, "blend")
    assert {"report.html", "later.parquet", "leaks.json", "left_out.json"} <= files


@pytest.fixture(scope="module")
def unjudged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Training]:
    """A training whose later leads were all lost."""
    folder = tmp_path_factory.mktemp("unjudged")

    def late(e: Enquiry) -> dict[str, object]:
        return decided(e, 0.5 if e.number < 1400 else 0.0)

    export = write_export(folder, late, rows=200)
    home = home_at(folder / "home")
    return home, train(export, propose(export, Told()).agreement, home, preset="fast")


def test_where_nothing_could_be_judged_the_page_says_that_alone(
    unjudged: tuple[Home, Training],
) -> None:
    words = told(page(unjudged[1], "none"))

    assert "none was won" in words
    assert "Fields that may give the outcome away" in words
    assert "ROC AUC" not in words.replace("AUC: 0.50 is chance", "")


def test_such_a_run_is_compared_with_no_other(unjudged: tuple[Home, Training]) -> None:
    with pytest.raises(UsageError, match=r"the one run in .* could not be judged \(version 1\)"):
        compare(unjudged[0])
