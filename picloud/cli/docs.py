"""``picloud docs``: an app's collections and their documents."""

from __future__ import annotations

import json
from typing import Any

import click

from picloud.cli import show
from picloud.cli.client import Client
from picloud.cli.invocations import read_body
from picloud.cli.lazy import ListingGroup
from picloud.cli.scripts import split_title
from picloud.cli.target import Target, with_target

_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
_TITLE = click.argument("title", metavar="APP/COLLECTION")
_DOCUMENT = click.argument("document", metavar="ID")
_WHERE = click.option("--where", metavar="FILTER", help="Only these: a filter as JSON, as docs::find takes it.")
_IF_VERSION = click.option("--if-version", type=click.IntRange(0), help="Only if it has this version; 0: is not there.")


@click.group("docs", cls=ListingGroup)
def command() -> None:
    """List an app's collections; look into one, change its documents, indexes and schema.

    \b
      picloud docs shop
      picloud docs find shop/orders --where '{"total": {"gt": 100}}' --sort=-total
      picloud docs get shop/orders ID
      picloud docs put shop/orders ID -d '{"total": 12.5}'
      picloud docs history shop/orders ID
      picloud docs index add shop/orders status created
      picloud docs schema set shop/orders -d @order.schema.json
    """


@command.command("list")
@click.argument("app")
@_JSON
@with_target
def listing(target: Target, app: str, as_json: bool) -> None:
    """List an app's collections: documents, bytes, indexes and how far they have come, whether there is a schema."""
    items = Client(target).get("apps", app, "collections")["items"]
    if as_json:
        show.as_json(items)
        return
    rows = [
        (
            item["name"],
            item["documents"],
            item["bytes"],
            "; ".join(_told(index) for index in item["indexes"]),
            "yes" if item["schema"] is not None else "no",
        )
        for item in items
    ]
    headings = ("collection", "documents", "bytes", "indexes", "schema")
    show.table(headings, rows, empty=f"{app} has no collections; docs::insert makes one, or picloud docs put")


@command.command("find")
@_TITLE
@_WHERE
@click.option("--sort", help="Fields between commas, - before one that descends: --sort=status,-created.")
@click.option("-n", "limit", type=click.IntRange(1), default=20, show_default=True, help="Documents at most.")
@click.option("--count", is_flag=True, help="Only how many there are.")
@_JSON
@with_target
def find(
    target: Target, title: str, where: str | None, sort: str | None, limit: int, count: bool, as_json: bool
) -> None:
    """Find documents: a line for each."""
    client, path = Client(target), _path(title)
    if count:
        found = client.get(*path, "count", filter=where)["count"]
        click.echo(json.dumps({"count": found}) if as_json else found)
        return
    documents = client.pages(*path, "documents", limit=limit, filter=where, sort=sort)
    if as_json:
        show.as_json_lines(documents)
        return
    rows = [(each["id"], each["version"], _line(each["data"])) for each in documents]
    show.table(("id", "version", "data"), rows, empty=f"nothing in {title} fits")


@command.command("get")
@_TITLE
@_DOCUMENT
@_JSON
@with_target
def get(target: Target, title: str, document: str, as_json: bool) -> None:
    """Show a document."""
    found = Client(target).get(*_path(title), "documents", document)
    if as_json:
        show.as_json(found)
        return
    click.echo(json.dumps(found["data"], indent=2, ensure_ascii=False))


@command.command("put")
@_TITLE
@click.argument("document", metavar="[ID]", required=False)
@click.option("-d", "--data-json", "text", required=True, help="The document as JSON; @FILE, or @- for standard input.")
@click.option("--patch", is_flag=True, help="Lay it over the document as a merge patch (RFC 7396).")
@_IF_VERSION
@_JSON
@with_target
def put(
    target: Target,
    title: str,
    document: str | None,
    text: str,
    patch: bool,
    if_version: int | None,
    as_json: bool,
) -> None:
    """Insert or replace a document, or patch it. Without an ID it gets a new one, which is printed."""
    content = _parsed(read_body(text), "--data-json")
    client, path = Client(target), (*_path(title), "documents")
    if document is None:
        if patch or if_version:
            raise click.UsageError("--patch and --if-version need the document's ID")
        done = client.send("POST", *path, content=content).json
    else:
        method = "PATCH" if patch else "PUT"
        done = client.send(method, *path, document, content=content, headers=_expected(if_version)).json
    if as_json:
        show.as_json(done)
        return
    click.echo(done["id"] if document is None else f"{title} {done['id']}: version {done['version']}")


@command.command("delete")
@_TITLE
@_DOCUMENT
@_IF_VERSION
@_JSON
@with_target
def delete(target: Target, title: str, document: str, if_version: int | None, as_json: bool) -> None:
    """Delete a document; its history stays."""
    Client(target).send("DELETE", *_path(title), "documents", document, headers=_expected(if_version))
    if as_json:
        show.as_json({"deleted": document})
        return
    click.echo(f"{title} {document}: deleted")


