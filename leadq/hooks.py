"""The commands about webhooks: which addresses are told of events."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leadq.common import AsJson, Who, err, now, open_home, open_the_store, print_json, say

if TYPE_CHECKING:
    from features.store.deliveries import DeadLetter, Standing
    from features.store.hooks import KnownHook

commands = typer.Typer()
hooks = typer.Typer(
    no_args_is_help=True,
    help="Webhooks: who is told of scores, of leads that come back, and of new champions.",
    epilog="Example: leadq hooks add https://crm.example.com/leadq --on score,recycled",
)
commands.add_typer(hooks, name="hooks")


@hooks.command(epilog="Example: leadq hooks add https://crm.example.com/leadq --on score")
def add(
    url: Annotated[str, typer.Argument(help="Where messages go: https, or this machine.")],
    on: Annotated[
        str, typer.Option(help="What is told: score, recycled, promotion, night; by commas.")
    ],
    grades: Annotated[
        str, typer.Option(help="A score is told that takes a lead into one of these grades.")
    ] = "AB",
    who: Who = "cli",
    as_json: AsJson = False,
) -> None:
    """Make a hook. Its secret is the one line on stdout, and never shown again."""
    from features.store.hooks import add_hook, events_of, grades_of, secret_of
    from serving.post import PostError, target_of, where_to

    home = open_home()
    secret, events, told = home.secret, events_of(on), grades_of(grades)
    try:
        where_to(target_of(url), home.hooks.private)
    except PostError as error:
        err.print(f"warning: {error}; messages wait until it is", markup=False)
    with open_the_store(home) as store:
        moment = now()
        hook = store.write(lambda c: add_hook(c, url, events, told, who, moment))
    err.print(
        f"hook {hook.key} is made. This is the only time that its secret is shown, by which the "
        "receiver verifies what comes",
        markup=False,
    )
    if as_json:
        print_json({"hook": hook.key, "secret": secret_of(hook, secret)})
    else:
        say(secret_of(hook, secret))


@hooks.command(epilog="Example: leadq hooks inbound")
def inbound(as_json: AsJson = False) -> None:
    """Show the secret by which others sign hand-offs and feedback that they send to the service."""
    from features.store.hooks import inbound_secret

    secret = inbound_secret(open_home().secret)
    if as_json:
        print_json({"secret": secret})
    else:
        say(secret)


@hooks.command("list", epilog="Example: leadq hooks list")
def list_hooks(as_json: AsJson = False) -> None:
    """List the hooks: where to, what they are told, how much waits and how much was given up."""
    from features.store.deliveries import Standing, standing
    from features.store.hooks import live_hooks

    with open_the_store(open_home()) as store, store.reading() as connection:
        found, counts = live_hooks(connection), standing(connection)
    rows = [(hook, counts.get(hook.key, Standing(0, 0))) for hook in found]
    say(*(_line(*row) for row in rows) if rows else ["there is no hook yet"])
    if as_json:
        print_json({"hooks": [_as_dict(*row) for row in rows]})


@hooks.command(epilog="Example: leadq hooks remove 2")
def remove(
    hook: Annotated[int, typer.Argument(help="The number of the hook.")],
    who: Who = "cli",
    as_json: AsJson = False,
) -> None:
    """Remove a hook, with all that waits for it."""
    from features.store.hooks import remove_hook

    with open_the_store(open_home()) as store:
        moment = now()
        was = store.write(lambda c: remove_hook(c, hook, who, moment))
    since = f"since {was.removed:%Y-%m-%d %H:%M} already" if was.removed else "now"
    say(f"hook {hook} is removed {since}")
    if as_json:
        print_json({"hook": hook, "removed": True})


@hooks.command(epilog="Example: leadq hooks dead --retry")
def dead(
    retry: Annotated[
        bool, typer.Option("--retry", help="Send them all again, from the first try on.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the messages that were given up, and why."""
    from features.store.deliveries import dead_letters, put_back

    with open_the_store(open_home()) as store:
        with store.reading() as connection:
            found = dead_letters(connection)
        moment = now()
        again = store.write(lambda c: put_back(c, moment)) if retry else 0
    say(*(_dead_line(letter) for letter in found) if found else ["no message was given up"])
    if retry and found:
        say(f"{again:,} of them will be sent again")
    if as_json:
        print_json({"dead": [_dead_dict(letter) for letter in found], "retried": again})


def _line(hook: KnownHook, counts: Standing) -> str:
    on = ",".join(hook.events)
    grades = f"grades {hook.grades}  " if "score" in hook.events else ""
    left = f"{counts.waiting:,} waiting, {counts.dead:,} dead"
    return f"{hook.key}  {on}  {grades}{left}  {hook.url}"


def _as_dict(hook: KnownHook, counts: Standing) -> dict[str, Any]:
    return {
        "hook": hook.key,
        "url": hook.url,
        "on": list(hook.events),
        "grades": hook.grades,
        "created": _told(hook.created),
        "waiting": counts.waiting,
        "dead": counts.dead,
    }


def _dead_line(letter: DeadLetter) -> str:
    return (
        f"hook {letter.hook}  {letter.event}  of {letter.at:%Y-%m-%d %H:%M}, "
        f"tries {letter.tries}, {letter.error}"
    )


def _dead_dict(letter: DeadLetter) -> dict[str, Any]:
    return letter._asdict() | {"at": _told(letter.at)}


def _told(moment: datetime) -> str:
    return f"{moment.isoformat(timespec='seconds')}Z"
