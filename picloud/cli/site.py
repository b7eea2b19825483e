"""``picloud site``: a folder as an app's static site."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final

import click

from picloud.cli import show
from picloud.cli.client import Client, ProblemError
from picloud.cli.files import sized
from picloud.cli.target import Target, with_target

_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
_APP = click.argument("app")
SHOWN: Final = 40
"""So many files are told by name."""
KEPT_DOTS: Final = frozenset({".well-known"})
"""Of the names that begin with a dot, which else are left out."""


@click.group("site")
def command() -> None:
    """Deploy a folder as an app's static site.

    \b
      picloud site deploy dist --app demo
      picloud site show demo
      picloud site set demo --fallback '' --cache 'data/*=no-store'
    """


@command.command("deploy")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--app", required=True, help="The app; it is made if it isn't there.")
@click.option("--prefix", help="Of the site's files, for a new site; site/ unless said otherwise.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@_JSON
@with_target
def deploy(target: Target, folder: Path, app: str, prefix: str | None, dry_run: bool, as_json: bool) -> None:
    """Have the site consist of what is in FOLDER.

    Only content that the platform doesn't have is sent. Then all changes become visible at once: what is new, what
    changed, and that what isn't in the folder any more is gone. Names that begin with a dot are left out, but for
    .well-known.
    """
    files = {_name(path, folder): path for path in _files(folder)}
    if not files:
        raise click.ClickException(f"there are no files in {folder}")
    content: dict[str, Any] = {
        "files": [{"path": name, "sha256": _sha256(path)} for name, path in sorted(files.items())],
        "prefix": prefix,
    }
    client = Client(target)
    planned = _planned(client, app, content, make=not dry_run)
    sent = 0
    if not dry_run:
        paths = {file["sha256"]: files[file["path"]] for file in content["files"]}
        for sha256 in planned["missing"]:
            sent += _send(client, app, sha256, paths[sha256])
        done = client.send("POST", "apps", app, "site", "deployments", content=content).json
    else:
        done = planned
    if as_json:
        show.as_json(done | {"sent": len(planned["missing"]), "sent_bytes": sent})
        return
    _tell(done)
    if dry_run:
        click.echo(f"would send {len(planned['missing'])} files, and did nothing", err=True)
        return
    click.echo(
        f"{done['files']} files, {done['bytes']:,} bytes: {len(done['written'])} written, {len(done['deleted'])} "
        f"deleted, {done['unchanged']} unchanged; sent {sent:,} bytes"
    )
    click.echo(done["url"])


@command.command("show")
@_APP
@_JSON
@with_target
def showing(target: Target, app: str, as_json: bool) -> None:
    """Show an app's site."""
    _show(Client(target).get("apps", app, "site"), as_json)


@command.command("set")
@_APP
@click.option("--prefix", help="Of the site's files, such as site/.")
@click.option("--index", help="The page of a folder; '' for none.")
@click.option("--fallback", help="The page of a single-page application; '' for none.")
@click.option("--not-found", help="The page for what isn't there; '' for none.")
@click.option(
    "--cache", "rules", multiple=True, metavar="PATTERN=VALUE", help="The Cache-Control of files; may be repeated."
)
@_JSON
@with_target
def setting(target: Target, app: str, rules: tuple[str, ...], as_json: bool, **given: str | None) -> None:
    """Say how an app's files are served as a site; what isn't given stays. Rules replace those that there were.

    \b
      picloud site set demo --prefix public/
      picloud site set demo --cache 'data/*=no-store' --cache '*.pdf=public, max-age=86400'
    """
    client = Client(target)
    try:
        known = client.get("apps", app, "site")
        content = {name: known[name] for name in ("prefix", "index", "fallback", "not_found", "cache")}
    except ProblemError as error:
        if error.status != 404:
            raise
        content = {}
    content |= {name: value for name, value in given.items() if value is not None}
    if rules:
        content["cache"] = [_rule(rule) for rule in rules if rule]
    _show(client.send("PUT", "apps", app, "site", content=content).json, as_json)


@command.command("remove")
@_APP
@with_target
def removing(target: Target, app: str) -> None:
    """Serve an app's files as a site no more; the files stay."""
    Client(target).send("DELETE", "apps", app, "site")
    click.echo(f"{app} has no site any more; its files are there: picloud files ls {app}")


def _planned(client: Client, app: str, content: dict[str, Any], *, make: bool) -> Any:
    asked = content | {"dry_run": True}
    try:
        return client.send("POST", "apps", app, "site", "deployments", content=asked).json
    except ProblemError as error:
        if error.status != 404 or not make:
            raise
    client.send("POST", "apps", content={"name": app})
    return client.send("POST", "apps", app, "site", "deployments", content=asked).json


def _send(client: Client, app: str, sha256: str, path: Path) -> int:
    with path.open("rb") as content:
        headers = sized(content) | {"Content-Type": "application/octet-stream"}
        return int(client.send("PUT", "apps", app, "contents", sha256, content=content, headers=headers).json["size"])


def _files(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if _is_kept(each))
        yield from (Path(where) / name for name in sorted(names) if _is_kept(name))


def _is_kept(name: str) -> bool:
    return not name.startswith(".") or name in KEPT_DOTS


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as content:
            return file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise click.ClickException(f"{path} can't be read: {error.strerror}") from error


def _tell(done: dict[str, Any]) -> None:
    changes = [("+", path) for path in done["written"]] + [("-", path) for path in done["deleted"]]
    for sign, path in changes[:SHOWN]:
        click.echo(f"{sign} {path.removeprefix(done['prefix'])}")
    if len(changes) > SHOWN:
        click.echo(f"… and {len(changes) - SHOWN} more")


def _rule(text: str) -> dict[str, str]:
    pattern, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"{text!r} is no PATTERN=VALUE, such as 'data/*=no-store'")
    return {"pattern": pattern, "value": value}


def _show(site: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show.as_json(site)
        return
    for name in ("url", "prefix", "index", "fallback", "not_found"):
        click.echo(f"{name:10} {site[name]}")
    for rule in site["cache"]:
        click.echo(f"{'cache':10} {rule['pattern']}  {rule['value']}")
    if site["deployed_at"] is not None:
        click.echo(f"{'deployed':10} {show.when(site['deployed_at'])}, {site['files']} files, {site['bytes']:,} bytes")
