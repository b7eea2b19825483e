"""``picloud files``: an app's files, put and got as streams."""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

import click

from picloud.cli import show
from picloud.cli.client import Client
from picloud.cli.target import Target, with_target

_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
STANDARD: Final = "-"


@click.group("files")
def command() -> None:
    """Put, get, list or remove an app's files.

    \b
      picloud files put report.pdf demo/reports/2026.pdf
      picloud files ls demo/reports/
      picloud files get demo/reports/2026.pdf
      picloud files rm demo/reports/2026.pdf
    """


@command.command("ls")
@click.argument("title", metavar="APP[/PREFIX]")
@click.option("-r", "--recursive", is_flag=True, help="Also what lies in folders.")
@_JSON
@with_target
def listing(target: Target, title: str, recursive: bool, as_json: bool) -> None:
    """List files, and the folders among them."""
    app, _, prefix = title.partition("/")
    files, folders = _listed(Client(target), app, prefix, recursive=recursive)
    if as_json:
        show.as_json({"files": files, "folders": folders})
        return
    rows: list[tuple[str, ...]] = [(folder, "", "", "") for folder in folders]
    rows += [(file["path"], f"{file['size']:,}", file["content_type"], show.when(file["written_at"])) for file in files]
    show.table(("path", "size", "type", "written"), sorted(rows), empty=f"there are no files in {title}")


@command.command("stat")
@click.argument("title", metavar="APP/PATH")
@_JSON
@with_target
def stat(target: Target, title: str, as_json: bool) -> None:
    """Show what is known of a file."""
    app, path = split_title(title)
    page = Client(target).get("apps", app, "files", prefix=path, limit=1)["items"]
    if not page or page[0]["path"] != path:
        raise click.ClickException(f"there is no file {path!r} in {app}; see picloud files ls {app}")
    file = page[0]
    if as_json:
        show.as_json(file)
        return
    for name in ("path", "size", "sha256", "content_type", "written_at", "version"):
        click.echo(f"{name:13} {file[name]}")
    for name, value in file["metadata"].items():
        click.echo(f"  {name}: {value}")


@command.command("put")
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.argument("title", metavar="APP/PATH")
@click.option("--content-type", help="What it is, if its name doesn't tell.")
@click.option("--meta", "metadata", multiple=True, metavar="NAME=VALUE", help="Said of it; may be repeated.")
@click.option("--new", is_flag=True, help="Only if there is no file at the path.")
@_JSON
@with_target
def put(
    target: Target,
    file: Path,
    title: str,
    content_type: str | None,
    metadata: tuple[str, ...],
    new: bool,
    as_json: bool,
) -> None:
    """Write a file. FILE may be - for standard input; a PATH that ends with / takes the file's name."""
    if title.endswith("/") and str(file) != STANDARD:
        title += file.name
    app, path = split_title(title)
    headers = {"Content-Type": content_type} if content_type else {}
    for each in metadata:
        name, equals, value = each.partition("=")
        if not equals:
            raise click.UsageError(f"{each!r} is no NAME=VALUE")
        headers[f"PiCloud-Meta-{name}"] = "".join(c if " " <= c <= "~" and c != "%" else _escaped(c) for c in value)
    if new:
        headers["If-None-Match"] = "*"
    client = Client(target)
    if str(file) == STANDARD:
        done = client.send("PUT", "apps", app, "files", path, content=sys.stdin.buffer, headers=headers).json
    else:
        with file.open("rb") as content:
            headers |= sized(content)
            done = client.send("PUT", "apps", app, "files", path, content=content, headers=headers).json
    if as_json:
        show.as_json(done)
        return
    click.echo(f"{app}/{done['path']}  {done['size']:,} bytes  {done['sha256'][:12]}")


@command.command("get")
@click.argument("title", metavar="APP/PATH")
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(allow_dash=True, path_type=Path))
@with_target
def get(target: Target, title: str, file: Path | None) -> None:
    """Read a file into FILE, or - for standard output; by default into the current folder, under its own name.

    What breaks off leaves no file, and a file that is there stays as it was.
    """
    app, path = split_title(title)
    client = Client(target)
    if file is not None and str(file) == STANDARD:
        client.fetch("apps", app, "files", path, into=sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    named = Path(path.rpartition("/")[2])
    wanted = named if file is None else file / named if file.is_dir() else file
    try:
        with _replacing(wanted) as content:
            headers = client.fetch("apps", app, "files", path, into=content)
            content.seek(0)
            if f'"{file_digest(content, "sha256").hexdigest()}"' != headers.get("etag"):
                raise click.ClickException(f"{title} came damaged, or not to its end; try again")
            Path(content.name).replace(wanted)
    except OSError as error:
        raise click.ClickException(f"{wanted} can't be written: {error.strerror}") from error
    click.echo(f"{wanted}  {wanted.stat().st_size:,} bytes")


@command.command("rm")
@click.argument("titles", metavar="APP/PATH…", nargs=-1, required=True)
@click.option("-r", "--recursive", is_flag=True, help="All files in a folder: a PATH that ends with /.")
@with_target
def remove(target: Target, titles: tuple[str, ...], recursive: bool) -> None:
    """Remove files. Their content is kept for PICLOUD_FILE_DAYS."""
    client = Client(target)
    for title in titles:
        app, path = split_title(title)
        paths = [path]
        if path.endswith("/"):
            if not recursive:
                raise click.UsageError(f"{title} is a folder; --recursive removes all that is in it")
            paths = [file["path"] for file in _listed(client, app, path, recursive=True)[0]]
        for each in paths:
            client.send("DELETE", "apps", app, "files", each)
            click.echo(f"removed {app}/{each}")


def split_title(title: str) -> tuple[str, str]:
    """App and path of ``app/a/b.txt``. Raises :class:`click.UsageError`."""
    app, slash, path = title.partition("/")
    if not app or not slash or not path:
        raise click.UsageError(f"{title!r} names no file; expected APP/PATH, such as demo/reports/2026.pdf")
    return app, path


def sized(content: BufferedReader) -> dict[str, str]:
    """The headers that tell size and digest of a file, which is at its beginning then."""
    digest = file_digest(content, "sha256").digest()
    size = content.tell()
    content.seek(0)
    return {"Content-Length": str(size), "Repr-Digest": f"sha-256=:{b64encode(digest).decode()}:"}


def _listed(client: Client, app: str, prefix: str, *, recursive: bool) -> tuple[list[dict[str, Any]], list[str]]:
    files: list[dict[str, Any]] = []
    folders: list[str] = []
    cursor = None
    while True:
        delimiter = None if recursive else "/"
        page = client.get("apps", app, "files", prefix=prefix, delimiter=delimiter, limit=1000, cursor=cursor)
        files += page["items"]
        folders += page["folders"]
        cursor = page["next"]
        if cursor is None:
            return files, folders


@contextmanager
def _replacing(path: Path) -> Iterator[Any]:
    """A file beside ``path`` that is to take its place; it is gone at the end of the block unless it has."""
    part = path.parent / f".{path.name}.{os.getpid()}.part"
    try:
        with part.open("x+b") as content:
            yield content
    finally:
        part.unlink(missing_ok=True)


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))
