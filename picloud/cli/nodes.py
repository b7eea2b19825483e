"""``picloud nodes``: the processes that take requests and run scripts."""

from __future__ import annotations

import click

from picloud.cli import show
from picloud.cli.client import Client
from picloud.cli.target import Target, with_target


@click.command("nodes")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@with_target
def command(target: Target, as_json: bool) -> None:
    """List the nodes that live, and those that ended within a day, newest first."""
    items = Client(target).get("nodes")["items"]
    if as_json:
        show.as_json_lines(items)
        return
    rows = [
        (
            item["id"],
            item["state"],
            f"{item['host']}:{item['pid']}",
            item["capacity"],
            show.when(item["started_at"]),
            show.when(item["ended_at"]),
        )
        for item in items
    ]
    show.table(("node", "state", "process", "runs at a time", "started", "ended"), rows, empty="there are no nodes")
