from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from features.agreement import Columns
from features.errors import AgreementError
from features.leads import ROW_NUMBER
from tests.training.firms import Enquiry, write_export
from training.outcome_words import CALLED_NAMES, name_rank
from training.propose import Proposal, propose
from training.roles import Told, map_outcomes

Row = Callable[[Enquiry], dict[str, object]]
NOBODY = Told()

GERMAN = {
    "won": "Gewonnen", "lost": "Verloren", "junk": "Kein Interesse", "later": "Zurückgestellt",
    "open": "Offen",
}  # fmt: skip
SPANISH = {
    "won": "Ganado", "lost": "Perdido", "junk": "No cualificado", "later": "Aplazado",
    "open": "Abierto",
}  # fmt: skip
FRENCH = {
    "won": "Gagné", "lost": "Perdu", "junk": "Non qualifié", "later": "Plus tard",
    "open": "En cours",
}  # fmt: skip
HUBSPOT = {
    "won": "Closed Won", "lost": "Closed Lost", "junk": "Disqualified", "later": "Nurture",
    "open": "Negotiation",
}  # fmt: skip


def german(e: Enquiry) -> dict[str, object]:
    return {
        "Kundennummer": e.number,
        "Angelegt am": e.at("%d.%m.%Y %H:%M"),
        "Telefon": e.phone,
        "Quelle": e.source,
        "Umsatz": f"{e.size},50",
        "Abschlussdatum": e.done("%d.%m.%Y"),
        "Status": GERMAN[e.state],
    }


def spanish(e: Enquiry) -> dict[str, object]:
    return {
        "Fecha de cierre": e.done("%d/%m/%Y"),
        "Fecha de creación": e.at("%d/%m/%Y"),
        "Código": e.code,
        "Origen": e.source,
        "Empleados": e.size,
        "Estado": SPANISH[e.state],
    }


def french(e: Enquiry) -> dict[str, object]:
    return {
        "Identifiant": e.number,
        "Date de naissance": "1980-01-05",
        "Date de création": e.at("%d/%m/%Y"),
        "Canal": e.source,
        "Statut": FRENCH[e.state],
        "Date de clôture": e.done("%d/%m/%Y"),
    }


def hubspot(e: Enquiry) -> dict[str, object]:
    return {
        "Record ID - Contact": e.number,
        "Create Date": e.at("%Y-%m-%d %H:%M"),
        "Original Source": e.source,
        "Number of Employees": e.size,
        "Deal Stage": HUBSPOT[e.state],
        "Close Date": e.done("%Y-%m-%d"),
    }


def hubspot_api(e: Enquiry) -> dict[str, object]:
    return {
        "hs_object_id": e.number,
        "createdate": e.at("%Y-%m-%dT%H:%M:%SZ"),
        "hs_analytics_source": e.source,
        "hs_lead_status": HUBSPOT[e.state].upper().replace(" ", "_"),
        "closedate": e.done("%Y-%m-%dT%H:%M:%SZ"),
    }


def salesforce_leads(e: Enquiry) -> dict[str, object]:
    return {
        "Id": e.code,
        "LeadSource": e.source,
        "IsConverted": str(e.state == "won"),
        "Status": "Open" if e.visits % 2 else "Working",
        "CreatedDate": e.at("%Y-%m-%dT%H:%M:%S.000+0000"),
        "ConvertedDate": e.done("%Y-%m-%d") if e.state == "won" else "",
    }


def salesforce_deals(e: Enquiry) -> dict[str, object]:
    stages = {"won": "Closed Won", "lost": "Closed Lost", "junk": "Closed Lost"}
    return {
        "Opportunity ID": e.code,
        "Lead Source": e.source,
        "Amount": e.size,
        "Opportunity Stage": stages.get(e.state, "Proposal/Price Quote"),
        "Created Date": e.at("%m/%d/%Y"),
        "Close Date": e.done("%m/%d/%Y") or "12/31/2026",
    }


def pipedrive(e: Enquiry) -> dict[str, object]:
    decided = e.state in ("won", "lost")
    return {
        "Deal - ID": e.number,
        "Deal - Title": f"{e.name} deal",
        "Deal - Status": e.state if decided else "open",
        "Deal - Deal created": e.at("%Y-%m-%d %H:%M:%S"),
        "Deal - Deal closed on": e.done("%Y-%m-%d %H:%M:%S") if decided else "",
        "Deal - Value": e.size,
        "Deal - Source channel": e.source,
    }


