"""``picloud config … APP``: what an app's scripts read as ``config::``."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import click

from picloud.cli import show
from picloud.cli.client import Client, ProblemError
from picloud.cli.target import Target, with_target

_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
_APP = click.argument("app")
_NAME = click.argument("name")
_IF_VERSION = click.option("--if-version", type=int, metavar="N", help="Only on top of this version; 0 is none.")
_TYPES: Final = ("string", "int", "float", "bool", "list", "map")
_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9]*)")


@click.command("list")
@_APP
@_JSON
@with_target
def listing(target: Target, app: str, as_json: bool) -> None:
    """List an app's settings."""
    items = Client(target).get("apps", app, "config")["items"]
    if as_json:
        show.as_json(items)
        return
    rows = [
        (item["name"], item["type"], _shown(item["value"]), item["version"], show.when(item["changed_at"]))
        for item in items
    ]
    show.table(("setting", "type", "value", "version", "changed"), rows, empty=f"{app} has no settings")


@click.command("get")
@_APP
@_NAME
@_JSON
@with_target
def getting(target: Target, app: str, name: str, as_json: bool) -> None:
    """Print a setting's value: text as it is, anything else as JSON. With --json all that is known of it."""
    item = Client(target).get("apps", app, "config", name)
    if as_json:
        show.as_json(item)
        return
    value = item["value"]
    click.echo(value if isinstance(value, str) else _shown(value))


@click.command("set")
@_APP
@_NAME
@click.argument("value")
@click.option("--type", "kind", type=click.Choice(_TYPES), help="Its type from now on; else it keeps the one it has.")
@_IF_VERSION
@_JSON
@with_target
def setting(
    target: Target, app: str, name: str, value: str, kind: str | None, if_version: int | None, as_json: bool
) -> None:
    """Set a setting. Without --type the VALUE is read as the type that the setting has; for a new one as JSON if it is
    JSON, else as text.

    \b
      picloud config set demo RATE 20
      picloud config set demo GREETING 'Good morning'
      picloud config set demo ZIP 01234 --type string
      picloud config set demo REGIONS '["eu", "us"]'
    """
    client = Client(target)
    content: dict[str, Any] = {"value": _read(value, kind or _present(client, app, name))}
    if kind is not None:
        content["type"] = kind
    headers = {}
    if if_version is not None:
        headers = {"If-Match": f'"{if_version}"'} if if_version else {"If-None-Match": "*"}
    item = client.send("PUT", "apps", app, "config", name, content=content, headers=headers).json
    if as_json:
        show.as_json(item)
        return
    click.echo(f"{name} of {app} is {_shown(item['value'])} ({item['type']}), version {item['version']}")


@click.command("remove")
@_APP
@_NAME
@_IF_VERSION
@_JSON
@with_target
def remove(target: Target, app: str, name: str, if_version: int | None, as_json: bool) -> None:
    """Remove a setting."""
    headers = {} if if_version is None else {"If-Match": f'"{if_version}"'}
    Client(target).send("DELETE", "apps", app, "config", name, headers=headers)
    if as_json:
        show.as_json({"app": app, "name": name, "removed": True})
        return
    click.echo(f"removed the setting {name} of {app}")


@click.command("history")
@_APP
@_NAME
@_JSON
@with_target
def history(target: Target, app: str, name: str, as_json: bool) -> None:
    """Show what a setting was, newest first, and who changed it."""
    items = Client(target).get("apps", app, "config", name, "history")["items"]
    if as_json:
        show.as_json(items)
        return
    rows = [
        (
            item["version"],
            item["type"] or "",
            "removed" if item["removed"] else _shown(item["value"]),
            show.when(item["changed_at"]),
            item["changed_by"],
        )
        for item in items
    ]
    show.table(("version", "type", "value", "changed", "by"), rows, empty="")


COMMANDS: Final = (listing, getting, setting, remove, history)


def _present(client: Client, app: str, name: str) -> str | None:
    """The type that the setting has; None if there is none."""
    try:
        return str(client.get("apps", app, "config", name)["type"])
    except ProblemError as problem:
        if problem.status == 404:
            return None
        raise


def _read(text: str, kind: str | None) -> Any:
    """The value that a text of the command line means. What doesn't fit goes as text, for the platform to refuse."""
    if kind == "string":
        return text
    if kind == "float" and _WHOLE.fullmatch(text):
        return float(text)
    try:
        return json.loads(text)
    except ValueError:
        return text


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
