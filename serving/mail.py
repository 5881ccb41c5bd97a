"""One plain message by e-mail, over SMTP."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from features.errors import LeadqError, UsageError
from features.home import MailSettings

_SECONDS = 30.0
"""A step of the exchange may take no longer."""


class MailError(LeadqError):
    """A message could not be sent."""


def send(settings: MailSettings, subject: str, lines: Sequence[str], now: datetime) -> None:
    """Send lines of text to the addresses of the settings.

    Args:
        settings: the server, and from whom to whom.
        subject: of the message.
        lines: its text.
        now: its date (UTC).

    Raises:
        UsageError: when the settings name no sender or nobody to send to.
        MailError: when the server cannot be reached, is not who it says, or refuses.

    """
    to = [address.strip() for address in settings.to.split(",") if address.strip()]
    if not settings.sender or not to:
        raise UsageError(
            "LEADQ_MAIL__HOST is set; say as well from whom (LEADQ_MAIL__SENDER) and to whom "
            "(LEADQ_MAIL__TO) the summary goes"
        )
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = settings.sender
    message["To"] = ", ".join(to)
    message["Date"] = format_datetime(now.replace(tzinfo=UTC))
    message["Message-ID"] = make_msgid(domain=settings.sender.rpartition("@")[2] or None)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n".join(lines) + "\n")
    where = f"{settings.host}:{settings.port}"
    try:
        with _connected(settings) as server:
            if settings.user:
                server.login(settings.user, settings.password.get_secret_value())
            refused = server.send_message(message)
            if refused:
                raise smtplib.SMTPRecipientsRefused(refused)
    except ssl.SSLError as error:
        raise MailError(f"{where}: no safe connection: {error.reason}") from error
    except (smtplib.SMTPException, OSError) as error:
        raise MailError(f"{where}: the summary could not be sent: {_words(error)}") from error


def _connected(settings: MailSettings) -> smtplib.SMTP:
    """Connect, and have the line safe before anything is said on it."""
    context = ssl.create_default_context()
    if settings.tls == "tls":
        return smtplib.SMTP_SSL(settings.host, settings.port, timeout=_SECONDS, context=context)
    server = smtplib.SMTP(settings.host, settings.port, timeout=_SECONDS)
    if settings.tls == "starttls":
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
    return server


def _words(error: Exception) -> str:
    """Return what a server or the system said, in one line and without addresses."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"{len(error.recipients)} of the addresses were refused"
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        return f"{error.smtp_code} {' '.join(text.split())[:200]}"
    return str(getattr(error, "strerror", None) or error)
