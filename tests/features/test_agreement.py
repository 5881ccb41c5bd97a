from pathlib import Path
from typing import Any

import pytest

from features.agreement import DISPOSITIONS, Agreement, from_dict, load, parse
from features.errors import AgreementError

from .making import SMALLEST, an_agreement

TEXT = """
format = 1
version = 3
name = "leads"
[columns]
id = "Lead Id"
outcome = "Status"
created = "Created"
[outcomes]
won = ["Closed Won"]
lost = ["Closed Lost"]
[grades]
A = 0.4
B = 0.2
C = 0.1
[fields]
"Source" = { use = "yes" }
"E-mail" = { use = "no", kind = "email", because = "personal" }
[[personas]]
name = "Large"
all = [{ field = "Size", at_least = 250 }, { field = "Country", is = ["DE", "AT"] }]
"""


def refused(match: str, **sections: Any) -> None:
    with pytest.raises(AgreementError, match=match):
        an_agreement(**sections)


def test_a_small_agreement_is_read_with_its_defaults() -> None:
    agreement = parse(TEXT)
    assert (agreement.horizon_days, agreement.learning.not_ready) == (90, "censored")


def test_a_rule_is_read_by_the_words_of_the_file() -> None:
    rules = parse(TEXT).personas[0].all
    assert (rules[0].at_least, rules[1].is_) == (250, ["DE", "AT"])


def test_only_fields_with_yes_are_used() -> None:
    assert list(parse(TEXT).used_fields()) == ["Source"]


def test_leads_stand_in_time_by_creation_else_serial_else_not() -> None:
    def ordered(**more: str) -> str | None:
        return an_agreement(columns={"id": "i", "outcome": "o", **more}).order_column

    assert [ordered(created="c"), ordered(serial="s"), ordered()] == ["c", "s", None]


def test_every_disposition_can_be_mapped() -> None:
    agreement = an_agreement(outcomes={d: [f"is {d}"] for d in DISPOSITIONS})
    assert dict(agreement.raw_outcomes()) == {f"is {d}": d for d in DISPOSITIONS}


def test_a_bound_belongs_to_the_better_grade() -> None:
    grades = an_agreement().grades
    assert [grades.of(p) for p in (0.5, 0.4999, 0.25, 0.1, 0.0999)] == ["A", "B", "B", "C", "D"]


class TestDigest:
    def test_layout_and_order_do_not_change_it(self) -> None:
        other = TEXT.replace("A = 0.4\nB = 0.2", "B = 0.20 # agreed\nA = 0.4")
        assert parse(other).digest == parse(TEXT).digest

    @pytest.mark.parametrize("change", ["A = 0.5", 'lost = ["Dead"]', "version = 4"])
    def test_what_is_agreed_changes_it(self, change: str) -> None:
        key = change.split(" = ")[0]
        lines = [change if line.startswith(f"{key} =") else line for line in TEXT.splitlines()]
        assert parse("\n".join(lines)).digest != parse(TEXT).digest

    def test_plain_values_read_back_to_the_same(self) -> None:
        agreement = parse(TEXT)
        assert from_dict(agreement.as_dict()).digest == agreement.digest

    def test_the_label_begins_with_the_version(self) -> None:
        agreement = parse(TEXT)
        assert agreement.label == f"3-{agreement.digest[:8]}"


