"""``picloud cancel``: one invocation called off, or all that a filter finds."""

from __future__ import annotations

import sys
from typing import Any

import click

from picloud.cli import show
from picloud.cli.client import Client
from picloud.cli.target import Target, with_target


@click.command("cancel")
@click.argument("invocation", metavar="[ID]", required=False)
@click.option("--app", help="Instead of one: all of this app that have not ended.")
@click.option("--script", help="Only of this script.")
@click.option("--state", type=click.Choice(["pending", "running", "retrying", "suspended"]), help="Only in this state.")
@click.option("--trigger", help="Only by this trigger: a kind (http, cron …) or a name.")
@click.option("--since", metavar="TIME", help="Requested at or after (RFC 3339).")
@click.option("--until", metavar="TIME", help="Requested before (RFC 3339).")
@click.option("--dry-run", is_flag=True, help="Only count, and show some.")
@click.option("-y", "--yes", is_flag=True, help="Don't ask first.")
@click.option("--reason", default="called off by hand", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@with_target
def command(
    target: Target,
    invocation: str | None,
    app: str | None,
    dry_run: bool,
    yes: bool,
    reason: str,
    as_json: bool,
    **filters: str | None,
) -> None:
    """Call an invocation off, also while it runs; or all of an app that a filter finds.

    \b
      picloud cancel ID
      picloud cancel --app demo --script import --state pending --dry-run
    """
    chosen = {name: value for name, value in filters.items() if value is not None}
    client = Client(target)
    if invocation is not None:
        if app is not None or chosen or dry_run:
            raise click.UsageError("give an ID, or --app with filters, but not both")
        client.send("POST", "invocations", invocation, "cancel", content={"reason": reason})
        if as_json:
            show.as_json({"invocation": invocation, "cancelled": True, "reason": reason})
            return
        click.echo(f"cancelled {invocation}")
        return
    if app is None:
        raise click.UsageError("say what to cancel: an ID, or --app APP with filters; see picloud cancel --help")
    content: dict[str, Any] = {"filter": chosen, "reason": reason}
    ask = not yes and not as_json and sys.stdin.isatty()
    if dry_run or ask:
        found = client.send("POST", "apps", app, "cancellations", content=content | {"dry_run": True}).json
        content["up_to"] = found["up_to"]
        if as_json:
            show.as_json(found)
            return
        _sample(found)
        if dry_run or not found["matching"]:
            return
        click.confirm(f"Cancel {found['matching']:,}?", abort=True)
    done = _cancel(client, app, content)
    if as_json:
        show.as_json(done)
        return
    ended = f"; {done['ended']:,} ended by themselves" if done["ended"] else ""
    click.echo(f"cancelled {done['cancelled']:,}{ended}")


def _cancel(client: Client, app: str, content: dict[str, Any]) -> dict[str, int]:
    """Cancel part by part, and show the progress."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    done = {"cancelled": 0, "ended": 0}
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("cancelling", total=None)
        while True:
            part = client.send("POST", "apps", app, "cancellations", content=content).json
            content["up_to"] = part["up_to"]
            done = {name: done[name] + part[name] for name in done}
            ended = done["cancelled"] + done["ended"]
            progress.update(task, completed=ended, total=ended + part["matching"] - part["cancelled"] - part["ended"])
            if not part["more"]:
                return done


def _sample(found: dict[str, Any]) -> None:
    rows = [
        (
            item["id"],
            item["state"],
            f"{item['script']}@{item['version']}",
            item["trigger"],
            show.when(item["requested_at"]),
        )
        for item in found["sample"]
    ]
    headings = ("invocation", "state", "script", "trigger", "requested")
    show.table(headings, rows, empty="no such invocations")
    more = found["matching"] - len(rows)
    if more > 0:
        click.echo(f"and {more:,} more")
