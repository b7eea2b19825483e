"""``picloud queues``: how deep an app's queues are; emptying one."""

from __future__ import annotations

import click

from picloud.cli import show
from picloud.cli.client import Client
from picloud.cli.scripts import split_title
from picloud.cli.target import Target, with_target

_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")


class _Queues(click.Group):
    """A group whose bare argument lists: ``picloud queues APP``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group("queues", cls=_Queues)
def command() -> None:
    """List an app's queues; purge one.

    \b
      picloud queues demo
      picloud queues purge demo/orders --yes
    A queue is a trigger: see picloud triggers set, pause, resume and remove.
    """


@command.command("list")
@click.argument("app")
@_JSON
@with_target
def listing(target: Target, app: str, as_json: bool) -> None:
    """List an app's queues: what is due, delayed, behind others with its key, running; dead letters."""
    items = Client(target).get("apps", app, "queues")["items"]
    if as_json:
        show.as_json(items)
        return
    rows = [
        (
            item["name"],
            item["script"],
            item["ready"],
            item["delayed"],
            item["behind"],
            item["running"],
            show.duration(int(item["oldest_seconds"] * 1_000_000)),
            item["dead_letters"],
            "on" if item["paused"] is None else f"paused: {item['paused']}",
        )
        for item in items
    ]
    headings = ("queue", "script", "ready", "delayed", "behind", "running", "oldest", "dead letters", "state")
    show.table(headings, rows, empty=f"{app} has no queues; picloud triggers set {app}/NAME queue SCRIPT")


@command.command("purge")
@click.argument("title", metavar="APP/QUEUE")
@click.option("--reason", default="the queue was purged", show_default=True)
@click.option("--yes", is_flag=True, help="Don't ask.")
@_JSON
@with_target
def purge(target: Target, title: str, reason: str, yes: bool, as_json: bool) -> None:
    """Call off every message that waits in a queue, with a reason; what runs goes on."""
    app, queue = split_title(title)
    client = Client(target)
    found = client.get("apps", app, "queues", queue)
    waiting = found["ready"] + found["delayed"] + found["behind"]
    if not yes:
        click.confirm(f"call off {waiting:,} messages of {title}?", abort=True)
    purged = 0
    while True:
        done = client.send("POST", "apps", app, "queues", queue, "purge", content={"reason": reason}).json
        purged += done["purged"]
        if not done["purged"] or not done["left"] or purged >= waiting:
            break
        click.echo(f"{purged:,} of {waiting:,}", err=True)
    if as_json:
        show.as_json({"purged": purged, "left": done["left"]})
        return
    click.echo(f"called off {purged:,} messages of {title}")