class TestFile:
    def test_an_absent_file_ends_with_how_to_write_one(self, tmp_path: Path) -> None:
        with pytest.raises(AgreementError, match=r"no such agreement; write one with: leadq init"):
            load(tmp_path / "agreement.toml")

    def test_a_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(AgreementError, match="cannot be read as UTF-8 text"):
            load(tmp_path)

    def test_another_encoding_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "agreement.toml"
        path.write_bytes('name = "Müller"'.encode("cp1252"))
        with pytest.raises(AgreementError, match="cannot be read as UTF-8 text"):
            load(path)

    def test_the_mark_that_windows_editors_write_first_is_no_fault(self, tmp_path: Path) -> None:
        path = tmp_path / "agreement.toml"
        path.write_text(TEXT, encoding="utf-8-sig")
        assert load(path) == parse(TEXT)

    @pytest.mark.parametrize("text", ["format =\n", "[columns\n", 'name = "a"\nname = "b"\n'])
    def test_broken_toml_is_named_with_its_line(self, text: str) -> None:
        with pytest.raises(AgreementError, match=r"agreement\.toml: not valid TOML: .*line \d"):
            parse(text)

    @pytest.mark.parametrize("value", ["9" * 5000, "[" * 3000])
    def test_what_python_cannot_hold_is_refused_in_words(self, value: str) -> None:
        with pytest.raises(AgreementError, match=r"agreement\.toml: holds a number that is too"):
            parse(f"format = {value}")

    def test_an_empty_file_names_every_section_that_is_missing(self) -> None:
        with pytest.raises(AgreementError) as caught:
            parse("")
        found = [line.split(": ")[1] for line in str(caught.value).splitlines()]
        assert found == ["format", "version", "name", "columns", "outcomes", "grades"]

    def test_each_fault_has_a_line_with_file_key_value_and_cure(self) -> None:
        with pytest.raises(AgreementError) as caught:
            parse(TEXT.replace("version = 3\nname", 'version = "three"\nnam'), "leads.toml")
        assert str(caught.value).splitlines() == [
            "leads.toml: version: Input should be a valid integer (found 'three')",
            "leads.toml: name: is missing; add it",
            "leads.toml: nam: is not a key of the agreement; remove it or mend its spelling"
            " (found 'leads')",
        ]

    def test_a_newer_format_asks_for_a_newer_leadq(self) -> None:
        with pytest.raises(AgreementError, match="format = 2 was written by a newer leadq"):
            parse(TEXT.replace("format = 1", "format = 2"))


