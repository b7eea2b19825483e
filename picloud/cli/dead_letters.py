"""``picloud dead-letters``: what used up its attempts, and what is to become of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from picloud.cli import show
from picloud.cli.client import Client
from picloud.cli.invocations import show_whole
from picloud.cli.lazy import ListingGroup
from picloud.cli.target import Target, with_target

_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")


@click.group("dead-letters", cls=ListingGroup)
def command() -> None:
    """List an app's dead letters, or show one whole.

    \b
      picloud dead-letters demo --text timeout
      picloud dead-letters show ID           # input, attempts, errors, causes, replays
      picloud replay ID                      # try again; if that succeeds, the letter is saved
      picloud replay ID -d @mended.json      # with another body; --patch '{"amount": 5}' changes a part
      picloud discard ID --reason "sent by mistake"
      picloud replays start demo --name mend-orders --text timeout    # many of them
    """


@command.command("list")
@click.argument("app")
@click.option("--script", help="Only of this script.")
@click.option(
    "--state",
    type=click.Choice(["open", "replaying", "saved", "discarded", "all"]),
    default="open",
    show_default=True,
    help="Only those that wait for somebody, of which a replay goes on, that one has saved, or that were given up.",
)
@click.option("--trigger", help="Only by this trigger: a kind (http, cron …) or a name.")
@click.option("--kind", help="Only with this kind of error, such as ErrorRuntime.")
@click.option("--text", help="Only with this text in the error's message.")
@click.option("--since", metavar="TIME", help="Died at or after (RFC 3339).")
@click.option("--until", metavar="TIME", help="Died before (RFC 3339).")
@click.option("-n", "limit", type=click.IntRange(1), default=25, show_default=True, help="How many.")
@_JSON
@with_target
def listing(target: Target, app: str, state: str, limit: int, as_json: bool, **filters: str | None) -> None:
    """List an app's dead letters, newest first."""
    wanted = None if state == "all" else state
    items = list(Client(target).pages("apps", app, "dead-letters", limit=limit, state=wanted, **filters))
    if as_json:
        show.as_json_lines(items)
        return
    table(items, empty=f"{app} has no such dead letters")


def table(items: Iterable[dict[str, Any]], *, empty: str) -> None:
    """Print dead letters as a table."""
    rows = [
        (
            item["id"],
            item["state"],
            show.when(item["died_at"]),
            f"{item['script']}@{item['version']}",
            item["route"] if item["trigger"] == "http" else item["trigger"],
            item["attempts"],
            item["replays"],
            item["saved_by"],
            f"{item['error_kind']}: {item['error_message']}".splitlines()[0],
        )
        for item in items
    ]
    headings = ("invocation", "state", "died", "script", "trigger", "attempts", "replays", "saved by", "error")
    show.table(headings, rows, empty=empty)


@command.command("show")
@click.argument("letter", metavar="ID")
@_JSON
@with_target
def showing(target: Target, letter: str, as_json: bool) -> None:
    """Show one dead letter whole: input, attempts, errors, causes, replays, what became of it.

    ID is that of the invocation that died first, or of any replay of it.
    """
    client = Client(target)
    app = client.get("invocations", letter)["app"]
    whole = client.get("apps", app, "dead-letters", letter)
    if as_json:
        show.as_json(whole)
        return
    told = whole["letter"]
    facts = [
        ("dead letter", told["id"]),
        ("state", told["state"]),
        ("died", f"{show.when(told['died_at'])}: {told['reason']}"),
        ("error", f"{told['error_kind']}: {told['error_message']}"),
        ("saved by", told["saved_by"] and f"{told['saved_by']} at {show.when(told['saved_at'])}"),
        ("discarded", told["discarded_at"] and f"by {told['discarded_by']}: {told['discard_reason']}"),
        *(("replay", f"{each['id']} {each['state']}" + _by(each)) for each in whole["replays"]),
    ]
    for name, value in facts:
        if value:
            click.echo(f"{name:<12} {value}")
    for heading, one in (("as asked for", whole["invocation"]), ("the latest that died", whole["latest"])):
        if one is not None:
            click.echo(click.style(f"\n{heading}", bold=True))
            show_whole(client, one)


def _by(replay: dict[str, Any]) -> str:
    return f", by the job {replay['job']}" if replay["job"] else ""


@click.command("discard")
@click.argument("invocation", metavar="ID")
@click.option("--reason", required=True, help="Why nobody need look at it any more.")
@_JSON
@with_target
def discard(target: Target, invocation: str, reason: str, as_json: bool) -> None:
    """Give a dead letter up; it stays readable, and can still be replayed."""
    Client(target).send("POST", "invocations", invocation, "discard", content={"reason": reason})
    if as_json:
        show.as_json({"invocation": invocation, "discarded": True, "reason": reason})
        return
    click.echo(f"discarded {invocation}")
