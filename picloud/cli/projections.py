"""``picloud projections``: how far each has come, and rebuilds."""

from __future__ import annotations

import time
from typing import Any

import click

from picloud.cli import show
from picloud.cli.client import Client
from picloud.cli.target import Target, with_target

_STEP = 0.1


_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")


@click.group("projections", invoke_without_command=True)
@_JSON
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List projections with version, position and lag, or rebuild one."""
    if context.invoked_subcommand is None:
        context.invoke(listing, as_json=as_json)


@command.command("list")
@_JSON
@with_target
def listing(target: Target, as_json: bool) -> None:
    """List projections."""
    items = Client(target).get("projections")["items"]
    if as_json:
        show.as_json(items)
        return
    rows = [
        (item["name"], item["version"], item["position"], item["lag"], item["state"], item["error"]) for item in items
    ]
    show.table(("projection", "version", "position", "lag", "state", "error"), rows, empty="no projections")


@command.command("rebuild")
@click.argument("projection")
@click.option("--verify", is_flag=True, help="Compare with the live rows, and name the first that differs.")
@_JSON
@with_target
def rebuild(target: Target, projection: str, verify: bool, as_json: bool) -> None:
    """Build a projection anew from the log, beside the live one, and swap.

    Ends with 1 if it failed, or if --verify found a difference.
    """
    client = Client(target)
    asked = client.send("POST", "projections", projection, "rebuilds", content={"verify": verify}).json["rebuild"]
    done = _follow(client, projection, asked)
    if as_json:
        show.as_json(done)
        if done["state"] == "failed" or (verify and done["difference"]):
            raise SystemExit(1)
        return
    if done["state"] == "failed":
        raise click.ClickException(f"the rebuild failed, the live rows stay: {done['reason']}")
    click.echo(f"rebuilt {projection} from {done['events_done']:,} events in {done['seconds']:.2f} s")
    if verify and done["difference"]:
        raise click.ClickException(f"the live rows were different: {done['difference']}")
    if verify:
        click.echo("every row was the same")


def _follow(client: Client, projection: str, rebuild: str) -> dict[str, Any]:
    """Show the progress until the end, and return it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("asked for", total=None)
        while True:
            status: dict[str, Any] = client.get("projections", projection, "rebuilds", rebuild)
            total = status["events_total"] or None
            progress.update(task, description=status["phase"] or status["state"], total=total)
            progress.update(task, completed=status["events_done"])
            if status["state"] in ("finished", "failed"):
                return status
            time.sleep(_STEP)
