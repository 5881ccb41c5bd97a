"""One message to one address over HTTP: where it may go, and what came of it.

A message goes to `https`, or to this machine. Names are looked up once, and the address that was
looked at is the one that is spoken to: a name that leads elsewhere a moment later changes nothing.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple
from urllib.parse import urlsplit

from features.errors import LeadqError, UsageError

Address = IPv4Address | IPv6Address

_SECONDS = 10.0
"""A step of the exchange may take no longer."""
_ALL_SECONDS = 15.0
"""Nor may all of it."""
_METADATA = {
    ipaddress.ip_address(each) for each in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16")
}
"""Where clouds give a machine its credentials, besides the link-local 169.254.169.254."""
_BROKEN = f"the connection broke, or the reply took longer than {_ALL_SECONDS:g} s"
_PLAIN = re.compile("[!-~]*")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SHARED = ipaddress.IPv4Network("100.64.0.0/10")


class PostError(LeadqError):
    """A message did not arrive; the words name no part of the address but its host."""


class ForbiddenError(UsageError):
    """No message may go to an address; the words name no part of it but its host."""


class Target(NamedTuple):
    """An address taken to pieces."""

    host: str
    port: int
    path: str
    is_secure: bool
    is_here: bool
    """Whether it names this machine."""


def target_of(url: str) -> Target:
    """Take an address to pieces.

    Raises:
        UsageError: when nothing may be sent to such an address.

    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or parts.scheme not in ("http", "https"):
        raise UsageError(f"{url}: no address; write it as https://example.com/hooks")
    if parts.username is not None or parts.fragment or not _PLAIN.fullmatch(url):
        raise UsageError(
            "an address may hold no user, password, fragment, blank or odd character; write a "
            "name of other letters in its xn-- form"
        )
    is_secure = parts.scheme == "https"
    is_here = host == "localhost" or _is_loopback(host)
    if not is_secure and not is_here:
        raise UsageError(f"{host}: messages go out over https alone; write https://{host}...")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(host, port or (443 if is_secure else 80), path, is_secure, is_here)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def where_to(target: Target, allow_private: bool) -> Address:
    """Look up where a message goes.

    Args:
        target: the address.
        allow_private: whether it may go to a private network.

    Raises:
        ForbiddenError: when the name leads where no message may go.
        PostError: when the name is not known.

    """
    addresses = _looked_up(target)
    for address in addresses:
        if fault := _fault_of(address, target.is_here, allow_private):
            raise ForbiddenError(f"{target.host} leads to {address}, {fault}")
    return addresses[0]


def _looked_up(target: Target) -> list[Address]:
    """Look a name up, for no longer than a step may take: the system's own look-up has no limit."""
    found: list[Address] = []
    ended: list[str] = []

    def look() -> None:
        try:
            entries = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        except OSError:
            ended.append("the name is not known")
        else:
            found.extend(ipaddress.ip_address(str(e[4][0]).partition("%")[0]) for e in entries)
            ended.append("")

    thread = threading.Thread(target=look, name="name", daemon=True)
    thread.start()
    thread.join(_SECONDS)
    if fault := (ended or [f"its name was not looked up within {_SECONDS:g} s"])[0]:
        raise PostError(f"{target.host}: {fault}")
    return found


def _fault_of(address: Address, is_here: bool, allow_private: bool) -> str:
    """Say why no message may go to an address; empty where it may."""
    inner = _inner(address)
    if inner.is_loopback:
        return "" if is_here else "which is this machine; name it so: http://127.0.0.1/..."
    if inner in _METADATA or inner.is_link_local:
        return "a link-local or metadata address; nothing is ever sent there"
    if inner.is_multicast or inner.is_unspecified or inner.is_reserved:
        return "which is no address of one machine"
    is_private = inner.is_private or (isinstance(inner, IPv4Address) and inner in _SHARED)
    if is_private and not allow_private:
        return "a private network; LEADQ_HOOKS__PRIVATE=true allows it"
    return ""


def _inner(address: Address) -> Address:
    """Return the address of version 4 that one of version 6 stands for, where it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    tunnel = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or tunnel or address


def post(url: str, headers: Mapping[str, str], body: bytes, allow_private: bool) -> int:
    """Send a message and return the status of the reply, whose body is not read.

    Redirects are not followed, and no proxy is asked.

    Raises:
        PostError: when there was no reply within the time allowed.
        UsageError: when nothing may be sent there.

    """
    target = target_of(url)
    address = where_to(target, allow_private)
    try:
        with _connected(target, address) as connection:
            connection.request("POST", target.path, body, dict(headers))
            return connection.getresponse().status
    except TimeoutError:
        raise PostError(f"{target.host}: no reply within {_SECONDS:g} s") from None
    except ssl.SSLError as error:
        raise PostError(f"{target.host}: no safe connection: {error.reason}") from None
    except OSError as error:
        raise PostError(f"{target.host}: {error.strerror or _BROKEN}") from None
    except HTTPException as error:
        raise PostError(f"{target.host}: no reply of HTTP: {type(error).__name__}") from None


@contextmanager
def _connected(target: Target, address: Address) -> Iterator[HTTPConnection]:
    """Connect to the address that was looked at, for no longer than a message may take."""
    connection = (HTTPSConnection if target.is_secure else HTTPConnection)(target.host, target.port)
    plain = socket.create_connection((str(address), target.port), _SECONDS)
    connection.sock = plain
    # A receiver that sends one byte every few seconds would hold on for hours.
    limit = threading.Timer(_ALL_SECONDS, _break_off, [connection])
    limit.daemon = True
    limit.start()
    try:
        if target.is_secure:
            secure = ssl.create_default_context().wrap_socket(
                plain, server_hostname=target.host, do_handshake_on_connect=False
            )
            connection.sock = secure
            secure.do_handshake()
        yield connection
    finally:
        limit.cancel()
        connection.close()


def _break_off(connection: HTTPConnection) -> None:
    with suppress(OSError):
        # Not that of SSLSocket, which takes away what the other thread reads from.
        socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
