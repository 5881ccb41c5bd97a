"""How long a request may take, how many there may be at once, and who goes first."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.serving.asking import LEAD, service, talk

PART = {"type": "http.request", "body": b"{", "more_body": True}


def test_a_body_that_stops_coming_is_given_up() -> None:
    sent = asyncio.run(talk(service(body_seconds=0.05), "POST", "/v1/score", [PART]))

    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


def test_a_slow_body_does_not_end_another() -> None:
    async def both() -> tuple[list[Any], list[Any]]:
        shell = service(body_seconds=0.2)
        slow = asyncio.create_task(talk(shell, "POST", "/v1/score", [PART]))
        await asyncio.sleep(0.1)
        whole = {"type": "http.request", "body": json.dumps(LEAD).encode()}
        return await talk(shell, "POST", "/v1/score", [whole]), await slow

    quick, slow = asyncio.run(both())

    assert (quick[0]["status"], slow[0]["status"]) == (200, 408)


def test_a_caller_who_leaves_is_not_answered() -> None:
    gone = {"type": "http.disconnect"}

    assert asyncio.run(talk(service(), "POST", "/v1/score", [PART, gone])) == []


def test_work_that_takes_too_long_is_given_up(monkeypatch) -> None:
    async def slow(*_: Any) -> None:
        await asyncio.sleep(30)

    shell = service(seconds=0.05)
    monkeypatch.setattr(shell, "_app", slow)

    sent = asyncio.run(talk(shell, "GET", "/v1/model", []))

    assert sent[0]["status"] == 503
    assert any(name == b"retry-after" for name, _ in sent[0]["headers"])


def test_many_leads_that_take_too_long_are_given_up() -> None:
    leads = [LEAD] * 2000
    with TestClient(service(seconds=0.001)) as client:
        reply = client.post("/v1/score", json={"leads": leads})

    assert (reply.status_code, "send fewer" in reply.text) == (503, True)


def test_too_many_requests_at_once_are_sent_away_but_health_is_not() -> None:
    async def crowd() -> tuple[Any, Any]:
        shell = service(at_once=1, body_seconds=1)
        first = asyncio.create_task(talk(shell, "POST", "/v1/score", [PART]))
        await asyncio.sleep(0)
        second = await talk(shell, "GET", "/v1/model", [])
        health = await talk(shell, "GET", "/healthz", [])
        first.cancel()
        return second[0]["status"], health[0]["status"]

    assert asyncio.run(crowd()) == (503, 200)


def test_a_lead_alone_is_answered_between_two_turns_of_many() -> None:
    async def race() -> list[str]:
        shell, order = service(), []

        async def ask(name: str, body: dict[str, Any]) -> None:
            message = {"type": "http.request", "body": json.dumps(body).encode()}
            await talk(shell, "POST", "/v1/score", [message])
            order.append(name)

        many = asyncio.create_task(ask("many", {"leads": [LEAD] * 5000}))
        await asyncio.sleep(0)
        await ask("one", LEAD)
        await many
        return order

    assert asyncio.run(race()) == ["one", "many"]


@pytest.mark.parametrize(
    ("second", "status"),
    [({"leads": [LEAD] * 3000}, 503), ({**LEAD, "Message": "x" * 11_000}, 200)],
    ids=["many leads", "one long lead"],
)
def test_too_many_requests_of_many_leads_are_sent_away_but_a_lead_however_long_is_not(
    second: dict[str, Any], status: int
) -> None:
    async def race() -> list[int]:
        shell, bodies = service(bulks=1), ({"leads": [LEAD] * 3000}, second)
        sent = [{"type": "http.request", "body": json.dumps(body).encode()} for body in bodies]
        both = [talk(shell, "POST", "/v1/score", [one]) for one in sent]
        return [told[0]["status"] for told in await asyncio.gather(*both)]

    assert asyncio.run(race()) == [200, status]