FIRMS: list[tuple[Row, str, dict[str, str]]] = [
    (german, ";", {
        "id": "Kundennummer", "created": "Angelegt am", "closed": "Abschlussdatum",
        "outcome": "Status", "source": "Quelle", "value": "Umsatz"}),
    (spanish, ";", {
        "id": "Código", "created": "Fecha de creación", "closed": "Fecha de cierre",
        "outcome": "Estado", "source": "Origen"}),
    (french, ";", {
        "id": "Identifiant", "created": "Date de création", "closed": "Date de clôture",
        "outcome": "Statut", "source": "Canal"}),
    (hubspot, ",", {
        "id": "Record ID - Contact", "created": "Create Date", "closed": "Close Date",
        "outcome": "Deal Stage", "source": "Original Source"}),
    (hubspot_api, ",", {
        "id": "hs_object_id", "created": "createdate", "closed": "closedate",
        "outcome": "hs_lead_status", "source": "hs_analytics_source"}),
    (salesforce_leads, ",", {
        "id": "Id", "created": "CreatedDate", "closed": "ConvertedDate",
        "outcome": "IsConverted", "source": "LeadSource"}),
    (salesforce_deals, ",", {
        "id": "Opportunity ID", "created": "Created Date", "closed": "Close Date",
        "outcome": "Opportunity Stage", "source": "Lead Source", "value": "Amount"}),
    (pipedrive, ";", {
        "id": "Deal - ID", "created": "Deal - Deal created", "closed": "Deal - Deal closed on",
        "outcome": "Deal - Status", "source": "Deal - Source channel", "value": "Deal - Value"}),
]  # fmt: skip


@pytest.mark.parametrize(("row", "delimiter", "roles"), FIRMS)
def test_the_roles_are_found_in_the_words_of_the_firm(
    tmp_path: Path, row: Row, delimiter: str, roles: dict[str, str]
) -> None:
    proposal = propose(write_export(tmp_path, row, delimiter=delimiter), NOBODY)

    assert proposal.agreement.columns == Columns.model_validate(roles)


@pytest.mark.parametrize(
    ("row", "words"), [(german, GERMAN), (spanish, SPANISH), (french, FRENCH), (hubspot, HUBSPOT)]
)
def test_the_outcomes_are_understood_in_the_language_of_the_firm(
    tmp_path: Path, row: Row, words: dict[str, str]
) -> None:
    outcomes = propose(write_export(tmp_path, row, delimiter=";"), NOBODY).roles.outcomes

    assert outcomes == {
        "won": [words["won"]],
        "lost": [words["lost"]],
        "unqualified": [words["junk"]],
        "not_ready": [words["later"]],
        "open": [words["open"]],
    }


def test_a_windows_file_with_decimal_commas_is_understood(tmp_path: Path) -> None:
    proposal = propose(write_export(tmp_path, german, delimiter=";", encoding="cp1252"), NOBODY)

    assert (proposal.agreement.export.decimal, proposal.agreement.export.day_first) == (",", False)
    assert proposal.agreement.columns.created == "Angelegt am"
    assert proposal.agreement.fields["Umsatz"].kind == "number"


def of(tmp_path: Path, told: Told = NOBODY, **cells: Callable[[Enquiry], object]) -> Proposal:
    """Propose for a firm whose export has these columns, and the firm's size."""
    path = write_export(
        tmp_path,
        lambda e: (
            {name.replace("_", " "): cell(e) for name, cell in cells.items()} | {"size": e.size}
        ),
    )
    return propose(path, told)


def yes_or_no(e: Enquiry) -> str:
    return "Y" if e.state == "won" else "N"


def test_without_a_time_a_number_stands_in(tmp_path: Path) -> None:
    columns = of(tmp_path, Enquiry_Number=lambda e: e.number, enrolled=yes_or_no).agreement.columns

    assert (columns.created, columns.serial) == (None, "Enquiry Number")


def test_without_time_and_number_there_is_no_order(tmp_path: Path) -> None:
    proposal = of(tmp_path, uuid=lambda e: e.code, purchased=yes_or_no)

    assert proposal.agreement.order_column is None


def test_without_an_id_the_row_number_stands_in(tmp_path: Path) -> None:
    columns = of(tmp_path, channel=lambda e: e.source, bought=yes_or_no).agreement.columns

    assert columns.id == ROW_NUMBER


@pytest.mark.parametrize("name", ["Contact_Number", "Rufnummer", "WhatsApp_number"])
def test_a_phone_number_is_neither_id_nor_serial(tmp_path: Path, name: str) -> None:
    columns = of(tmp_path, bought=yes_or_no, **{name: lambda e: e.phone}).agreement.columns

    assert (columns.id, columns.serial) == (ROW_NUMBER, None)


def test_seconds_since_1970_are_a_time(tmp_path: Path) -> None:
    columns = of(
        tmp_path, lead_id=lambda e: e.code, timestamp=lambda e: int(e.created.timestamp()),
        sold=yes_or_no,
    ).agreement.columns  # fmt: skip

    assert (columns.created, columns.serial) == ("timestamp", None)


def test_the_only_date_that_every_lead_has_is_its_beginning(tmp_path: Path) -> None:
    columns = of(tmp_path, arrival=lambda e: e.at("%Y-%m-%d"), sold=yes_or_no).agreement.columns

    assert columns.created == "arrival"


@pytest.mark.parametrize("name", ["Date_of_birth", "Last_contact_date", "Modified_at"])
def test_another_date_is_not_taken_for_the_beginning(tmp_path: Path, name: str) -> None:
    columns = of(tmp_path, sold=yes_or_no, **{name: lambda e: e.at("%Y-%m-%d")}).agreement.columns

    assert columns.created is None


