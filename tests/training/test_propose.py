from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from features.errors import AgreementError, FileError
from tests.training.firms import Enquiry, with_times, write_export
from training.propose import Proposal, decide, propose
from training.render import render
from training.roles import Told
from training.summary import proposal_lines

LEAKS = {"Tags", "Lead Quality", "Lead Profile", "Last Activity", "Last Notable Activity"}
SCORES = {
    "Asymmetrique Activity Index", "Asymmetrique Profile Index", "Asymmetrique Activity Score",
    "Asymmetrique Profile Score",
}  # fmt: skip


@pytest.fixture(scope="module")
def education(xeducation: Path) -> Proposal:
    """What init proposes for the education company."""
    return propose(xeducation, Told())


@pytest.fixture(scope="module")
def simulated(crm: Path) -> Proposal:
    """What init proposes for the simulated CRM."""
    return propose(crm / "export.csv", Told())


def firm(e: Enquiry) -> dict[str, object]:
    """An export with a field of every sort."""
    return {
        "id": e.code,
        "created": e.at("%Y-%m-%d %H:%M"),
        "status": {"won": "Won", "lost": "Lost", "junk": "Spam", "later": "Later"}.get(
            e.state, "Open"
        ),
        "closed": e.done("%Y-%m-%d"),
        "size": e.size,
        "source": e.source if e.visits else "Select",
        "First Name": e.name.split()[0],
        "e-mail": f"{e.number}@gmail.com",
        "Patient ID": 10_000 + e.number // 4,
        "religion": e.source,
        "press": "No",
        "session": e.code[::-1],
        "nothing": "",
        "renewed": e.done("%Y-%m-%d"),
    }


@pytest.fixture(scope="module")
def proposal(tmp_path_factory: pytest.TempPathFactory) -> Proposal:
    """What init proposes for that export."""
    return propose(write_export(tmp_path_factory.mktemp("firm"), firm), Told())


def test_the_leaks_of_the_education_company_are_named(education: Proposal) -> None:
    accused = {n for n, f in education.findings.items() if f.verdict in ("blocked", "suspect")}

    assert accused == LEAKS | SCORES


def test_all_other_fields_of_the_education_company_are_fine(education: Proposal) -> None:
    fine = {n for n, f in education.findings.items() if f.verdict == "fine"}

    assert fine == set(education.findings) - LEAKS - SCORES
    assert {"Total Time Spent on Website", "What is your current occupation"} <= fine


def test_the_education_companys_columns_are_found(education: Proposal) -> None:
    columns = education.agreement.columns

    assert (columns.id, columns.serial, columns.outcome, columns.source) == (
        "Prospect ID", "Lead Number", "Converted", "Lead Source",
    )  # fmt: skip


def test_the_education_companys_placeholder_counts_as_missing(education: Proposal) -> None:
    assert "Select" in education.agreement.export.missing


def test_what_sales_writes_into_the_simulated_crm_is_not_used(simulated: Proposal) -> None:
    used = simulated.agreement.used_fields()

    assert not used.keys() & {
        "tag", "lead_rating", "last_activity", "call_minutes", "quote_amount", "close_reason",
        "deal_value",
    }  # fmt: skip


def test_the_honest_fields_of_the_simulated_crm_are_used(simulated: Proposal) -> None:
    used = simulated.agreement.used_fields()

    assert used.keys() >= {"industry", "employees", "budget", "timeline", "visits", "email"}


def test_every_disposition_of_the_simulated_crm_is_understood(simulated: Proposal) -> None:
    assert set(simulated.roles.outcomes) == {
        "won", "lost", "unqualified", "not_ready", "in_contract", "unreachable", "open",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "because"),
    [
        ("First Name", "personal: never used raw"),
        ("Patient ID", "personal: never used raw"),
        ("religion", "protected: a person must not be judged by it"),
        ("press", "nearly the same in every lead"),
        ("session", "marks single leads, not kinds of leads"),
        ("nothing", "empty"),
    ],
)
def test_a_field_that_is_left_out_has_its_reason(
    proposal: Proposal, name: str, because: str
) -> None:
    use = proposal.agreement.fields[name]

    assert (use.use, use.because) == ("no", because)


def test_an_e_mail_is_read_by_its_kind(proposal: Proposal) -> None:
    assert proposal.agreement.fields["e-mail"].kind == "email"


def test_a_date_that_was_written_later_waits_for_a_decision(proposal: Proposal) -> None:
    assert proposal.undecided == ["renewed"]


def test_the_columns_with_a_role_are_no_fields(proposal: Proposal) -> None:
    assert not proposal.agreement.fields.keys() & {"id", "created", "status", "closed"}


def test_a_placeholder_is_proposed_as_missing(proposal: Proposal) -> None:
    assert proposal.agreement.export.missing == ["Select"]


def test_the_horizon_is_one_in_which_nine_of_ten_wins_come(proposal: Proposal) -> None:
    assert proposal.agreement.horizon_days == 60
    assert "9 of 10 wins came within" in proposal.notes["horizon_days"]


