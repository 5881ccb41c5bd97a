from __future__ import annotations

from pathlib import Path

import pytest

from features.agreement import Agreement
from features.errors import AgreementError, UsageError
from tests.training.firms import agreed
from training.check import check


def test_a_fitting_export_has_a_finding_for_every_field(crm: Path, agreement: Agreement) -> None:
    result = check(crm / "export.csv", agreement)

    assert result.findings.keys() == agreement.fields.keys()


def test_the_excluded_fields_are_judged_too(crm: Path, agreement: Agreement) -> None:
    result = check(crm / "export.csv", agreement)

    assert agreement.fields["deal_value"].use == "no"
    assert result.findings["deal_value"].verdict == "blocked"


def test_labels_and_reasons_for_none_add_up_to_the_leads(crm: Path, agreement: Agreement) -> None:
    result = check(crm / "export.csv", agreement)

    assert sum(result.labels.values()) == result.intake.accepted


def small(folder: Path, extra: str = "") -> Path:
    """An export of twelve leads."""
    path = folder / "small.csv"
    rows = [f"{i},{'won' if i % 3 else 'lost'},{i % 4}{extra}" for i in range(12)]
    path.write_text("\n".join(["id,outcome,size" + extra, *rows]))
    return path


SIZE = {"size": {"use": "yes", "kind": "number"}}


def test_a_column_that_is_not_agreed_is_named(tmp_path: Path) -> None:
    result = check(small(tmp_path, ",new"), agreed(fields=SIZE))

    assert "not in the agreement, so not used: new" in result.remarks


def test_an_agreed_field_that_the_export_lacks_is_named(tmp_path: Path) -> None:
    result = check(small(tmp_path), agreed(fields={**SIZE, "branch": {"use": "yes"}}))

    assert "agreed but not in the export, so missing in every lead: branch" in result.remarks


def test_an_export_without_the_outcome_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AgreementError, match="columns that the file does not have: status"):
        check(small(tmp_path), agreed({"outcome": "status"}))


def test_an_export_without_wins_is_refused(tmp_path: Path) -> None:
    turned = agreed(outcomes={"won": ["sold"], "lost": ["lost"], "open": ["won"]})

    with pytest.raises(UsageError, match=r"4 leads have a label and 0 of them are won.*\[outcomes"):
        check(small(tmp_path), turned)
