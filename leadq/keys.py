"""The commands about API keys: who may use the service."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.errors import UsageError
from leadq.common import AsJson, Who, err, now, open_home, open_the_store, print_json, say

if TYPE_CHECKING:
    from features.store.api_keys import KnownKey

commands = typer.Typer()
keys = typer.Typer(
    no_args_is_help=True,
    help="API keys: who may use the service, and for what.",
    epilog="Example: leadq keys new --name CRM --scope score,feedback",
)
commands.add_typer(keys, name="keys")

Prefix = Annotated[str, typer.Argument(help="The key's first 14 characters.")]
_HOURS = {"m": 1 / 60, "h": 1, "d": 24}


@keys.command(epilog="Example: leadq keys new --name CRM --scope score,feedback")
def new(
    name: Annotated[str, typer.Option(help="Whom the key is for.")],
    scope: Annotated[
        str,
        typer.Option(
            help="What it is good for: score, feedback, read, admin, sales, marketing; by commas."
        ),
    ],
    expires: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The day (UTC) from which on it is refused."),
    ] = None,
    who: Who = "cli",
    as_json: AsJson = False,
) -> None:
    """Make a key. It is the one line on stdout, and never shown again."""
    from features.store.api_keys import create, scopes_of

    home = open_home()
    secret, scopes = home.secret, scopes_of(scope)
    with open_the_store(home) as store:
        key = store.write(lambda c: create(c, name, scopes, expires, secret, who, now()))
    _show(key, as_json)


@keys.command("list", epilog="Example: leadq keys list")
def list_keys(as_json: AsJson = False) -> None:
    """List all keys there have been: whose, what for, until when, last used."""
    from features.store.api_keys import known_keys

    with open_the_store(open_home()) as store, store.reading() as connection:
        found, moment = known_keys(connection), now()
    say(*(_line(key, moment) for key in found) if found else ["there is no key yet"])
    if as_json:
        print_json({"keys": [_as_dict(key, moment) for key in found]})


@keys.command(epilog="Example: leadq keys rotate leadq_3f9c01ab --grace 24h")
def rotate(
    prefix: Prefix,
    grace: Annotated[str, typer.Option(help="How long the old key goes on: 30m, 24h, 7d.")] = "24h",
    who: Who = "cli",
    as_json: AsJson = False,
) -> None:
    """Make a new key in the place of an old one, which goes on for a while."""
    from features.store import api_keys

    home = open_home()
    secret, goes_on = home.secret, _duration(grace)
    with open_the_store(home) as store:
        key = store.write(lambda c: api_keys.rotate(c, prefix, goes_on, secret, who, now()))
    err.print(f"{api_keys.prefix_of(prefix)} goes on for {grace}", markup=False)
    _show(key, as_json)


@keys.command(epilog="Example: leadq keys revoke leadq_3f9c01ab")
def revoke(prefix: Prefix, who: Who = "cli", as_json: AsJson = False) -> None:
    """Revoke a key: services refuse it within seconds, for good."""
    from features.store import api_keys

    with open_the_store(open_home()) as store:
        key = store.write(lambda c: api_keys.revoke(c, prefix, who, now()))
    since = f"since {key.revoked:%Y-%m-%d %H:%M} already" if key.revoked else "now"
    say(f"{key.prefix} ({key.name}) is revoked {since}")
    if as_json:
        print_json({"prefix": key.prefix, "revoked": True})


@keys.command(epilog="Example: leadq keys link leadq_3f9c01ab --at https://leads.example.com")
def link(
    prefix: Prefix,
    at: Annotated[str, typer.Option(help="The address of the service.")] = "http://127.0.0.1:8000",
    as_json: AsJson = False,
) -> None:
    """Make an address that signs in to the pages, once and within 15 minutes, by a live key."""
    from features.store.api_keys import live_key
    from serving.pages.sessions import Sessions, link_to

    home = open_home()
    secret = home.secret
    with open_the_store(home) as store, store.reading() as connection:
        key = live_key(connection, prefix, now())
    address = link_to(at, Sessions(secret, None).link(key.prefix))
    if as_json:
        print_json({"prefix": key.prefix, "address": address})
    else:
        say(address)


def _show(key: str, as_json: bool) -> None:
    from features.store.api_keys import prefix_of

    err.print(
        f"{prefix_of(key)} is made. This is the only time that the whole key is shown; it is sent "
        "as the header Authorization: Bearer KEY",
        markup=False,
    )
    if as_json:
        print_json({"prefix": prefix_of(key), "key": key})
    else:
        say(key)


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,4})([mhd])", text.strip())
    if found is None:
        raise UsageError(f"{text}: say minutes, hours or days, such as 30m, 24h or 7d")
    return timedelta(hours=int(found[1]) * _HOURS[found[2]])


def _line(key: KnownKey, moment: datetime) -> str:
    until = (
        f", expires {key.expires:%Y-%m-%d %H:%M}"
        if key.state(moment) == "live" and key.expires
        else ""
    )
    used = f"last used {key.used:%Y-%m-%d %H:%M}" if key.used else "never used"
    scopes = ",".join(key.scopes)
    return f"{key.prefix}  {key.state(moment):<8}{scopes:<27}{key.name}, {used}{until}"


def _as_dict(key: KnownKey, moment: datetime) -> dict[str, Any]:
    def told(at: datetime | None) -> str | None:
        return f"{at.isoformat(timespec='seconds')}Z" if at else None

    return {
        "prefix": key.prefix,
        "name": key.name,
        "scopes": list(key.scopes),
        "state": key.state(moment),
        "created": told(key.created),
        "expires": told(key.expires),
        "used": told(key.used),
        "revoked": told(key.revoked),
    }
