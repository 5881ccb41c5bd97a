"""The summary goes out over a real SMTP server, safely, or the reason is told."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email import message_from_bytes
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope

from features.errors import UsageError
from features.home import MailSettings
from serving.mail import MailError, send

NIGHT = datetime(2028, 6, 5, 2, 30)


class Box:
    """Takes what is sent to it."""

    def __init__(self) -> None:
        self.came: list[Envelope] = []
        self.refuses = ""

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:  # noqa: N802  # its name there
        if address == self.refuses:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope: Envelope) -> str:  # noqa: N802  # its name there
        self.came.append(envelope)
        return "250 OK"


@contextmanager
def serving(box: Box, **options: object) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def settings(port: int, **more: object) -> MailSettings:
    return MailSettings(
        host="127.0.0.1", port=port, sender="leadq@example.com", to="a@example.com, b@example.com",
        **{"tls": "none", **more},
    )  # fmt: skip


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of this machine and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on this machine; it makes the certificate")
    folder = tmp_path_factory.mktemp("certificate")
    key, made = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-keyout", str(key), "-out", str(made), "-days", "2"]
    command += ["-subj", "/CN=here", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    return made, key


@pytest.fixture
def secured(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def test_the_lines_arrive_with_subject_date_and_addresses() -> None:
    box = Box()
    with serving(box) as port:
        send(settings(port), "leadq: all went well", ["a: 3 leads", "größer"], NIGHT)

    (came,) = box.came
    message = message_from_bytes(came.content)
    assert came.rcpt_tos == ["a@example.com", "b@example.com"]
    assert (message["Subject"], message["From"]) == ("leadq: all went well", "leadq@example.com")
    assert message["Date"] == "Mon, 05 Jun 2028 02:30:00 +0000"
    text = message.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert text.decode().splitlines() == ["a: 3 leads", "größer"]


# Where all of the line is TLS, this server does not know it.
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_the_line_is_safe_and_the_password_goes_over_it(
    certificate, secured, monkeypatch, tls
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    box, signed = Box(), []

    def check(server, session, envelope, mechanism, data) -> AuthResult:
        signed.append((session.ssl is not None or tls == "tls", data.login, data.password))
        return AuthResult(success=True)

    how = {"tls_context": secured} if tls == "starttls" else {"ssl_context": secured}
    with serving(
        box, **how, authenticator=check, auth_required=True, auth_require_tls=tls == "starttls"
    ) as port:
        send(settings(port, tls=tls, user="leadq", password="secret"), "s", ["t"], NIGHT)

    assert signed == [(True, b"leadq", b"secret")]
    assert len(box.came) == 1


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_server_that_nobody_vouches_for_is_sent_nothing(secured, tls) -> None:
    box = Box()
    how = {"tls_context": secured} if tls == "starttls" else {"ssl_context": secured}
    with serving(box, **how) as port, pytest.raises(MailError, match=r"no safe connection"):
        send(settings(port, tls=tls, user="leadq", password="secret"), "s", ["t"], NIGHT)

    assert box.came == []


def test_a_server_without_tls_is_sent_no_password() -> None:
    box = Box()
    with serving(box) as port, pytest.raises(MailError, match="STARTTLS"):
        send(settings(port, tls="starttls", user="u", password="secret"), "s", ["t"], NIGHT)

    assert box.came == []


def test_a_refused_address_is_counted_and_not_named() -> None:
    box = Box()
    box.refuses = "a@example.com"
    with serving(box) as port, pytest.raises(MailError, match="1 of the addresses") as told:
        send(settings(port), "s", ["t"], NIGHT)

    assert "a@" not in str(told.value)
    assert [came.rcpt_tos for came in box.came] == [["b@example.com"]]


def test_a_server_that_is_not_there_is_told() -> None:
    with serving(Box()) as port:
        pass
    with pytest.raises(MailError, match=rf"127.0.0.1:{port}: the summary could not be sent: Conn"):
        send(settings(port), "s", ["t"], NIGHT)


def test_a_sender_and_a_receiver_must_be_said() -> None:
    with pytest.raises(UsageError, match="LEADQ_MAIL__SENDER"):
        send(MailSettings(host="127.0.0.1"), "s", ["t"], NIGHT)