@command.command("history")
@_TITLE
@_DOCUMENT
@click.option("-n", "limit", type=click.IntRange(1, 100), default=20, show_default=True, help="Changes at most.")
@_JSON
@with_target
def history(target: Target, title: str, document: str, limit: int, as_json: bool) -> None:
    """Show what happened to a document, who did it, and what it was then; the newest first."""
    items = Client(target).get(*_path(title), "documents", document, "history", limit=limit)["items"]
    if as_json:
        show.as_json(items)
        return
    rows = [
        (
            each["version"],
            show.when(each["at"]),
            each["type"].removeprefix("Document").lower(),
            each["actor"],
            "" if each["data"] is None else _line(each["data"]),
        )
        for each in items
    ]
    show.table(("version", "at", "what", "who", "data"), rows, empty="")


@command.group("index")
def index() -> None:
    """Add or remove an index of a collection.

    \b
      picloud docs index add shop/orders status created
    An index on several fields serves filters on the first of them, and what is sorted by the next.
    """


@index.command("add")
@_TITLE
@click.argument("fields", nargs=-1, required=True)
@_JSON
@with_target
def index_add(target: Target, title: str, fields: tuple[str, ...], as_json: bool) -> None:
    """Have an index made on fields of a collection's documents; docs::find uses it as soon as it is ready."""
    done = Client(target).send("POST", *_path(title), "indexes", content={"fields": fields}).json
    if as_json:
        show.as_json(done)
        return
    click.echo(f"{title}: an index on {', '.join(fields)} will be made; picloud docs list shows when it is ready")


@index.command("remove")
@_TITLE
@click.argument("fields", nargs=-1, required=True)
@_JSON
@with_target
def index_remove(target: Target, title: str, fields: tuple[str, ...], as_json: bool) -> None:
    """Have the index on these fields dropped."""
    Client(target).send("DELETE", *_path(title), "indexes", query={"fields": ",".join(fields)})
    if as_json:
        show.as_json({"removed": fields})
        return
    click.echo(f"{title}: the index on {', '.join(fields)} is dropped")


@command.group("schema")
def schema() -> None:
    """Show, set or remove the JSON Schema that a collection's documents must fit.

    \b
      picloud docs schema set shop/orders -d @order.schema.json
    """


@schema.command("show")
@_TITLE
@_JSON
@with_target
def schema_show(target: Target, title: str, as_json: bool) -> None:
    """Print a collection's schema."""
    found = Client(target).get(*_path(title))["schema"]
    if as_json:
        show.as_json(found)
    elif found is None:
        raise click.ClickException(f"{title} has no schema; picloud docs schema set {title} -d @FILE")
    else:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))


@schema.command("set")
@_TITLE
@click.option("-d", "--data-json", "text", required=True, help="The schema as JSON; @FILE, or @- for standard input.")
@_JSON
@with_target
def schema_set(target: Target, title: str, text: str, as_json: bool) -> None:
    """Set the schema that documents must fit when they are written from now on; say which ones there don't."""
    content = _parsed(read_body(text), "--data-json")
    fit = Client(target).send("PUT", *_path(title), "schema", content=content).json
    if as_json:
        show.as_json(fit)
        return
    click.echo(f"{title}: {fit['checked']:,} documents looked at, {fit['unfit']:,} of them don't fit")
    for misfit in fit["misfits"]:
        click.echo(f"  {misfit['id']}: {misfit['place']}: {misfit['reason']}")


@schema.command("remove")
@_TITLE
@_JSON
@with_target
def schema_remove(target: Target, title: str, as_json: bool) -> None:
    """Take any document from now on."""
    Client(target).send("DELETE", *_path(title), "schema")
    if as_json:
        show.as_json({"removed": title})
        return
    click.echo(f"{title}: takes any document now")


def _path(title: str) -> tuple[str, ...]:
    app, collection = split_title(title)
    return "apps", app, "collections", collection


def _parsed(text: str, option: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"this is no JSON ({error})", param_hint=option) from None


def _expected(version: int | None) -> dict[str, str]:
    if version is None:
        return {}
    return {"If-None-Match": "*"} if version == 0 else {"If-Match": f'"{version}"'}


def _line(data: Any) -> str:
    text = json.dumps(data, ensure_ascii=False)
    return text if len(text) <= 200 else text[:199] + "…"


def _told(index: dict[str, Any]) -> str:
    title = ",".join(index["fields"])
    if index["state"] == "ready":
        return title
    return f"{title} ({index['state']}{': ' + index['reason'] if index['reason'] else ''})"
