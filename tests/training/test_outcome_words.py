from __future__ import annotations

import pytest

from features.agreement import DISPOSITIONS
from training.outcome_words import (
    CAMPAIGN_NAMES,
    CLOSED_NAMES,
    CREATED_NAMES,
    ID_NAMES,
    OUTCOME_NAMES,
    PERSONAL_NAMES,
    PERSONAL_NUMBERS,
    SERIAL_NAMES,
    SOURCE_NAMES,
    VALUE_NAMES,
    is_won_beside_lost,
    meaning_of,
    name_rank,
    spoken,
)

SAID = {
    "won": [
        "Closed Won",
        "CLOSED_WON",
        "Closed-Won",
        "Won",
        "Gewonnen",
        "Customer",
        "New customer",
        "Became a client",
        "Converted",
        "Closed - Converted",
        "Contract signed",
        "Deal closed",
        "Sale",
        "Sold",
        "Enrolled",
        "Gagné",
        "Ganada",
        "Venduto",
        "vinto",
        "ja",
        "TRUE",
        "1",
        "1.0",
        "Auftrag gewonnen",
        "Closed Won - pending payment",
        "Purchased",
        "Verkauft",
        "Wygrana",
        "Admitted",
    ],
    "lost": [
        "Closed Lost",
        "Lost at proposal",
        "Lost to competitor",
        "Lost - no budget",
        "Proposal rejected",
        "Negotiation failed",
        "Not converted",
        "Not won",
        "Closed - Not Converted",
        "Cancelled",
        "Abgelehnt",
        "Kein Abschluss",
        "perdu",
        "persa",
        "0.0",
        "nicht gewonnen",
        "Dead",
        "Declined",
        "Unsold",
        "No sale",
    ],
    "open": [
        "Open",
        "New",
        "Working - Contacted",
        "Negotiation",
        "Negotiation/Review",
        "Client meeting",
        "Customer meeting scheduled",
        "Sales qualified lead",
        "Qualified",
        "MQL",
        "Interested",
        "Demo scheduled",
        "Proposal sent",
        "In Bearbeitung",
        "En cours",
        "Prospecting",
        "Deal in progress",
        "Attempted to contact",
        "Opportunity",
        "Sales Accepted",
        "Signed up for trial",
    ],
    "unqualified": [
        "Unqualified",
        "Not interested",
        "No longer interested",
        "Disqualified",
        "Junk Lead",
        "spam",
        "Kein Interesse",
        "No interesado",
        "Not eligible",
        "nicht qualifiziert",
        "Duplicate",
        "do not contact",
        "Não interessado",
    ],
    "not_ready": [
        "Not ready",
        "Nurture",
        "Call back later",
        "Zurückgestellt",
        "Not yet converted",
        "Follow up",
        "On hold",
        "Recycled",
        "Contact in Future",
        "Bad timing",
        "Später",
    ],
    "unreachable": [
        "No answer",
        "Unreachable",
        "Wrong Number",
        "voicemail",
        "No contact",
        "nicht erreicht",
        "No show",
        "invalid number",
    ],
    "in_contract": [
        "In contract",
        "Under contract with competitor",
        "has a contract",
        "Vertragsgebunden",
    ],
}
NOT_SAID = [
    "Paid search",
    "Dealer network",
    "Sales call",
    "Window",
    "deadline",
    "personal",
    "Order info",
    "banana",
    "Hot",
    "Customer success",
    "2",
    "existing customer",
]
ALL_NAMES = (
    OUTCOME_NAMES, CREATED_NAMES, CLOSED_NAMES, ID_NAMES, SERIAL_NAMES, CAMPAIGN_NAMES,
    SOURCE_NAMES, VALUE_NAMES,
)  # fmt: skip


@pytest.mark.parametrize(
    ("disposition", "value"), [(d, value) for d in DISPOSITIONS for value in SAID[d]]
)
def test_what_firms_write_means_one_disposition(disposition: str, value: str) -> None:
    assert meaning_of(value) == disposition


@pytest.mark.parametrize("value", NOT_SAID)
def test_what_is_not_certain_is_left_to_a_human(value: str) -> None:
    assert meaning_of(value) is None


