"""``picloud users``: accounts of an app's own users."""

from __future__ import annotations

import json
import sys
from typing import Any
from uuid import UUID

import click

from picloud.cli import show
from picloud.cli.client import Client
from picloud.cli.target import Target, with_target

_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
_USER = click.argument("user", metavar="USER")


@click.group("users")
def command() -> None:
    """Look after the users of an app. USER is a name or an id.

    \b
      picloud users list demo --role admin
      picloud users create demo ada@example.org --role admin
      picloud users roles demo ada@example.org --add editor
      picloud users disable demo ada@example.org
    Passwords are asked for on the terminal, or read from standard input.
    """


@command.command("list")
@click.argument("app")
@click.option("--role", help="Only users with this role.")
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True)
@_JSON
@with_target
def listing(target: Target, app: str, role: str | None, limit: int, as_json: bool) -> None:
    """List users, in the order in which they registered."""
    items = Client(target).pages("apps", app, "users", limit=limit, role=role)
    if as_json:
        show.as_json_lines(items)
        return
    rows = [
        (item["id"], item["name"], ", ".join(item["roles"]), _state(item), show.when(item["registered"]))
        for item in items
    ]
    show.table(("user", "name", "roles", "state", "registered"), rows, empty=f"{app} has no such users")


@command.command("show")
@click.argument("app")
@_USER
@_JSON
@with_target
def show_(target: Target, app: str, user: str, as_json: bool) -> None:
    """Show a user, with sessions and tokens."""
    client = Client(target)
    found = _found(client, app, user)
    sessions = client.get("apps", app, "users", found["id"], "sessions")["items"]
    tokens = client.get("apps", app, "users", found["id"], "tokens")["items"]
    if as_json:
        show.as_json(found | {"sessions": sessions, "tokens": tokens})
        return
    lines = {
        "user": found["id"],
        "name": found["name"],
        "roles": ", ".join(found["roles"]) or "none",
        "state": _state(found),
        "registered": show.when(found["registered"]),
        "data": json.dumps(found["data"], ensure_ascii=False),
        "sessions": len(sessions),
        "tokens": ", ".join(token["name"] for token in tokens) or "none",
    }
    for name, value in lines.items():
        click.echo(f"{name:<11} {value}")


@command.command("create")
@click.argument("app")
@click.argument("name")
@click.option("--role", "roles", multiple=True, help="May be repeated.")
@click.option("-d", "known", metavar="JSON", default="{}", help="What else is known of the user: an object.")
@click.option("--no-password", is_flag=True, help="The user signs in by codes alone.")
@_JSON
@with_target
def create(
    target: Target, app: str, name: str, roles: tuple[str, ...], known: str, no_password: bool, as_json: bool
) -> None:
    """Register a user. The password is asked for, or read from standard input."""
    content: dict[str, Any] = {"name": name, "roles": list(roles), "data": _object(known)}
    content["password"] = None if no_password else _password()
    made = Client(target).send("POST", "apps", app, "users", content=content).json
    if as_json:
        show.as_json(made)
        return
    click.echo(f"registered {made['name']} as {made['id']}")


@command.command("disable")
@click.argument("app")
@_USER
@with_target
def disable(target: Target, app: str, user: str) -> None:
    """Let a user in no more, and end all sessions."""
    client = Client(target)
    _patch(client, app, user, {"disabled": True})
    click.echo(f"disabled {user}; all sessions have ended")


@command.command("enable")
@click.argument("app")
@_USER
@with_target
def enable(target: Target, app: str, user: str) -> None:
    """Let a user in again."""
    client = Client(target)
    _patch(client, app, user, {"disabled": False})
    click.echo(f"enabled {user}")


