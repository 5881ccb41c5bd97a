from __future__ import annotations

from pathlib import Path

import pytest

from features.agreement import Agreement
from features.errors import AgreementError, UsageError
from tests.training.firms import agreed
from training.check import check


def test_a_fitting_export_has_a_finding_for_every_field(crm: Path, agreement: Agreement) -> None:
    result = check(crm / "export.csv", agreement)

    assert result.findings.keys() == {*agreement.fields, "closed_at"}


def test_the_agreed_closing_time_is_blocked(crm: Path, agreement: Agreement) -> None:
    finding = check(crm / "export.csv", agreement).findings["closed_at"]

    assert finding.verdict == "blocked"
    assert "closing time" in finding.reason


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


def test_the_leads_that_teach_are_told_apart_from_those_that_do_not(tmp_path: Path) -> None:
    remarks = check(small(tmp_path), agreed(fields=SIZE)).remarks

    assert remarks[2] == "12 leads have a known outcome, 8 of them won"


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


def test_a_kind_that_does_not_fit_the_values_is_named(tmp_path: Path) -> None:
    result = check(small(tmp_path), agreed(fields={"size": {"use": "yes", "kind": "date"}}))

    fault = "size is agreed as a date, and 100% of its values are none; they look like a number"
    assert any(remark.startswith(fault) for remark in result.remarks)


def test_a_kind_that_fits_is_not_remarked_on(tmp_path: Path) -> None:
    result = check(small(tmp_path), agreed(fields=SIZE))

    assert not any("agreed as" in remark for remark in result.remarks)


def test_rules_on_a_field_that_the_export_lacks_are_named(tmp_path: Path) -> None:
    rule = [{"field": "region", "is": ["north"]}]
    ruled = agreed(
        fields=SIZE,
        personas=[{"name": "Northern", "all": rule}],
        routes=[{"owner": "Team North", "all": rule}],
    )

    remarks = check(small(tmp_path), ruled).remarks

    assert any(r.startswith("persona 'Northern' asks for 'region'") for r in remarks)
    assert any(r.startswith("the route to 'Team North' asks for 'region'") for r in remarks)


def test_points_that_can_never_count_are_named(tmp_path: Path) -> None:
    ruled = agreed(points=[{"field": "regoin", "filled": True, "points": 5}])

    remarks = check(small(tmp_path), ruled).remarks

    assert any(r.startswith("points: the rule over 'regoin' (+5) never counts") for r in remarks)
