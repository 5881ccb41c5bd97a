"""Who may come in, how long they stay, and what no other site can make their browser do."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from starlette.exceptions import HTTPException

from features.store import api_keys
from features.store.database import Store, open_store
from features.store.tables import Audit
from serving.access import SESSION_HOURS
from serving.pages import assets
from serving.pages.sessions import COOKIE, LINK_SECONDS, Session, Sessions, set_cookie
from tests.features.store.making import NOW
from tests.serving.pages.signing import SECRET, key_for, pages, send, sign_in, token_in


@pytest.fixture
def url(tmp_path: Path, sqlite_store: Path) -> str:
    (tmp_path / "store.db").write_bytes(sqlite_store.read_bytes())
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def client(url: str, tmp_path: Path) -> Iterator[TestClient]:
    with pages(url, tmp_path) as client:
        yield client


def test_who_is_not_signed_in_is_led_to_the_way_in_and_back(
    client: TestClient, store: Store
) -> None:
    reply = client.get("/queue?grade=A")
    assert (reply.status_code, reply.headers["location"]) == (
        303,
        "/sign-in?next=%2Fqueue%3Fgrade%3DA",
    )
    key = key_for(store, "Kim", "sales")
    client.access.refresh()  # type: ignore[attr-defined]
    back = client.post("/sign-in", data={"key": key, "next": "/queue?grade=A"})
    assert back.headers["location"] == "/queue?grade=A"


@pytest.mark.parametrize("path", ["https://evil.example", "//evil.example", "/\\evil.example", "x"])
def test_the_way_in_leads_nowhere_else(client: TestClient, store: Store, path: str) -> None:
    key = key_for(store, "Kim", "sales")
    client.access.refresh()  # type: ignore[attr-defined]
    reply = client.post("/sign-in", data={"key": key, "next": path})
    assert reply.headers["location"] == "/"


def test_a_cookie_is_kept_from_scripts_and_other_sites(client: TestClient, store: Store) -> None:
    key = key_for(store, "Kim", "sales")
    client.access.refresh()  # type: ignore[attr-defined]
    plain = client.post("/sign-in", data={"key": key}).headers["set-cookie"]
    behind_tls = {"X-Forwarded-Proto": "https"}
    secure = client.post("/sign-in", data={"key": key}, headers=behind_tls).headers["set-cookie"]
    assert "HttpOnly; SameSite=Lax" in plain
    assert plain.endswith("Lax")
    assert secure.endswith("; Secure")
    assert key not in plain


def test_a_revoked_key_ends_its_sessions(client: TestClient, store: Store) -> None:
    key = key_for(store, "Kim", "sales")
    sign_in(client, key)
    assert client.get("/queue").status_code == 200
    store.write(lambda c: api_keys.revoke(c, key[:14], "test", NOW))
    client.access.refresh()  # type: ignore[attr-defined]
    assert client.get("/queue").headers["location"].startswith("/sign-in")


def test_a_session_ends_by_itself_and_cannot_be_made_longer(url: str) -> None:
    at = [1000.0]
    sessions = Sessions(SECRET, None, lambda: at[0])
    assert float(sessions.sign_in("", "here").split(".")[1]) == at[0] + 3600 * SESSION_HOURS
    word = sessions.link("leadq_k")
    prefix, end, nonce, signature = word.split(".")
    longer = f"{prefix}.{float(end) + 9e9:.0f}.{nonce}.{signature}"
    for wrong in (longer, "", "x", word[:-1] + "x", f"{prefix}.{end}.{nonce}."):
        with pytest.raises(HTTPException, match="nobody is signed in"):
            sessions.of_link(wrong)
    at[0] += LINK_SECONDS
    with pytest.raises(HTTPException, match="the time is over"):
        sessions.of_link(word)


def test_a_session_is_no_address_that_signs_in_and_the_other_way_round(
    client: TestClient, store: Store
) -> None:
    key = key_for(store, "Kim", "sales")
    sign_in(client, key)
    cookie = client.cookies[COOKIE]
    client.cookies.clear()
    assert client.get(f"/sign-in/once?word={cookie}").status_code == 401
    client.cookies.set(COOKIE, Sessions(SECRET, None).link(key[:14]))
    assert client.get("/queue").status_code == 303


def test_a_key_that_opens_no_page_is_refused_in_words(client: TestClient, store: Store) -> None:
    key = key_for(store, "CRM", "score", "feedback")
    client.access.refresh()  # type: ignore[attr-defined]
    reply = client.post("/sign-in", data={"key": key})
    assert reply.status_code == 403
    assert "opens no pages" in reply.text
    assert "set-cookie" not in reply.headers


def test_after_ten_keys_that_were_not_good_one_has_to_wait(
    client: TestClient, store: Store
) -> None:
    good = key_for(store, "Kim", "sales")
    client.access.refresh()  # type: ignore[attr-defined]
    tried = [client.post("/sign-in", data={"key": "leadq_x"}).status_code for _ in range(11)]
    assert tried == [401] * 10 + [429]
    assert client.post("/sign-in", data={"key": good}).status_code == 303


def test_a_form_larger_than_any_of_ours_is_not_read(client: TestClient) -> None:
    reply = client.post("/sign-in", data={"key": "x" * 70_000})
    assert reply.status_code == 413


def test_addresses_that_are_none_are_no_fault_of_the_service(client: TestClient) -> None:
    assert client.get("/sign-in?next=//[").status_code == 200
    reply = client.post("/sign-in", data={"key": "x"}, headers={"Origin": "http://["})
    assert reply.status_code == 403


def test_a_page_of_another_site_can_send_nothing(client: TestClient, store: Store) -> None:
    sign_in(client, key_for(store, "Kim", "sales"))
    token = token_in(client.get("/queue").text)
    for origin in ("https://evil.example", "null", "http://testserver.evil.example"):
        reply = client.post("/sign-out", data={"token": token}, headers={"Origin": origin})
        assert reply.status_code == 403, origin
    without = {name: value for name, value in client.headers.items() if name != "origin"}
    client.headers.clear()
    client.headers.update(without)
    assert client.post("/sign-out", data={"token": token}).status_code == 403


def test_a_form_of_another_session_is_refused(client: TestClient, store: Store) -> None:
    sign_in(client, key_for(store, "Kim", "sales"))
    other = token_in(client.get("/queue").text)
    sign_in(client, key_for(store, "Lee", "sales"))
    for token in (other, "", "ä"):
        assert client.post("/sign-out", data={"token": token}).status_code == 403
    assert send(client, "/sign-out").headers["location"] == "/sign-in"


def test_who_signs_out_is_out(client: TestClient, store: Store) -> None:
    sign_in(client, key_for(store, "Kim", "sales"))
    reply = send(client, "/sign-out")
    assert f"{COOKIE}=; Max-Age=0" in reply.headers["set-cookie"]
    assert client.get("/queue").status_code == 303


def test_a_copied_cookie_is_good_for_nothing_once_its_owner_has_signed_out(
    client: TestClient, store: Store, url: str, tmp_path: Path
) -> None:
    sign_in(client, key_for(store, "Kim", "sales"))
    copied = client.cookies[COOKIE]
    with pages(url, tmp_path) as elsewhere:
        elsewhere.cookies.set(COOKIE, copied)
        assert elsewhere.get("/queue").status_code == 200
        send(client, "/sign-out")
        elsewhere.access.refresh()  # type: ignore[attr-defined]
        assert elsewhere.get("/queue").status_code == 303
    client.cookies.clear()
    client.cookies.set(COOKIE, copied)
    assert client.get("/queue").status_code == 303
    with pages(url, tmp_path) as started_later:
        started_later.cookies.set(COOKIE, copied)
        assert started_later.get("/queue").status_code == 303


def test_signing_out_ends_no_other_session_of_the_key(client: TestClient, store: Store) -> None:
    key = key_for(store, "Kim", "sales")
    sign_in(client, key)
    at_the_other_desk = client.cookies[COOKIE]
    sign_in(client, key)
    send(client, "/sign-out")
    client.cookies.set(COOKIE, at_the_other_desk)
    assert client.get("/queue").status_code == 200


def test_coming_and_going_stand_in_the_audit_log(client: TestClient, store: Store) -> None:
    key = key_for(store, "Kim", "sales")
    sign_in(client, key)
    send(client, "/sign-out")
    with store.reading() as connection:
        acts = connection.execute(select(Audit.who, Audit.act).order_by(Audit.key)).all()
    assert acts[-2:] == [(key[:14], "sign in"), (key[:14], "sign out")]


def test_an_address_signs_in_once_and_soon(client: TestClient, store: Store) -> None:
    key = key_for(store, "Kim", "sales")
    client.access.refresh()  # type: ignore[attr-defined]
    word = Sessions(SECRET, None).link(key[:14])
    assert client.post("/sign-in/once", data={"word": word}).headers["location"] == "/"
    assert "Kim" in client.get("/queue").text
    assert client.post("/sign-in/once", data={"word": word}).status_code == 401
    late = Sessions(SECRET, None, lambda: 2e9 - LINK_SECONDS - 1).link(key[:14])
    with pytest.raises(HTTPException, match="the time is over"):
        Sessions(SECRET, None, lambda: 2e9).of_link(late)


def test_an_address_that_is_only_opened_signs_nobody_in_and_stays_good(
    client: TestClient, store: Store
) -> None:
    key = key_for(store, "Kim", "sales")
    client.access.refresh()  # type: ignore[attr-defined]
    word = Sessions(SECRET, None).link(key[:14])
    for _ in range(2):
        page = client.get(f"/sign-in/once?word={word}")
        assert (page.status_code, "set-cookie" in page.headers) == (200, False)
        assert f'value="{word}"' in page.text
    assert client.get("/queue").status_code == 303
    assert client.post("/sign-in/once", data={"word": word}).status_code == 303
    assert client.get("/queue").status_code == 200


def test_an_address_of_a_key_that_is_gone_signs_nobody_in(client: TestClient, store: Store) -> None:
    key = key_for(store, "Kim", "sales", expires=datetime(2001, 1, 2))
    client.access.refresh()  # type: ignore[attr-defined]
    word = Sessions(SECRET, None).link(key[:14])
    assert client.get(f"/sign-in/once?word={word}").status_code == 401


def test_the_navigation_shows_what_one_may_see(client: TestClient, store: Store) -> None:
    sign_in(client, key_for(store, "Kim", "sales"))
    assert 'href="/queue"' in client.get("/queue").text
    sign_in(client, key_for(store, "Lee", "marketing"))
    refused = client.get("/queue")
    assert refused.status_code == 403
    assert "<h1>Not with this key</h1>" in refused.text


def test_a_refusal_is_no_call_of_the_key_and_too_many_calls_leave_the_navigation(
    url: str, store: Store, tmp_path: Path
) -> None:
    with pages(url, tmp_path, calls=3) as client:
        sign_in(client, key_for(store, "Kim", "sales"))  # which is a call
        for _ in range(5):
            assert 'href="/queue"' in client.get("/nowhere").text
            assert client.get("/v1/nothing", headers={"Accept": "*/*"}).status_code == 404
            assert client.get("/nowhere", headers={"HX-Request": "true"}).status_code == 404
        assert [client.get("/queue").status_code for _ in range(3)] == [200, 200, 429]
        refused = client.get("/queue")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert 'href="/queue"' in refused.text


def test_who_is_signed_in_is_looked_up_for_whole_pages_alone(
    client: TestClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(client, key_for(store, "Kim", "sales"))
    looked: list[Session | None] = []
    of = Sessions.of

    def look(sessions: Sessions, headers: Mapping[bytes, bytes]) -> Session | None:
        looked.append(of(sessions, headers))
        return looked[-1]

    monkeypatch.setattr(Sessions, "of", look)
    client.get("/v1/nothing", headers={"Accept": "*/*"})
    client.get("/nowhere", headers={"HX-Request": "true"})
    assert looked == []
    client.get("/nowhere")
    assert [found.name for found in looked if found] == ["Kim"]


def test_whoever_is_refused_finds_the_way_to_the_other_pages(
    client: TestClient, store: Store
) -> None:
    assert "<nav" not in client.get("/nothing/here").text
    sign_in(client, key_for(store, "Lee", "marketing"))
    for path in ("/queue", "/nothing/here", "/alignment?week=2026-W99"):
        refused = client.get(path)
        assert refused.status_code in (403, 404)
        assert 'href="/campaigns"' in refused.text
        assert 'href="/queue"' not in refused.text


def test_a_browser_gets_pages_and_a_program_problems(client: TestClient) -> None:
    page = client.get("/nothing/here")
    program = client.get("/nothing/here", headers={"Accept": "application/json"})
    assert (page.status_code, program.status_code) == (404, 404)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert program.headers["content-type"] == "application/problem+json"
    part = client.get("/queue", headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["hx-redirect"]) == (401, "/sign-in?next=%2Fqueue")


@pytest.mark.parametrize(
    "asked",
    [
        {"HX-Request": "true", "HX-Current-URL": "http://testserver/queue?grade=A#list"},
        {"Accept": "text/html", "Referer": "http://testserver/queue?grade=A"},
    ],
)
def test_who_sends_something_once_the_session_is_over_is_told_and_led_back(
    client: TestClient, asked: dict[str, str]
) -> None:
    sent = client.post(
        "/leads/a/words", data={"code": "lost"}, headers=asked, follow_redirects=False
    )
    way_in = sent.headers["hx-redirect" if "HX-Request" in asked else "location"]
    assert way_in == "/sign-in?next=%2Fqueue%3Fgrade%3DA&sent=yes"
    page = client.get(way_in).text
    assert "what you sent last was not kept" in page
    assert 'name="next" value="/queue?grade=A"' in page


def test_what_is_sent_is_told_by_the_method_and_not_by_its_length(client: TestClient) -> None:
    asked = {"Referer": "http://testserver/queue"}
    parts = iter([b"code=", b"lost"])
    words = client.post("/leads/a/words", content=parts, headers=asked)
    looked = client.get("/queue", headers={"Content-Length": "0"})
    left = client.post("/sign-out", headers=asked)
    assert [reply.headers["location"] for reply in (words, looked, left)] == [
        "/sign-in?next=%2Fqueue&sent=yes",
        "/sign-in?next=%2Fqueue",
        "/sign-in?next=%2F",
    ]


@pytest.mark.parametrize(
    "seen", ["http://evil.example//evil.example/", "http://[", "//evil", "\\x"]
)
def test_no_other_site_is_led_to_by_what_a_browser_says_it_saw(
    client: TestClient, seen: str
) -> None:
    asked = {"HX-Request": "true", "HX-Current-URL": seen}
    sent = client.post("/leads/a/words", data={"code": "lost"}, headers=asked)
    assert (sent.status_code, 'value="/"' in client.get(sent.headers["hx-redirect"]).text) == (
        401,
        True,
    )


def test_without_keys_everybody_here_is_signed_in_and_other_sites_are_not(
    url: str, tmp_path: Path
) -> None:
    with pages(url, tmp_path, keys=False) as client:
        page = client.get("/queue")
        assert page.status_code == 200
        assert "Sign out" not in page.text
        refused = client.post("/sign-in", headers={"Origin": "https://evil.example"})
        assert refused.status_code == 403


def test_pages_allow_nothing_from_elsewhere_and_nothing_inline(client: TestClient) -> None:
    reply = client.get("/sign-in")
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert reply.headers["cache-control"] == "no-store"
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|https?://", reply.text)


def test_files_may_be_kept_for_good_as_their_names_hold_their_digest(client: TestClient) -> None:
    names = re.findall(r'(?:href|src)="(/static/[^"]+)"', client.get("/sign-in").text)
    assert len(names) == 4
    for name in names:
        reply = client.get(name)
        assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert hashlib.sha256(reply.content).hexdigest()[:12] in name
    assert client.get("/static/leadq.css").status_code == 404


def test_the_library_is_the_file_that_was_published() -> None:
    text = (assets.FOLDER / "htmx.txt").read_text(encoding="utf-8")
    told = re.search(r"sha256 (\w{64})", text)
    found = hashlib.sha256((assets.FOLDER / "htmx.min.js").read_bytes()).hexdigest()
    assert told is not None
    assert told[1] == found
    assert "Permission to use, copy, modify" in text


def test_a_cookie_is_secure_only_where_it_came_over_tls() -> None:
    assert "Secure" not in set_cookie("x", {})
    assert "Secure" in set_cookie("x", {"x-forwarded-proto": "https, http"})
