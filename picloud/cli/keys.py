"""``picloud kv``: an app's keys and values, their history; ``picloud quotas``: what an app keeps, and may keep."""

from __future__ import annotations

import json
from typing import Any

import click

from picloud.cli import show
from picloud.cli.client import Client
from picloud.cli.target import Target, with_target
from picloud.domain.errors import Invalid
from picloud.domain.size import parse_size

_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
_LONGEST = 100


@click.group("kv")
def command() -> None:
    """Look into an app's keys and values, and change them.

    \b
      picloud kv list demo --prefix todo/
      picloud kv get demo todo/1 --at 2026-05-01T12:00:00Z
      picloud kv history demo todo/1
    """


@command.command("list")
@click.argument("app")
@click.option("--prefix", default="", help="Only keys that begin with this.")
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True)
@_JSON
@with_target
def listing(target: Target, app: str, prefix: str, limit: int, as_json: bool) -> None:
    """List keys with their values."""
    items = Client(target).pages("apps", app, "kv", limit=limit, prefix=prefix)
    if as_json:
        show.as_json_lines(items)
        return
    rows = [(item["key"], _short(item["value"]), item["version"], show.when(item["expires"])) for item in items]
    show.table(("key", "value", "version", "expires"), rows, empty=f"{app} has no such keys")


@command.command("get")
@click.argument("app")
@click.argument("key")
@click.option("--at", help="What it was at that time, such as 2026-05-01T12:00:00Z.")
@_JSON
@with_target
def get(target: Target, app: str, key: str, at: str | None, as_json: bool) -> None:
    """Print a key's value as JSON; with --json all that is known of it."""
    found = Client(target).get("apps", app, "kv", "value", key=key, at=at)
    if as_json:
        show.as_json(found)
    else:
        click.echo(json.dumps(found["value"], ensure_ascii=False))


@command.command("set")
@click.argument("app")
@click.argument("key")
@click.argument("value")
@click.option("--ttl", help="For how long, such as 1h30m.")
@_JSON
@with_target
def set_(target: Target, app: str, key: str, value: str, ttl: str | None, as_json: bool) -> None:
    """Put VALUE, which is JSON, or a plain string if it isn't, under KEY."""
    try:
        parsed: Any = json.loads(value)
    except ValueError:
        parsed = value
    content = {"value": parsed, "ttl": ttl}
    entry = Client(target).send("PUT", "apps", app, "kv", "value", query={"key": key}, content=content).json
    if as_json:
        show.as_json(entry)
        return
    click.echo(f"set {key}, version {entry['version']}")


@command.command("delete")
@click.argument("app")
@click.argument("key")
@with_target
def delete(target: Target, app: str, key: str) -> None:
    """Take a key away; its history stays."""
    Client(target).send("DELETE", "apps", app, "kv", "value", query={"key": key})
    click.echo(f"deleted {key}")


@command.command("history")
@click.argument("app")
@click.argument("key")
@_JSON
@with_target
def history(target: Target, app: str, key: str, as_json: bool) -> None:
    """List all changes of a key, newest first: when, by whom, what it had then."""
    items = Client(target).get("apps", app, "kv", "history", key=key)["items"]
    if as_json:
        show.as_json(items)
        return
    rows = [
        (
            show.when(item["at"]),
            item["position"],
            item["type"],
            "" if item["deleted"] else _short(item["value"]),
            item["actor"],
            item["causation_id"],
        )
        for item in items
    ]
    show.table(("at", "position", "event", "value", "by", "cause"), rows, empty="")


@click.group("quotas")
def quotas() -> None:
    """What an app keeps in each service, and what it may keep.

    \b
      picloud quotas list demo
      picloud quotas set demo kv --items 5000000 --bytes 512MiB
    """


@quotas.command("list")
@click.argument("app")
@_JSON
@with_target
def list_quotas(target: Target, app: str, as_json: bool) -> None:
    """List what an app keeps, and may keep."""
    _show_quotas(Client(target).get("apps", app, "quotas")["items"], as_json)


@quotas.command("set")
@click.argument("app")
@click.argument("service")
@click.option("--items", type=click.IntRange(0), help="So many keys, documents or files.")
@click.option("--bytes", "size", help="So many bytes, such as 512MiB.")
@_JSON
@with_target
def set_quota(target: Target, app: str, service: str, items: int | None, size: str | None, as_json: bool) -> None:
    """Say what an app may keep in a service; what isn't given is what every app may keep."""
    try:
        wanted = None if size is None else parse_size(size, field="bytes", least=0, most=2**50)
    except Invalid as error:
        raise click.UsageError(f"--bytes: {error.message}. {error.remedy}") from None
    content = {"items": items, "bytes": wanted}
    _show_quotas(Client(target).send("PUT", "apps", app, "quotas", service, content=content).json["items"], as_json)


def _show_quotas(items: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        show.as_json(items)
        return
    rows = [
        (
            item["service"],
            f"{item['items']:,} of {item['item_limit']:,}",
            f"{item['bytes']:,} of {item['byte_limit']:,}",
            "set for the app" if item["own"] else "",
        )
        for item in items
    ]
    show.table(("service", "items", "bytes", ""), rows, empty="")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
