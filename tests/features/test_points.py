from __future__ import annotations

import json
from typing import Any

import pytest

from features.agreement import Agreement, FieldUse
from features.cells import Cell
from features.encoder import Encoder
from features.errors import AgreementError
from features.leads import Leads
from features.points import PointsEncoder, points_encoders, points_faults

from .making import an_agreement


def agreed(*rules: dict[str, Any], **kinds: str) -> Agreement:
    """An agreement with rules over used fields of the given kinds."""
    fields = {name: {"use": "yes", "kind": kind} for name, kind in kinds.items()}
    return an_agreement(fields=fields, points=list(rules))


def one(kind: str, *rules: dict[str, Any], **export: str) -> PointsEncoder:
    """The encoder of one field `f` with its rules."""
    agreement = an_agreement(
        fields={"f": {"use": "yes", "kind": kind}},
        points=[{"field": "f", **rule} for rule in rules],
        export=export,
    )
    return points_encoders(agreement, agreement.used_fields())[0]


def points(encoder: PointsEncoder, *cells: Cell) -> list[float]:
    return [encoder.encode(cell, None)[0] for cell in cells]


def test_a_category_is_named_whatever_its_case_and_spacing() -> None:
    encoder = one("category", {"is": ["Public  Sector"], "points": 10})

    assert points(encoder, "public sector", "PUBLIC SECTOR", "private", None) == [10, 10, 0, 0]


def test_both_bounds_of_a_range_belong_to_it() -> None:
    encoder = one("number", {"at_least": 10, "at_most": 20, "points": 5})

    assert points(encoder, "9.9", "10", 20.0, "20.1", None, "many") == [0, 5, 5, 0, 0, 0]


def test_a_number_is_read_by_the_agreed_mark() -> None:
    encoder = one("number", {"at_least": 1000, "points": 5}, decimal=",")

    assert points(encoder, "1.250,5", "999,9") == [5, 0]


def test_the_points_of_all_rules_that_hold_add_up() -> None:
    encoder = one("number", {"at_least": 5, "points": 10}, {"at_least": 50, "points": -15})

    assert points(encoder, 1.0, 10.0, 100.0) == [0, 10, -5]


def test_a_missing_value_may_have_points() -> None:
    encoder = one("category", {"filled": False, "points": -10}, {"filled": True, "points": 5})

    assert points(encoder, None, "x") == [-10, 5]


def test_one_of_several_options_is_enough() -> None:
    encoder = one("options", {"is": ["Mobile"], "points": 10})

    assert points(encoder, "web; mobile", "mobile phone") == [10, 0]


def test_an_e_mail_is_known_by_its_kind_alone() -> None:
    encoder = one("email", {"is": ["free"], "points": -10})

    assert points(encoder, "someone@gmail.com", "someone@example.com") == [-10, 0]
    assert encoder.shown("someone@gmail.com") == "free"


@pytest.mark.parametrize("kind", ["text", "date"])
def test_of_a_text_no_more_is_shown_than_that_it_is_there(kind: str) -> None:
    encoder = one(kind, {"filled": True, "points": 5})

    assert encoder.shown("my name is Anna") == "filled"


def test_text_where_a_bound_needs_a_number_is_remarked() -> None:
    encoder = one("number", {"at_least": 5, "points": 10})

    assert "is not a number" in str(encoder.remark("many", encoder.encode("many", None)))
    assert encoder.remark("7", encoder.encode("7", None)) is None


def test_points_read_back_from_json_encode_the_same() -> None:
    rules = [{"is": ["a"], "points": 10, "why": "asked"}, {"filled": False, "points": -5}]
    encoder = Encoder((one("category", *rules), one("number", {"at_most": 3, "points": 5})))
    leads = Leads(["1", "2"], {"f": ["a", None]}, [None, None])

    back = Encoder.from_dict(json.loads(json.dumps(encoder.as_dict())))

    assert back.encode(leads).tolist() == encoder.encode(leads).tolist() == [[10, 0], [-5, 0]]


def test_a_field_without_rules_has_no_column() -> None:
    agreement = agreed({"field": "a", "filled": True, "points": 5}, a="text", b="text")

    assert [e.field for e in points_encoders(agreement, agreement.used_fields())] == ["a"]


def test_points_must_be_whole() -> None:
    with pytest.raises(AgreementError, match=r"points\.0\.points: .*integer.*2\.5"):
        agreed({"field": "a", "filled": True, "points": 2.5}, a="text")


def test_points_without_a_condition_are_refused() -> None:
    with pytest.raises(AgreementError, match="a rule needs one of"):
        agreed({"field": "a", "points": 5}, a="text")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"field": "nosuch", "filled": True}, "has no such field"),
        ({"field": "left_out", "filled": True}, 'the field has use = "no"'),
        ({"field": "when", "is": ["monday"]}, "kind date have no names"),
        ({"field": "mail", "at_least": 5}, "kind email have no number"),
    ],
)
def test_a_rule_that_can_never_count_is_a_fault(rule: dict[str, Any], said: str) -> None:
    agreement = agreed({**rule, "points": 5}, when="date", mail="email")
    fields = {**agreement.fields, "left_out": FieldUse(use="no")}

    faults = list(points_faults(agreement.model_copy(update={"fields": fields})))

    assert len(faults) == 1
    assert said in faults[0]


def test_rules_that_can_count_are_no_fault() -> None:
    rules = [
        {"field": "a", "is": ["x"], "points": 5},
        {"field": "n", "at_least": 5, "points": 5},
        {"field": "when", "filled": True, "points": 5},
    ]

    assert not list(points_faults(agreed(*rules, a="category", n="number", when="date")))
