"""``picloud tokens``: list, issue, revoke."""

from __future__ import annotations

import click

from picloud.cli import show
from picloud.cli.client import Client
from picloud.cli.target import Target, with_target


@click.group("tokens", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List access tokens, issue one, or revoke one."""
    if context.invoked_subcommand is None:
        context.invoke(listing, as_json=as_json)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@with_target
def listing(target: Target, as_json: bool) -> None:
    """List access tokens."""
    items = Client(target).get("tokens")["items"]
    if as_json:
        show.as_json(items)
        return
    rows = [
        (
            item["id"],
            item["name"],
            item["role"],
            ", ".join(item["apps"]) or "all",
            show.when(item["issued_at"]),
            show.when(item["revoked_at"]),
        )
        for item in items
    ]
    show.table(("token", "name", "role", "apps", "issued", "revoked"), rows, empty="no tokens")


@command.command("issue")
@click.argument("name")
@click.option("--role", type=click.Choice(["owner", "editor", "viewer"]), default="viewer", show_default=True)
@click.option("--app", "apps", multiple=True, help="Only for this app; may be repeated.")
@with_target
def issue(target: Target, name: str, role: str, apps: tuple[str, ...]) -> None:
    """Issue a token. It is printed this once."""
    content = {"name": name, "role": role, "apps": list(apps)}
    issued = Client(target).send("POST", "tokens", content=content).json
    click.echo(f"issued {issued['id']}; this is the only time that it is shown:", err=True)
    click.echo(issued["token"])


@command.command("revoke")
@click.argument("token", metavar="ID")
@with_target
def revoke(target: Target, token: str) -> None:
    """Revoke a token: it opens nothing any more."""
    Client(target).send("DELETE", "tokens", token)
    click.echo(f"revoked {token}")
