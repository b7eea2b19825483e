"""``picloud secrets``: an app's secrets. Values go in from a prompt, a pipe or a file, and never come out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from picloud.cli import show
from picloud.cli.client import Client
from picloud.cli.lazy import ListingGroup
from picloud.cli.target import Target, with_target

_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
_APP = click.argument("app")
_NAME = click.argument("name")
_FILE = click.option("--file", metavar="FILE", help="Holds the value, whole. Else it is asked for, or comes by a pipe.")
_GENERATE = click.option("--generate", is_flag=True, help="Have a random value made, which nobody is shown.")
_IF_VERSION = click.option("--if-version", type=int, metavar="N", help="Only on top of this version; 0 is none.")


@click.group("secrets", cls=ListingGroup)
def command() -> None:
    """List an app's secrets, with who reads them; set, rotate or remove one. Values are never shown.

    \b
      picloud secrets demo
      picloud secrets set demo STRIPE_KEY < key.txt
      picloud secrets rotate demo STRIPE_KEY --grace 24h
      picloud secrets show demo STRIPE_KEY
    """


@command.command("list")
@_APP
@_JSON
@with_target
def listing(target: Target, app: str, as_json: bool) -> None:
    """List an app's secrets."""
    items = Client(target).get("apps", app, "secrets")["items"]
    if as_json:
        show.as_json(items)
        return
    rows = [
        (
            item["name"],
            item["version"],
            show.when(item["set_at"]),
            item["set_by"],
            _older(item),
            item["reads"],
            show.when(item["last_read_at"]),
        )
        for item in items
    ]
    headings = ("secret", "version", "set", "by", "in grace", "reads", "last read")
    show.table(headings, rows, empty=f"{app} has no secrets")


@command.command("show")
@_APP
@_NAME
@_JSON
@with_target
def showing(target: Target, app: str, name: str, as_json: bool) -> None:
    """Show all of a secret but its value, and the scripts that read it."""
    item = Client(target).get("apps", app, "secrets", name)
    if as_json:
        show.as_json(item)
        return
    _version(item)
    for older in item["older"]:
        _version(older)
    rows = [
        (each["script"], each["reads"], each["runs"], show.when(each["last_at"]), each["last_version"])
        for each in item["readers"]
    ]
    show.table(("script", "reads", "runs", "last", "version"), rows, empty="no script has read it")


@command.command("set")
@_APP
@_NAME
@_FILE
@_GENERATE
@click.option("--grace", metavar="DURATION", help="So long the value before stays readable; else it ends at once.")
@_IF_VERSION
@_JSON
@with_target
def setting(
    target: Target,
    app: str,
    name: str,
    file: str | None,
    generate: bool,
    grace: str | None,
    if_version: int | None,
    as_json: bool,
) -> None:
    """Set a secret. The value is asked for twice, or read from standard input if that is no terminal.

    Of what comes by a pipe a line's end at its end is left out. The value is no argument, for what is typed as one
    stays in the shell's history and is seen by whoever lists processes.
    """
    _set(Client(target), (app, name), _body(file, generate, grace), expected=if_version, as_json=as_json)


@command.command("rotate")
@_APP
@_NAME
@_FILE
@_GENERATE
@click.option("--grace", metavar="DURATION", default="1h", show_default=True, help="How long the old one is readable.")
@_JSON
@with_target
def rotate(target: Target, app: str, name: str, file: str | None, generate: bool, grace: str, as_json: bool) -> None:
    """Give a secret that is there another value; the old one stays readable for a while (secrets::live).

    Nobody else's change is overwritten: if there is one in between, you are told so.
    """
    client = Client(target)
    version = client.get("apps", app, "secrets", name)["version"]
    _set(client, (app, name), _body(file, generate, grace), expected=version, as_json=as_json)


@command.command("expire")
@_APP
@_NAME
@_JSON
@with_target
def expire(target: Target, app: str, name: str, as_json: bool) -> None:
    """End the grace of a secret's older values now."""
    done = Client(target).send("POST", "apps", app, "secrets", name, "expire").json
    if as_json:
        show.as_json(done)
        return
    click.echo(f"older values of {name} can't be read any more" if done["expired"] else f"{name} has no older values")


@command.command("remove")
@_APP
@_NAME
@_IF_VERSION
@_JSON
@with_target
def remove(target: Target, app: str, name: str, if_version: int | None, as_json: bool) -> None:
    """Remove a secret: no script can read it any more."""
    headers = {} if if_version is None else {"If-Match": f'"{if_version}"'}
    Client(target).send("DELETE", "apps", app, "secrets", name, headers=headers)
    if as_json:
        show.as_json({"app": app, "name": name, "removed": True})
        return
    click.echo(f"removed the secret {name} of {app}")


def _set(client: Client, names: tuple[str, str], body: dict[str, Any], *, expected: int | None, as_json: bool) -> None:
    app, name = names
    headers = {}
    if expected is not None:
        headers = {"If-Match": f'"{expected}"'} if expected else {"If-None-Match": "*"}
    answer = client.send("PUT", "apps", app, "secrets", name, content=body, headers=headers)
    item = answer.json
    if as_json:
        show.as_json(item)
    elif answer.status == 200:
        click.echo(f"{name} of {app} has this value already: version {item['version']}")
    else:
        click.echo(f"set {name} of {app}: version {item['version']}")
        for older in item["older"]:
            click.echo(f"version {older['version']} can be read until {show.when(older['readable_until'])}")


def _body(file: str | None, generate: bool, grace: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {} if grace is None else {"grace": grace}
    if generate:
        if file is not None:
            raise click.UsageError("give a file, or --generate, not both")
        return body | {"generate": True}
    return body | {"value": _value(file)}


def _value(file: str | None) -> str:
    if file is not None:
        try:
            return Path(file).read_bytes().decode()
        except OSError as error:
            raise click.ClickException(f"{file} can't be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise click.ClickException(f"{file} is not UTF-8; keep what is binary as Base64") from None
    if sys.stdin.isatty():
        return str(click.prompt("Value", hide_input=True, confirmation_prompt="The same again"))
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise click.ClickException("standard input is not UTF-8; keep what is binary as Base64") from None
    return text.removesuffix("\n").removesuffix("\r")


def _older(item: dict[str, Any]) -> str:
    return ", ".join(f"{each['version']} until {show.when(each['readable_until'])}" for each in item["older"])


def _version(item: dict[str, Any]) -> None:
    until = item.get("readable_until")
    told = f", readable until {show.when(until)}" if until else ""
    click.echo(
        f"version {item['version']}, set {show.when(item['set_at'])} by {item['set_by']}{told}, fingerprint "
        f"{item['fingerprint']}, vault key {item['vault_key']}"
    )