@pytest.mark.parametrize("value", ["  closed   WON ", "closed_won", "CLOSED-WON"])
def test_case_spacing_and_marks_do_not_matter(value: str) -> None:
    assert meaning_of(value) == "won"


@pytest.mark.parametrize("value", ["Closed", "Qualified", "Completed", "cerrado"])
def test_some_words_mean_won_only_beside_others_that_mean_lost(value: str) -> None:
    assert is_won_beside_lost(value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hs_lead_status", "lead status"),
        ("IsConverted", "is converted"),
        ("Close_Date__c", "close date"),
        ("Data de criação", "data de criacao"),
        ("Deal - Deal created", "deal created"),
        ("Country/Region", "country region"),
        ("Статус", "статус"),
    ],
)
def test_a_name_is_compared_as_one_would_say_it(name: str, said: str) -> None:
    assert spoken(name) == said


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (OUTCOME_NAMES, "Lead Status"), (OUTCOME_NAMES, "Opportunity Stage"),
        (OUTCOME_NAMES, "is_customer"), (OUTCOME_NAMES, "Ergebnis"), (OUTCOME_NAMES, "Situação"),
        (OUTCOME_NAMES, "Kunde geworden"), (OUTCOME_NAMES, "comprado"),
        (OUTCOME_NAMES, "Loan Status"),
        (CREATED_NAMES, "created_ts"), (CREATED_NAMES, "Data utworzenia"),
        (CLOSED_NAMES, "Data zamknięcia"), (ID_NAMES, "Numer leada"),
        (CREATED_NAMES, "Create Date"), (CREATED_NAMES, "CreatedDate"),
        (CREATED_NAMES, "Angelegt am"), (CREATED_NAMES, "Fecha de creación"),
        (CREATED_NAMES, "engage_date"), (CREATED_NAMES, "signup_at"), (CREATED_NAMES, "Datum"),
        (CLOSED_NAMES, "Close Date"), (CLOSED_NAMES, "Abschlussdatum"),
        (CLOSED_NAMES, "Fecha de cierre"), (CLOSED_NAMES, "Date de clôture"),
        (ID_NAMES, "hs_object_id"), (ID_NAMES, "Record ID - Contact"), (ID_NAMES, "Kundennummer"),
        (ID_NAMES, "LeadID"), (SERIAL_NAMES, "Lead Number"), (SOURCE_NAMES, "Lead Source"),
        (SOURCE_NAMES, "Quelle"), (CAMPAIGN_NAMES, "utm_campaign"), (VALUE_NAMES, "Deal Value"),
    ],
)  # fmt: skip
def test_a_column_is_known_by_its_name(names: tuple[str, ...], name: str) -> None:
    assert name_rank(name, names) is not None


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (OUTCOME_NAMES, "State"), (OUTCOME_NAMES, "marital_status"), (CREATED_NAMES, "updated_at"),
        (CLOSED_NAMES, "Closest branch"), (ID_NAMES, "Amount paid"), (ID_NAMES, "Contact Number"),
        (SERIAL_NAMES, "Casino"), (SERIAL_NAMES, "Phone Number Rufnummer"),
    ],
)  # fmt: skip
def test_a_name_that_only_looks_similar_is_not_taken(names: tuple[str, ...], name: str) -> None:
    assert name_rank(name, names) is None


@pytest.mark.parametrize("name", ["First Name", "Nachname", "Nombre", "Deal - Title", "Adresse"])
def test_a_personal_field_is_known_by_its_name(name: str) -> None:
    assert PERSONAL_NAMES.fullmatch(spoken(name))


@pytest.mark.parametrize(
    "name", ["SSN", "Passport No.", "Patient_ID", "taxId", "Driver's License Number", "Birth Date"]
)
def test_a_number_of_a_person_is_known_by_its_name(name: str) -> None:
    assert PERSONAL_NUMBERS.fullmatch(spoken(name))


@pytest.mark.parametrize("name", ["Patients", "Tax paid", "National calls", "Birth rate"])
def test_a_number_of_something_else_is_none_of_a_person(name: str) -> None:
    assert not PERSONAL_NUMBERS.fullmatch(spoken(name))


def test_a_long_odd_name_is_read_to_its_end() -> None:
    name = "Date of " + "first contact with us " * 20 + "(approx.)!!"

    assert None in {name_rank(name, names) for names in ALL_NAMES}
