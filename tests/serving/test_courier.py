"""The courier against a receiver on this machine: signed, tried again, given up, put back."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from standardwebhooks import Webhook, WebhookVerificationError
from standardwebhooks import webhooks as library

from features.errors import StoreError
from features.home import Home, ServeSettings, Settings
from features.store import deliveries, hooks
from features.store.database import Store, open_store
from features.store.deliveries import HELD, Standing, dead_letters, put_back, standing
from features.store.erasure import erase
from features.store.hooks import Kind, KnownHook, secret_of
from features.store.tables import Audit, Delivery
from serving.courier import AGAIN_AFTER, Courier, Round, deliver_due, look_round, wait_after
from serving.post import PostError, post
from tests.features.store.making import MONDAY, NOW, agreed
from tests.features.store.test_hooks import promote, say_not_ready, score
from tests.serving.receiving import Received, Receiver, receiving

SECRET = b"s" * 32
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def hook(store: Store, receiver: Receiver) -> KnownHook:
    return made(store, receiver.url)


def made(store: Store, url: str, *events: Kind) -> KnownHook:
    told = events or ("score", "promotion", "recycled")
    return store.write(lambda c: hooks.add_hook(c, url, told, "AB", "kim", MONDAY))


def by_http(url: str, headers: Mapping[str, str], body: bytes) -> int:
    return post(url, headers, body, allow_private=False)


def send(store: Store, now: datetime, post: Any = by_http) -> Round:
    return deliver_due(store, SECRET, lambda: now, post)


def counts(store: Store) -> Standing:
    with store.reading() as connection:
        return standing(connection).get(1, Standing(0, 0))


def due(store: Store) -> datetime | None:
    with store.reading() as connection:
        return connection.execute(select(Delivery.due)).scalar_one()


def verified(came: Any, secret: str, at: datetime, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the library makes of a message that came at a moment."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return at.replace(tzinfo=UTC)

    monkeypatch.setattr(library, "datetime", Clock)
    return Webhook(secret).verify(came.body, came.headers)


def test_a_message_comes_signed_and_the_library_verifies_it(
    store: Store, hook: KnownHook, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(store, NOW, a="A")
    assert send(store, NOW) == Round(delivered=1)
    (came,) = receiver.came
    assert (came.path, came.headers["content-type"]) == ("/leadq", "application/json")
    found = verified(came, secret_of(hook, SECRET), NOW + 299 * SECOND, monkeypatch)
    assert (found["type"], found["data"]["lead"]) == ("score.graded", "a")


def test_another_secret_body_or_moment_does_not_verify(
    store: Store, hook: KnownHook, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(store, NOW, a="A")
    send(store, NOW)
    (came,) = receiver.came
    right = secret_of(hook, SECRET)
    for one, secret, at in (
        (came, secret_of(hook, b"t" * 32), NOW),
        (came._replace(body=came.body.replace("0.5", "0.9")), right, NOW),
        (came, right, NOW + 301 * SECOND),
    ):
        with pytest.raises(WebhookVerificationError):
            verified(one, secret, at, monkeypatch)


def test_what_was_delivered_is_not_sent_again_and_its_text_is_gone(
    store: Store, hook: KnownHook, receiver: Receiver
) -> None:
    score(store, NOW, a="A")
    assert [send(store, NOW), send(store, NOW + DAY)] == [Round(delivered=1), Round()]
    assert counts(store) == Standing(0, 0)
    with store.reading() as connection:
        assert connection.execute(select(Delivery.body)).scalar_one() == ""


def test_what_fails_is_tried_again_under_the_same_name_with_growing_waits(
    store: Store, hook: KnownHook, receiver: Receiver
) -> None:
    promote(store, "1")
    receiver.answers = [500, 503, 404]
    moment, waits = NOW, []
    for _ in range(3):
        assert send(store, moment) == Round(failed=1)
        assert send(store, moment) == Round()
        next_ = due(store)
        assert next_ is not None
        waits.append(next_ - moment)
        moment = next_
    assert send(store, moment) == Round(delivered=1)
    assert len(receiver.came) == 4
    assert len(set(receiver.ids)) == 1
    for wait, least in zip(waits, AGAIN_AFTER, strict=False):
        assert least <= wait <= 1.2 * least


def test_what_fails_every_time_is_a_dead_letter_until_it_is_put_back(
    store: Store, hook: KnownHook, receiver: Receiver
) -> None:
    promote(store, "1")
    receiver.answers = [500] * 7
    rounds, moment = [], NOW
    while counts(store).waiting:
        rounds.append(send(store, moment))
        moment += 2 * DAY
    assert rounds == [Round(failed=1)] * 6 + [Round(failed=1, dead=1)]
    assert counts(store) == Standing(waiting=0, dead=1)
    with store.reading() as connection:
        (letter,) = dead_letters(connection)
    assert (letter.hook, letter.tries, letter.error) == (1, 7, "the receiver answered 500")
    assert send(store, moment) == Round()

    assert store.write(lambda c: put_back(c, moment)) == 1
    assert send(store, moment) == Round(delivered=1)
    assert counts(store) == Standing(0, 0)


def test_a_redirect_is_a_failure_and_nothing_goes_where_it_leads(
    store: Store, hook: KnownHook, receiver: Receiver
) -> None:
    with receiving() as elsewhere:
        receiver.answers, receiver.extra = [307], {"location": elsewhere.url}
        promote(store, "1")
        assert send(store, NOW) == Round(failed=1)
        assert elsewhere.came == []
    with store.reading() as connection:
        error = connection.execute(select(Delivery.error)).scalar_one()
    assert error == "the receiver answered 307, and redirects are not followed"


def test_a_receiver_that_is_gone_for_good_loses_its_hook(
    store: Store, hook: KnownHook, receiver: Receiver
) -> None:
    promote(store, "1")
    promote(store, "2")
    receiver.answers = [410]
    assert send(store, NOW) == Round(failed=1)
    promote(store, "3")
    assert send(store, NOW + DAY) == Round()
    with store.reading() as connection:
        assert hooks.live_hooks(connection) == []
        assert connection.execute(select(Delivery.key)).all() == []
        who = select(Audit.who).where(Audit.act == "hook remove")
        assert connection.execute(who).scalar_one() == "the receiver (410 Gone)"


def test_what_is_told_of_an_erased_lead_is_not_sent(
    store: Store, hook: KnownHook, receiver: Receiver
) -> None:
    score(store, NOW, a="A", b="A")
    erase(store, ["a"], "dpo", NOW)
    assert send(store, NOW) == Round(delivered=1)
    assert [json.loads(one.body)["data"]["lead"] for one in receiver.came] == ["b"]


def test_two_senders_at_once_send_each_message_once(
    store: Store, store_url: str, hook: KnownHook, receiver: Receiver
) -> None:
    score(store, NOW, **{f"a{n}": "A" for n in range(20)})
    other = open_store(store_url)
    together = threading.Barrier(2)

    def run(one: Store) -> Round:
        together.wait()
        return send(one, NOW)

    with ThreadPoolExecutor(2) as pool:
        rounds = list(pool.map(run, [store, other]))
    other.close()
    assert Round.plus(*rounds) == Round(delivered=20)
    assert len(receiver.came) == len(set(receiver.ids)) == 20


def test_a_message_whose_sender_died_is_sent_by_another_later(
    store: Store, hook: KnownHook, receiver: Receiver
) -> None:
    promote(store, "1")
    assert store.write(lambda c: deliveries.take(c, 1, NOW)) is not None
    assert send(store, NOW + HELD - SECOND) == Round()
    assert send(store, NOW + HELD) == Round(delivered=1)


def test_a_receiver_that_fails_does_not_keep_another_waiting(
    store: Store, receiver: Receiver
) -> None:
    made(store, "http://127.0.0.1:1/nobody", "promotion")
    made(store, receiver.url, "promotion")
    promote(store, "1")
    promote(store, "2")
    assert send(store, NOW) == Round(delivered=2, failed=1)


def test_a_receiver_that_is_slow_has_its_turn_and_no_more(store: Store, hook: KnownHook) -> None:
    moments = iter(NOW + n * SECOND for n in range(99))
    score(store, NOW, **{f"a{n}": "A" for n in range(20)})
    done = deliver_due(store, SECRET, lambda: next(moments), lambda *_: 204)
    assert 0 < done.delivered < 5
    assert counts(store).waiting == 20 - done.delivered


def test_whatever_goes_wrong_with_one_message_it_is_tried_again(
    store: Store, hook: KnownHook
) -> None:
    def broken(*_: object) -> int:
        raise ValueError("odd: web-1")

    def away(*_: object) -> int:
        raise PostError("crm.example.com: the name is not known")

    promote(store, "1")
    assert send(store, NOW, broken) == Round(failed=1)
    assert send(store, NOW + DAY, away) == Round(failed=1)
    with store.reading() as connection:
        error = connection.execute(select(Delivery.error)).scalar_one()
    assert error == "crm.example.com: the name is not known"
    assert counts(store) == Standing(waiting=1, dead=0)


def test_waits_differ_from_message_to_message_and_end() -> None:
    letters = [deliveries.Letter(key, "event", "", 1) for key in range(50)]
    waits = {wait_after(letter) for letter in letters}
    assert len(waits) > 40
    assert wait_after(letters[0]) == wait_after(letters[0])
    assert wait_after(letters[0]._replace(tries=7)) is None


def test_a_look_round_finds_the_leads_that_come_back_once(
    store: Store, hook: KnownHook, receiver: Receiver
) -> None:
    say_not_ready(store, "a", MONDAY + DAY)
    assert [look_round(store, agreed, moment) for moment in (MONDAY + DAY, NOW, NOW)] == [0, 1, 0]
    assert send(store, NOW) == Round(delivered=1)
    assert look_round(store, agreed, NOW + DAY) == 0
    (came,) = receiver.came
    assert "Zaphod" not in came.body


AGREEMENT = """
format = 1
version = 1
name = "test"
columns = {id = "id", outcome = "status", created = "created"}
outcomes = {won = ["Won"], lost = ["Lost"]}
grades = {A = 0.5, B = 0.25, C = 0.1}
"""


def courier(store: Store, folder: Path, secret: str = "s" * 32) -> Courier:
    """The courier of a home with an agreement, at `NOW`."""
    (folder / "agreement.toml").write_text(AGREEMENT, encoding="utf-8")
    chosen = ServeSettings(agreement=folder / "agreement.toml")
    home = Home(Settings(home=folder, serve=chosen, secret=SecretStr(secret)))
    return Courier(home, lambda: store, lambda: NOW)


def test_the_courier_finds_sends_and_rests(
    store: Store, hook: KnownHook, receiver: Receiver, tmp_path: Path
) -> None:
    say_not_ready(store, "a", MONDAY + DAY)
    promote(store, "1")
    one = courier(store, tmp_path)
    assert [one.step(), one.step()] == [0.0, 1.0]
    assert [json.loads(one.body)["type"] for one in receiver.came] == [
        "model.promoted",
        "lead.recycled",
    ]


def test_without_a_secret_webhooks_wait_and_the_log_says_so_once(
    store: Store,
    hook: KnownHook,
    receiver: Receiver,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = courier(store, tmp_path, secret="")
    assert one.step() == 1.0
    promote(store, "1")
    assert [one.step(), one.step()] == [30.0, 30.0]
    assert (receiver.came, counts(store)) == ([], Standing(waiting=1, dead=0))
    told = "".join(capsys.readouterr())
    assert (told.count("webhooks wait"), told.count("LEADQ_SECRET is not set")) == (1, 1)


def test_the_courier_outlives_a_store_that_does_not_answer(
    store: Store, hook: KnownHook, receiver: Receiver, tmp_path: Path
) -> None:
    one = courier(store, tmp_path)
    promote(store, "1")
    answers = iter([StoreError("down"), StoreError("down"), store])

    def open_it() -> Store:
        answer = next(answers)
        if isinstance(answer, StoreError):
            raise answer
        return answer

    one._open = open_it
    assert [one.step(), one.step()] == [30.0, 0.0]
    assert len(receiver.came) == 1


def test_without_an_agreement_all_else_is_sent(
    store: Store, hook: KnownHook, receiver: Receiver, tmp_path: Path
) -> None:
    one = courier(store, tmp_path)
    (tmp_path / "agreement.toml").unlink()
    promote(store, "1")
    assert [one.step(), one.step()] == [0.0, 1.0]
    assert [json.loads(came.body)["type"] for came in receiver.came] == ["model.promoted"]


def test_the_message_in_the_guide_is_signed_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    head, _, body = (
        guide.partition("POST /leadq HTTP/1.1\n")[2].partition("\n```")[0].partition("\n\n")
    )
    headers = dict(line.split(": ", 1) for line in head.splitlines())
    (secret,) = re.findall(r"signed by the secret `(whsec_[^`]+)`", guide)
    came = Received("/leadq", headers, body)
    assert verified(came, secret, NOW, monkeypatch)["data"]["grade"] == "A"