def test_the_history_outlasts_the_horizon_three_times(tmp_path: Path) -> None:
    short = write_export(tmp_path, firm, rows=160)

    assert propose(short, Told()).agreement.horizon_days == 30


def test_grade_b_begins_at_the_average(proposal: Proposal) -> None:
    average = float(proposal.labelled.labels.mean())

    assert pytest.approx(average, rel=0.05) == proposal.agreement.grades.B


@pytest.mark.parametrize("words", [{}, {"lost": ["Lost"]}])
def test_what_is_excluded_is_left_out_and_not_judged(
    tmp_path: Path, words: dict[str, list[str]]
) -> None:
    result = propose(write_export(tmp_path, firm), Told(exclude=["size"], **words))

    assert result.agreement.fields["size"].because == "left out by --exclude"
    assert "size" not in result.findings


def test_what_is_included_is_used_and_not_judged(tmp_path: Path) -> None:
    result = propose(write_export(tmp_path, firm), Told(include=["renewed"]))

    use = result.agreement.fields["renewed"]
    assert (use.use, use.why) == ("yes", "declared honest by --include")
    assert "renewed" not in result.findings


def test_a_human_may_declare_a_field_honest(proposal: Proposal) -> None:
    decided = decide(proposal, "renewed", honest=True)

    assert "renewed" in decided.agreement.used_fields()
    assert decided.undecided == []


def test_a_human_may_turn_a_field_down(proposal: Proposal) -> None:
    decided = decide(proposal, "renewed", honest=False)

    assert decided.agreement.fields["renewed"].use == "no"


def test_every_row_is_accounted_for(proposal: Proposal) -> None:
    assert proposal.intake.read == 600
    assert proposal.intake.accepted == len(proposal.labelled.labels) + (
        proposal.labelled.unlabelled.total()
    )


def one_sided(value: str) -> Callable[[Enquiry], dict[str, object]]:
    return lambda e: {"id": e.code, "status": value, "size": e.size}


def test_an_export_without_a_win_says_how_to_name_one(tmp_path: Path) -> None:
    path = write_export(tmp_path, one_sided("Lost"))

    with pytest.raises(AgreementError, match="0 of them are won, read by 'status'; name the"):
        propose(path, Told(outcome="status", won=["Sold"]))


def on_one_day(e: Enquiry) -> dict[str, object]:
    """Leads that were copied from another CRM in one day, and closed days later."""
    return with_times(e) | {
        "created": f"2024-01-01 {e.number % 24:02}:00",
        "closed": f"2024-01-{3 + 4 * (e.number % 7):02}" if e.closed else "",
    }


def test_leads_of_one_creation_day_are_said_to_tell_no_order(tmp_path: Path) -> None:
    proposal = propose(write_export(tmp_path, on_one_day), Told())

    told = "all leads carry one creation day, 2024-01-01 ('created'): no order in time"
    assert any(line.startswith(f"WARNING: {told}") for line in proposal_lines(proposal))
    assert f"# DECIDE: {told}" in render(proposal)


def test_leads_of_two_days_are_not(tmp_path: Path) -> None:
    def on_two_days(e: Enquiry) -> dict[str, object]:
        return on_one_day(e) | {"created": f"2024-01-0{1 + e.number % 2}"}

    proposal = propose(write_export(tmp_path, on_two_days), Told())

    assert not any("one creation day" in line for line in proposal_lines(proposal))


def test_one_creation_day_that_leaves_nothing_known_is_told_as_the_cause(tmp_path: Path) -> None:
    def copied_now(e: Enquiry) -> dict[str, object]:
        return on_one_day(e) | {"created": "2024-07-01"}

    path = write_export(tmp_path, copied_now)

    with pytest.raises(AgreementError, match="all leads carry one creation day, 2024-07-01"):
        propose(path, Told())
    assert propose(path, Told(exclude=["created"])).agreement.order_column is None


def test_how_the_file_is_written_may_be_said_and_is_agreed(tmp_path: Path) -> None:
    path = write_export(tmp_path, firm, delimiter="^", encoding="cp1250")

    export = propose(path, Told(delimiter="^", encoding="cp1250")).agreement.export

    assert (export.delimiter, export.encoding) == ("^", "cp1250")


def test_a_file_cannot_be_delimited_by_more_than_one_character(tmp_path: Path) -> None:
    with pytest.raises(AgreementError, match=r"delimiter: .* at most 1 character \(found ';;'\)"):
        propose(write_export(tmp_path, firm), Told(delimiter=";;"))


def test_a_file_with_a_header_only_is_no_export(tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_text("id,status\n")

    with pytest.raises(AgreementError, match="a header and no usable row"):
        propose(path, Told())


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"none\.csv: no such file"):
        propose(tmp_path / "none.csv", Told())


def test_points_are_proposed_for_used_fields_alone(simulated: Proposal) -> None:
    points = simulated.agreement.points

    assert points
    assert {rule.field for rule in points} <= simulated.agreement.used_fields().keys()


def test_a_small_export_is_given_no_points(tmp_path: Path) -> None:
    small = propose(write_export(tmp_path, firm, rows=60), Told())

    assert small.agreement.points == []
