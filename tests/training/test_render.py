from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.agreement import FieldUse, PointsRule, parse
from tests.training.firms import Enquiry, agreed, history, with_times, write_export
from training.labels import label
from training.propose import Proposal, propose
from training.render import render
from training.roles import Roles, Told

NOTES = {"horizon_days": "the usual", "day_first": "", "created": ""}
TOLD = history(["won", "lost"])
ODD = [
    'say "hello"', "it's", "two\nlines", "tab\there", "a.b.c", "# no comment", "ключ", "日本語 🎉",
    "back\\slash", "[section]", "a = b", "", " edges ", "\x7f\x01", "'''", '"""', "\u2028",
]  # fmt: skip


def proposal(name: str, value: str, undecided: str = "") -> Proposal:
    """A proposal whose names, outcome values and reasons are odd."""
    agreement = agreed(
        columns={"id": name or "id", "campaign": name or "campaign"},
        outcomes={"won": [value + "w"], "lost": [value + "l"]},
        export={"missing": [value]},
        name=name or "name",
    )
    fields = {
        name + "1": FieldUse(use="decide", because=value),
        name + "2": FieldUse(use="yes", kind="options", separator="|", why=value),
        name + "3": FieldUse(use="no", kind="number"),
    }
    points = [
        PointsRule(field=name + "2", **{"is": [value]}, points=10, why=value),
        PointsRule(field=name + "3", at_least=0.1, at_most=1e6, points=-5),
        PointsRule(field=name + "3", filled=False, points=-15),
    ]
    roles = Roles(agreement.columns, {}, {undecided: 12} if undecided else {})
    agreement = agreement.model_copy(update={"fields": fields, "points": points})
    notes = {**NOTES, "created": f"all leads carry one creation day ({name!r})"}
    return Proposal(agreement, roles, {}, intake=None, labelled=label(TOLD, agreed()), notes=notes)  # type: ignore[arg-type]


@pytest.mark.parametrize("odd", ODD)
def test_an_agreement_with_odd_names_reads_back_the_same(odd: str) -> None:
    proposed = proposal(odd, odd, undecided=odd)

    assert parse(render(proposed)) == proposed.agreement


@settings(max_examples=100, deadline=None)
@given(st.text(), st.text())
def test_any_agreement_reads_back_the_same(name: str, value: str) -> None:
    proposed = proposal(name, value, undecided=value)

    assert parse(render(proposed)) == proposed.agreement


def test_the_agreement_of_the_simulated_crm_reads_back_the_same(crm: Path) -> None:
    proposed = propose(crm / "export.csv", Told())

    assert parse(render(proposed)) == proposed.agreement


def test_the_agreement_of_the_education_company_reads_back_the_same(xeducation: Path) -> None:
    proposed = propose(xeducation, Told())

    assert parse(render(proposed)) == proposed.agreement


def test_a_field_that_waits_is_marked() -> None:
    lines = render(proposal("stage", "telling name")).splitlines()

    at = next(i for i, line in enumerate(lines) if line.startswith('"stage1"'))
    assert lines[at - 1].startswith("# DECIDE")
    assert 'because = "telling name"' in lines[at]


def test_a_decided_field_is_not_marked() -> None:
    lines = render(proposal("stage", "telling name")).splitlines()

    at = next(i for i, line in enumerate(lines) if line.startswith('"stage2"'))
    assert not lines[at - 1].startswith("# DECIDE")


def test_an_outcome_that_nobody_could_map_is_marked() -> None:
    text = render(proposal("a", "b", undecided="tbd"))

    assert "# DECIDE: these fit no disposition" in text
    assert '#     "tbd"  (12 leads)' in text


def test_what_was_said_of_the_file_reads_back_the_same(tmp_path: Path) -> None:
    path = write_export(tmp_path, with_times, delimiter="\t", encoding="cp1250")
    proposed = propose(path, Told(delimiter="\t", encoding="cp1250"))

    assert parse(render(proposed)) == proposed.agreement


def test_a_missing_id_is_marked(tmp_path: Path) -> None:
    def row(e: Enquiry) -> dict[str, object]:
        return {"source": e.source, "bought": "Y" if e.state == "won" else "N", "size": e.size}

    text = render(propose(write_export(tmp_path, row), Told()))

    assert "# DECIDE: no column has a value of its own for each lead" in text
    assert "models are judged on a random" in text


def test_a_missing_closing_time_is_said(tmp_path: Path) -> None:
    def row(e: Enquiry) -> dict[str, object]:
        return {"id": e.code, "created": e.at("%Y-%m-%d"), "won": e.state == "won", "size": e.size}

    text = render(propose(write_export(tmp_path, row), Told()))

    assert "# No column says when the outcome became known" in text


def test_the_day_note_stands_beside_the_order_of_dates() -> None:
    noted = dataclasses.replace(
        proposal("a", "b"), notes={**NOTES, "day_first": "written month first"}
    )

    assert "day_first = false  # written month first" in render(noted)


def described(fields: dict[str, FieldUse], points: list[PointsRule]) -> list[str]:
    """The lines of an agreement with these fields and points."""
    plain = proposal("a", "b")
    agreement = plain.agreement.model_copy(update={"fields": fields, "points": points})
    return render(dataclasses.replace(plain, agreement=agreement)).splitlines()


@pytest.mark.parametrize("name", ["Gender", "customer_sex", "Nationality", "Geschlecht"])
def test_a_field_protected_in_many_uses_is_used_with_a_note(name: str) -> None:
    lines = described({name: FieldUse(use="yes")}, [])

    at = next(i for i, line in enumerate(lines) if line.startswith(f'"{name}"'))
    assert lines[at - 1].startswith("# NOTE: protected by law in many uses")
    assert 'use = "yes"' in lines[at]


@pytest.mark.parametrize(("name", "use"), [("Gender", "no"), ("Essex", "yes"), ("sextant", "yes")])
def test_other_fields_have_no_such_note(name: str, use: str) -> None:
    lines = described({name: FieldUse(use=use)}, [])  # type: ignore[arg-type]

    assert not any(line.startswith("# NOTE") for line in lines)


def test_proposed_points_are_for_both_sides_to_decide() -> None:
    lines = described({}, [PointsRule(field="size", at_least=250, points=10, why="they buy")])

    at = lines.index("[[points]]")
    assert lines[at + 1 : at + 5] == [
        'field = "size"', "at_least = 250", "points = 10", 'why = "they buy"',
    ]  # fmt: skip
    assert any(line.startswith("# DECIDE together: points") for line in lines)


def test_without_points_an_example_says_how_to_write_one() -> None:
    lines = described({}, [])

    example = [line.removeprefix("# ") for line in lines[lines.index("# [[points]]") :]]
    assert parse("\n".join([*lines, *example])).points[0].points == 10