class TestFaults:
    @pytest.mark.parametrize("wrong", ["1", 0, 1.5])
    def test_another_format_is_refused(self, wrong: object) -> None:
        refused(r"format: Input should be 1 \(found", format=wrong)

    def test_an_unknown_key_in_a_section_is_named_whole(self) -> None:
        columns = {**SMALLEST["columns"], "creation": "x"}
        refused(r"columns\.creation: is not a key of the agreement", columns=columns)

    def test_two_orders_in_time_are_refused(self) -> None:
        columns = {"id": "i", "outcome": "o", "created": "c", "serial": "s"}
        refused("columns: give created or serial, not both", columns=columns)

    @pytest.mark.parametrize("role", ["id", "created", "serial"])
    def test_the_outcome_has_no_other_role(self, role: str) -> None:
        columns = {"id": "i", "outcome": "o", role: "o"}
        refused(f"columns: 'o' is named as outcome and as {role}", columns=columns)

    def test_old_open_leads_are_told_from_young_ones_by_their_creation(self) -> None:
        columns = {"id": "i", "outcome": "o", "serial": "s"}
        refused(
            "learning.open: negative needs columns.created",
            columns=columns,
            learning={"open": "negative"},
        )

    @pytest.mark.parametrize("other", ["won", " WON ", "w on"])
    def test_an_outcome_has_one_meaning_whatever_its_spelling(self, other: str) -> None:
        outcomes = {"won": ["Won", "W On"], "lost": [other]}
        refused("stands under won and lost: keep one", outcomes=outcomes)

    def test_a_number_as_outcome_has_one_meaning_with_and_without_zeros(self) -> None:
        refused(r"'1\.0' stands under won and lost", outcomes={"won": ["1"], "lost": ["0", "1.0"]})

    @pytest.mark.parametrize("empty", ["", "  "])
    def test_an_empty_outcome_cannot_be_given_a_meaning(self, empty: str) -> None:
        outcomes = {"won": ["Won"], "lost": [empty]}
        refused("an empty outcome is always open; remove it", outcomes=outcomes)

    def test_something_must_count_as_won(self) -> None:
        refused(r"outcomes\.won: .*at least 1", outcomes={"won": []})

    def test_a_single_word_in_place_of_a_list_is_told_the_brackets(self) -> None:
        refused(
            r"outcomes\.won: must be a list; write it in brackets: .* \(found 'Won'\)",
            outcomes={"won": "Won"},
        )

    def test_a_word_in_place_of_a_section_is_told_so(self) -> None:
        refused(r"columns: must be a section of keys; .* \(found 'id'\)", columns="id")

    @pytest.mark.parametrize("grades", [(0.1, 0.2, 0.3), (0.2, 0.2, 0.1)])
    def test_grades_must_fall(self, grades: tuple[float, ...]) -> None:
        wrong = dict(zip("ABC", grades, strict=True))
        refused(rf"grades: grades must fall: A {grades[0]} > B", grades=wrong)

    @pytest.mark.parametrize("share", [1.5, -0.1, float("nan")])
    def test_a_share_lies_between_0_and_1(self, share: float) -> None:
        refused(r"grades\.A: Input should be .* equal to", grades={"A": share, "B": 0.2, "C": 0.1})

    @pytest.mark.parametrize("role", ["id", "status", "closed"])
    def test_what_tells_the_answer_cannot_be_a_feature(self, role: str) -> None:
        refused(rf"fields\.'{role}': .* cannot be used to predict", fields={role: {"use": "yes"}})

    def test_an_unknown_kind_is_answered_with_the_known_ones(self) -> None:
        refused(
            r"fields\.Size\.kind: .*'number', 'category'.* \(found 'numeric'\)",
            fields={"Size": {"use": "yes", "kind": "numeric"}},
        )

    def test_a_yes_of_toml_is_no_decision(self) -> None:
        refused(
            r"fields\.Size\.use: .*'yes', 'no' or 'decide' \(found True\)",
            fields={"Size": {"use": True}},
        )

    def test_a_rule_must_say_something(self) -> None:
        routes = [{"owner": "inside", "all": [{"field": "Size"}]}]
        refused(
            r"routes\.0\.all\.0: a rule needs one of: is, at_least, at_most, filled", routes=routes
        )

    def test_won_cannot_teach_anything_but_a_win(self) -> None:
        refused(r"learning\.won: Input should be 'positive'", learning={"won": "negative"})

    @pytest.mark.parametrize("days", [0, 3651, "90", 90.5])
    def test_a_horizon_is_a_whole_number_of_days(self, days: object) -> None:
        refused(r"horizon_days: Input should be", horizon_days=days)

    @pytest.mark.parametrize("delimiter", ['"', "\n", "\r"])
    def test_a_quote_or_a_line_end_cannot_delimit(self, delimiter: str) -> None:
        refused(r"export\.delimiter: a quote or a line end", export={"delimiter": delimiter})

    @pytest.mark.parametrize("encoding", ["klingon", "base64", "a\0b"])
    def test_an_unknown_encoding_is_answered_with_known_ones(self, encoding: str) -> None:
        refused(
            r"export\.encoding: is no text encoding; say one such as utf-8",
            export={"encoding": encoding},
        )

    def test_signatures_are_no_longer_in_the_file(self) -> None:
        refused(r"signatures: is kept by `leadq sign`", signatures=[{"side": "sales"}])


def test_an_agreement_cannot_be_changed_by_those_who_read_it() -> None:
    agreement: Agreement = an_agreement()
    with pytest.raises(ValueError, match="frozen"):
        agreement.version = 2  # type: ignore[misc]


def test_bounds_of_the_gate_hold_one_between_them() -> None:
    refused("gate.predicted_to_actual_at_least", gate={"predicted_to_actual_at_least": 1.1})


def test_the_gate_decides_by_a_metric_that_it_knows() -> None:
    refused("gate.decide_by", gate={"decide_by": "clicks"})