@command.command("roles")
@click.argument("app")
@_USER
@click.option("--add", multiple=True, help="A role to give; may be repeated.")
@click.option("--take", multiple=True, help="A role to take away; may be repeated.")
@_JSON
@with_target
def roles(target: Target, app: str, user: str, add: tuple[str, ...], take: tuple[str, ...], as_json: bool) -> None:
    """Show a user's roles, or change them."""
    client = Client(target)
    found = _found(client, app, user)
    if add or take:
        wanted = sorted({*found["roles"], *add} - {*take})
        found = client.send("PATCH", "apps", app, "users", found["id"], content={"roles": wanted}).json
    if as_json:
        show.as_json(found["roles"])
        return
    click.echo(", ".join(found["roles"]) or "none")


@command.command("password")
@click.argument("app")
@_USER
@with_target
def password(target: Target, app: str, user: str) -> None:
    """Give a user another password, asked for or read from standard input; all sessions end."""
    client = Client(target)
    found = _found(client, app, user)
    client.send("PUT", "apps", app, "users", found["id"], "password", content={"password": _password()})
    click.echo(f"set the password of {user}; all sessions have ended")


@command.command("sessions")
@click.argument("app")
@_USER
@_JSON
@with_target
def sessions(target: Target, app: str, user: str, as_json: bool) -> None:
    """List a user's sessions, oldest first."""
    client = Client(target)
    items = client.get("apps", app, "users", _found(client, app, user)["id"], "sessions")["items"]
    if as_json:
        show.as_json(items)
        return
    rows = [
        (
            item["id"],
            show.when(item["started"]),
            show.when(item["idle_until"]),
            show.when(item["expires"]),
            item["about"],
        )
        for item in items
    ]
    show.table(("session", "started", "ends unused", "ends", "about"), rows, empty=f"{user} has no sessions")


@command.command("revoke")
@click.argument("app")
@_USER
@click.option("--session", help="Only this one; all sessions otherwise.")
@click.option("--token-id", metavar="ID", help="This token for programs, and no session.")
@with_target
def revoke(target: Target, app: str, user: str, session: str | None, token_id: str | None) -> None:
    """End a user's sessions, or one of them, or revoke a token."""
    client = Client(target)
    path = ("apps", app, "users", _found(client, app, user)["id"])
    if session is not None and token_id is not None:
        raise click.UsageError("give --session or --token-id, not both")
    if session is not None:
        client.send("DELETE", *path, "sessions", session)
        click.echo(f"ended {session}")
    elif token_id is not None:
        client.send("DELETE", *path, "tokens", token_id)
        click.echo(f"revoked {token_id}")
    else:
        ended = client.send("DELETE", *path, "sessions").json["ended"]
        click.echo(f"ended {ended} sessions of {user}")


@command.command("remove")
@click.argument("app")
@_USER
@click.option("--yes", is_flag=True, help="Don't ask.")
@with_target
def remove(target: Target, app: str, user: str, yes: bool) -> None:
    """Remove a user, and erase what is kept of the person: the key that it is sealed with is destroyed."""
    client = Client(target)
    found = _found(client, app, user)
    if not yes:
        click.confirm(f"remove {found['name']} from {app}, and erase what is kept of them?", abort=True)
    client.send("DELETE", "apps", app, "users", found["id"])
    click.echo(f"removed {user}; what the log has of them can't be read any more")


def _found(client: Client, app: str, user: str) -> dict[str, Any]:
    """The user with that name or id."""
    items = client.get("apps", app, "users", name=user)["items"]
    if items:
        return dict(items[0])
    try:
        id_ = str(UUID(user))
    except ValueError:
        raise click.ClickException(f"there is no user {user!r} in {app}; see picloud users list {app}") from None
    return dict(client.get("apps", app, "users", id_))


def _patch(client: Client, app: str, user: str, content: dict[str, Any]) -> None:
    client.send("PATCH", "apps", app, "users", _found(client, app, user)["id"], content=content)


def _password() -> str:
    if sys.stdin.isatty():
        given: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return given
    return sys.stdin.readline().rstrip("\r\n")


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"{text[:60]!r} is no JSON: {error}", param_hint="-d") from None
    if not isinstance(value, dict):
        raise click.BadParameter("a JSON object is expected", param_hint="-d")
    return value


def _state(user: dict[str, Any]) -> str:
    return "disabled" if user["disabled"] else "active"
