"""Who gets a lead: the first agreed route whose rules all hold."""

from __future__ import annotations

import pytest

from features.cells import Cell
from features.rules import route_of
from tests.features.making import an_agreement

AGREED = an_agreement(
    fields={
        "products": {"use": "no", "kind": "options"},
        "email": {"use": "no", "kind": "email"},
        "employees": {"use": "yes", "kind": "number"},
    },
    routes=[
        {
            "owner": "ida",
            "team": "large",
            "all": [
                {"field": "employees", "at_least": 100.0},
                {"field": "products", "is": ["CRM"]},
            ],
        },
        {"owner": "tom", "all": [{"field": "country", "is": ["DE", "at"]}]},
        {"owner": "eve", "all": [{"field": "phone", "filled": True}]},
    ],
)


@pytest.mark.parametrize(
    ("lead", "owner"),
    [
        ({"employees": "250", "products": "ERP;crm", "country": "DE"}, "ida"),
        ({"employees": "99", "products": "CRM", "country": "AT"}, "tom"),
        ({"employees": "many", "products": "CRM", "phone": "1"}, "eve"),
        ({"country": "FR"}, None),
    ],
)
def test_the_first_route_that_holds_names_the_owner(
    lead: dict[str, Cell], owner: str | None
) -> None:
    route = route_of(lead, AGREED)
    assert (route.owner if route else None) == owner


def test_a_route_without_rules_takes_everybody_else() -> None:
    agreed = an_agreement(routes=[{"owner": "rest"}])
    assert route_of({}, agreed) == agreed.routes[0]
