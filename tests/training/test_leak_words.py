from __future__ import annotations

import pytest

from training.leak_words import Hint, hint_of, is_planned


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("CloseDate", "ending"),
        ("Deal - Lost reason", "ending"),
        ("is_won", "ending"),
        ("Total_Conversion", "ending"),
        ("contract_signed_date", "ending"),
        ("Abschlussdatum", "ending"),
        ("Fecha de cierre", "ending"),
        ("Days to close", "ending"),
        ("Tags", "noted"),
        ("Rating", "noted"),
        ("Lead Quality", "noted"),
        ("Num_Calls_Logged__c", "worked"),
        ("Anzahl Anrufversuche", "worked"),
        ("Angebot versendet", "worked"),
        ("Nombre d'appels", "worked"),
        ("Démo réalisée", "worked"),
        ("Talk Time (min)", "worked"),
        ("Berater", "assigned"),
        ("Lead Status", "worked"),
        ("LastActivityDate", "worked"),
        ("DurationOfPitch", "worked"),
        ("Sales Stage Change Count", "worked"),
        ("Number of times contacted", "worked"),
        ("next_follow_up", "worked"),
        ("Dernière activité", "worked"),
        ("Asymmetrique Profile Score", "scored"),
        ("lead_score", "scored"),
        ("risk_score", "other_score"),
        ("Proposal Sent", "offered"),
        ("Contact Owner", "assigned"),
        ("lst_act_dt", "worked"),
        ("stg_hist", "worked"),
        ("rmks", "noted"),
        ("lead_scr", "scored"),
        ("opp_clsd_dt", "ending"),
        ("Tage offen", "worked"),
        ("Délai de réponse", "worked"),
        ("Correos enviados", "worked"),
        ("Kundenportal", "worked"),
        ("Rabatt", "offered"),
        ("Zuständig", "assigned"),
    ],
)
def test_a_name_tells_when_the_field_is_written(name: str, hint: Hint) -> None:
    assert hint_of(name) == hint


@pytest.mark.parametrize(
    "name",
    [
        "marital_status", "verification_status", "previous_outcome", "poutcome", "credit_score",
        "Deal Type", "Opportunity Amount USD", "Payment Method", "Qualification",
        "ProductRelated_Duration", "total_day_calls", "number_customer_service_calls",
        "TypeofContact", "LastContactMonth", "First Conversion", "lead_source", "TotalVisits",
        "last_visit", "AcceptedCmp1", "Lead Origin", "annual_revenue", "purpose", "State",
        "number_of_employees", "employment_status", "message", "campaign", "created_at",
        "profile_completed", "Do Not Call",
    ],
)  # fmt: skip
def test_the_name_of_an_honest_field_tells_nothing(name: str) -> None:
    assert hint_of(name) == ""


@pytest.mark.parametrize("name", ["Travel Date", "desired_start", "Wunschtermin", "check-in date"])
def test_a_date_that_the_lead_planned_is_known_by_its_name(name: str) -> None:
    assert is_planned(name)