def test_a_second_serial_is_no_field_to_predict_from(tmp_path: Path) -> None:
    proposal = of(
        tmp_path, id=lambda e: e.code, created=lambda e: e.at("%Y-%m-%d"),
        Lead_Number=lambda e: e.number, won=yes_or_no,
    )  # fmt: skip

    assert (
        proposal.agreement.fields["Lead Number"].because == "marks single leads, not kinds of leads"
    )


def test_an_outcome_is_known_by_its_words_when_its_name_says_nothing(tmp_path: Path) -> None:
    columns = of(tmp_path, id=lambda e: e.code, Verlauf=lambda e: GERMAN[e.state]).agreement.columns

    assert columns.outcome == "Verlauf"


def test_closed_beside_disqualified_means_won(tmp_path: Path) -> None:
    stage = {"won": "Closed", "lost": "Disqualified"}
    proposal = of(tmp_path, id=lambda e: e.code, Stage=lambda e: stage.get(e.state, "New"))

    assert proposal.roles.outcomes["won"] == ["Closed"]


def test_an_outcome_that_cannot_be_found_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(AgreementError, match=r"name it with --outcome COL.*columns: id, size"):
        of(tmp_path, id=lambda e: e.code)


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AgreementError, match="no column Stat; it has: id, won, size"):
        of(tmp_path, Told(outcome="Stat"), id=lambda e: e.code, won=yes_or_no)


TOLD = Told(
    id="ref", created="seen", outcome="klass", closed="done", won=["gold"], lost=["lead"]
)  # fmt: skip


def told_firm(tmp_path: Path, told: Told = TOLD) -> Proposal:
    """Propose for a firm with words of its own."""
    words = {"won": "gold", "lost": "lead", "junk": "spam", "later": "later", "open": "tbd"}
    return of(
        tmp_path, told,
        ref=lambda e: e.number, seen=lambda e: e.at("%Y/%m/%d"), klass=lambda e: words[e.state],
        done=lambda e: e.done("%Y/%m/%d"),
    )  # fmt: skip


def test_what_is_told_is_not_guessed(tmp_path: Path) -> None:
    columns = told_firm(tmp_path).agreement.columns

    assert (columns.id, columns.created, columns.outcome, columns.closed) == (
        "ref", "seen", "klass", "done",
    )  # fmt: skip


def test_told_outcomes_stand_and_the_others_are_proposed(tmp_path: Path) -> None:
    roles = told_firm(tmp_path).roles

    assert roles.outcomes == {
        "won": ["gold"], "lost": ["lead"], "unqualified": ["spam"], "not_ready": ["later"],
    }  # fmt: skip
    assert roles.undecided == {"tbd": 62}


def test_a_told_serial_is_no_time(tmp_path: Path) -> None:
    columns = of(
        tmp_path, Told(created="row"), id=lambda e: e.code, row=lambda e: e.number, won=yes_or_no
    ).agreement.columns

    assert (columns.created, columns.serial) == (None, "row")


def test_with_a_serial_a_closing_time_is_no_field_and_no_horizon_applies(tmp_path: Path) -> None:
    told = Told(created="ref", closed="done", outcome="klass", won=["gold"])

    agreement = told_firm(tmp_path, told).agreement

    assert (agreement.columns.serial, agreement.columns.closed) == ("ref", "done")
    assert "done" not in agreement.fields


def test_a_field_declared_honest_plays_no_role(tmp_path: Path) -> None:
    proposal = propose(write_export(tmp_path, hubspot), Told(include=["Close Date"]))

    assert proposal.agreement.columns.closed is None
    assert proposal.agreement.fields["Close Date"].use == "yes"


def test_a_source_declared_honest_is_still_the_source(tmp_path: Path) -> None:
    proposal = propose(write_export(tmp_path, hubspot), Told(include=["Original Source"]))

    assert proposal.agreement.columns.source == "Original Source"


def test_a_told_win_takes_the_place_of_the_usual_words() -> None:
    outcomes, undecided = map_outcomes(["won", "paid", "lost"], Told(won=["paid"]))

    assert outcomes == {"won": ["paid"], "lost": ["lost"]}
    assert undecided == ["won"]


def test_of_two_values_the_one_that_is_not_won_is_lost() -> None:
    outcomes, _ = map_outcomes(["gold", "rest"], Told(won=["GOLD "]))

    assert outcomes == {"won": ["GOLD "], "lost": ["rest"]}


def test_a_count_of_wins_is_left_to_a_human() -> None:
    _, undecided = map_outcomes(["0", "1", "2"], NOBODY)

    assert undecided == ["2"]


@pytest.mark.parametrize(
    "name", ["company", "Company Name", "AccountName", "organisation", "Firma"]
)
def test_a_lead_is_called_by_its_company(name: str) -> None:
    assert name_rank(name, CALLED_NAMES) is not None


@pytest.mark.parametrize("name", ["company_size", "account owner", "business_unit", "name"])
def test_what_only_speaks_of_a_company_is_no_name(name: str) -> None:
    assert name_rank(name, CALLED_NAMES) is None
