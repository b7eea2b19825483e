"""``picloud tokens``: list, issue, revoke."""

from __future__ import annotations

import click

from picloud.cli import show
from picloud.cli.client import Client
from picloud.cli.target import Target, with_target

_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")


@click.group("tokens", invoke_without_command=True)
@_JSON
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List access tokens, issue one, or revoke one."""
    if context.invoked_subcommand is None:
        context.invoke(listing, as_json=as_json)


@command.command("list")
@_JSON
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
@_JSON
@with_target
def issue(target: Target, name: str, role: str, apps: tuple[str, ...], as_json: bool) -> None:
    """Issue a token. It is printed this once."""
    content = {"name": name, "role": role, "apps": list(apps)}
    issued = Client(target).send("POST", "tokens", content=content).json
    if as_json:
        show.as_json(issued)
        return
    click.echo(f"issued {issued['id']}; this is the only time that it is shown:", err=True)
    click.echo(issued["token"])


@command.command("revoke")
@click.argument("token_id", metavar="ID")
@_JSON
@with_target
def revoke(target: Target, token_id: str, as_json: bool) -> None:
    """Revoke a token: it opens nothing any more."""
    Client(target).send("DELETE", "tokens", token_id)
    if as_json:
        show.as_json({"id": token_id, "revoked": True})
        return
    click.echo(f"revoked {token_id}")
