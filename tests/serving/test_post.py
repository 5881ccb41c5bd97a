"""Where messages may go, and what becomes of those that meet an odd receiver."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from features.errors import UsageError
from serving import post as module
from serving.post import ForbiddenError, PostError, post, target_of, where_to
from tests.serving.receiving import receiving


@pytest.mark.parametrize(
    "url",
    ["", "crm.example.com", "ftp://crm.example.com/", "https://", "https://a:port/", "http:///x"],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="no address; write it as https://"):
        target_of(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://kim:secret@crm.example.com/",
        "https://crm.example.com/#part",
        "https://crm.example.com/a b",
        "https://crm.example.com/\r\nx-more: 1",
        "https://müller.example/",
    ],
)
def test_an_address_with_odd_parts_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="may hold no user, password, fragment"):
        target_of(url)


@pytest.mark.parametrize("host", ["crm.example.com", "10.0.0.1", "localhost.example.com", "127.1"])
def test_messages_to_other_machines_go_over_https_alone(host: str) -> None:
    with pytest.raises(UsageError, match="over https alone"):
        target_of(f"http://{host}/hooks")
    assert target_of(f"https://{host}/hooks").port == 443


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"])
def test_this_machine_may_be_told_without_tls(host: str) -> None:
    target = target_of(f"http://{host}:8080/hooks?of=leadq")
    assert (target.port, target.path) == (8080, "/hooks?of=leadq")


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
        "0.0.0.0",
        "224.0.0.1",
        "[::]",
    ],
)
def test_no_setting_lets_messages_to_metadata_or_no_machine(host: str) -> None:
    with pytest.raises(ForbiddenError, match="leads to"):
        where_to(target_of(f"https://{host}/"), allow_private=True)


@pytest.mark.parametrize(
    "host", ["10.1.2.3", "172.16.0.1", "192.168.1.1", "[fd12::1]", "100.64.0.1"]
)
def test_a_private_network_needs_a_setting(host: str) -> None:
    target = target_of(f"https://{host}/")
    with pytest.raises(ForbiddenError, match="LEADQ_HOOKS__PRIVATE"):
        where_to(target, allow_private=False)
    assert where_to(target, allow_private=True) == ipaddress.ip_address(host.strip("[]"))


@contextmanager
def naming(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> Iterator[None]:
    """Let every name lead to some addresses."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 443)) for each in addresses]
    with monkeypatch.context() as patch:
        patch.setattr(module.socket, "getaddrinfo", lambda *_, **__: found)
        yield


@pytest.mark.parametrize("inside", ["127.0.0.1", "169.254.169.254", "10.0.0.1"])
def test_a_name_that_leads_inside_is_refused_whatever_else_it_leads_to(
    inside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with naming(monkeypatch, "93.184.215.14", inside), pytest.raises(ForbiddenError, match=inside):
        where_to(target_of("https://crm.example.com/"), allow_private=False)


def test_a_name_that_leads_outside_may_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with naming(monkeypatch, "93.184.215.14"):
        found = where_to(target_of("https://crm.example.com/"), allow_private=False)
    assert str(found) == "93.184.215.14"


def test_a_name_that_is_not_known_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(module.socket, "getaddrinfo", unknown)
    with pytest.raises(PostError, match=r"crm\.example\.com: the name is not known"):
        post("https://crm.example.com/", {}, b"", allow_private=False)


@contextmanager
def answering(*pieces: bytes, hold: bool = False) -> Iterator[str]:
    """A receiver that answers with some bytes, and then ends or holds on."""
    done = threading.Event()

    def answer() -> None:
        talk, _ = server.accept()
        with talk:
            talk.recv(65536)
            for piece in pieces:
                talk.sendall(piece)
            if hold:
                done.wait(10)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/secret-path"
        finally:
            done.set()
            thread.join()


def sent(url: str) -> int:
    return post(url, {"content-type": "application/json"}, b"{}", allow_private=False)


def test_the_body_of_a_reply_is_not_waited_for() -> None:
    with answering(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", hold=True) as url:
        assert sent(url) == 200


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a" * 99999]
)
def test_what_is_no_reply_of_http_is_a_failure_that_names_the_host_alone(answer: bytes) -> None:
    with answering(answer) as url, pytest.raises(PostError, match=r"^127\.0\.0\.1: ") as told:
        sent(url)
    assert "secret" not in str(told.value)


def test_a_receiver_that_does_not_answer_is_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_SECONDS", 0.05)
    with answering(hold=True) as url, pytest.raises(PostError, match="no reply within"):
        sent(url)


def test_a_receiver_that_never_ends_its_answer_is_broken_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_ALL_SECONDS", 0.05)
    with (
        answering(b"HTTP/1.", hold=True) as url,
        pytest.raises(PostError, match="no reply of HTTP"),
    ):
        sent(url)


def test_nobody_there_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(PostError, match=r"127\.0\.0\.1: Connection refused"):
        sent(f"http://127.0.0.1:{port}/")


def test_a_receiver_without_a_trusted_certificate_is_told_nothing() -> None:
    with receiving() as receiver:
        url = receiver.url.replace("http:", "https:")
        with pytest.raises(PostError, match="no safe connection"):
            sent(url)
        assert receiver.came == []


def test_a_name_that_is_looked_up_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(module, "_SECONDS", 0.05)
    monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_, **__: (over.wait(30), [])[1])
    with pytest.raises(PostError, match=r"its name was not looked up within"):
        post("https://crm.example.com/", {}, b"", allow_private=False)
    over.set()
