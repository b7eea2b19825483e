"""``picloud mails``: what scripts sent; without a server for mails, the local mailbox."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import click

from picloud.cli import show
from picloud.cli.client import Client
from picloud.cli.lazy import ListingGroup
from picloud.cli.target import Target, with_target

_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
_MAIL = click.argument("mail", metavar="APP/MAIL")
_LAST: Final = "last"
_STEERING: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@click.group("mails", cls=ListingGroup)
def command() -> None:
    """List the mails that an app's scripts sent, look into them, send one again.

    A mail is named by the app and its id; demo/last is the newest one.

    \b
      picloud mails demo                     # newest first
      picloud mails demo --state failed
      picloud mails show demo/last           # as its reader sees it, and what became of it
      picloud mails download demo/last       # the whole mail, for another program
      picloud mails download demo/last --attachment invoice.pdf
      picloud mails retry demo/ID            # send it to those who didn't get it
      picloud mails cancel demo/ID --reason "a mistake"
    """


@command.command("list")
@click.argument("app")
@click.option(
    "--state",
    type=click.Choice(["queued", "sent", "failed", "kept", "cancelled"]),
    help="Only those that wait, were taken by the server, never will be, are in the local mailbox, or were cancelled.",
)
@click.option("--to", "recipient", metavar="ADDRESS", help="Only to this address.")
@click.option("--invocation", metavar="ID", help="Only of this run.")
@click.option("-n", "limit", type=click.IntRange(1), default=25, show_default=True, help="How many.")
@_JSON
@with_target
def listing(target: Target, app: str, limit: int, as_json: bool, **filters: str | None) -> None:
    """List the mails that an app's scripts sent, newest first."""
    items = list(Client(target).pages("apps", app, "mails", limit=limit, **filters))
    if as_json:
        show.as_json_lines(items)
        return
    rows = [
        (
            item["id"],
            item["state"],
            _to(item["recipients"]),
            item["subject"],
            item["script"],
            show.when(item["queued_at"]),
            item["attempts"],
            show.when(item["due"]) if item["attempts"] else "",
            item["answer"],
        )
        for item in items
    ]
    headings = ("mail", "state", "to", "subject", "script", "queued", "attempts", "next", "answer")
    show.table(headings, rows, empty=f"{app} has no such mails")


@command.command("show")
@_MAIL
@click.option("--html", is_flag=True, help="Write the HTML and nothing else.")
@_JSON
@with_target
def showing(target: Target, mail: str, html: bool, as_json: bool) -> None:
    """Show a mail as its reader sees it, and what became of it."""
    client = Client(target)
    app, found = _named(client, mail)
    whole = client.get("apps", app, "mails", found)
    if as_json:
        show.as_json(whole)
        return
    if html:
        click.echo(whole["html"] or "", nl=False)
        return
    _facts(whole)
    body = whole["html"] if whole["text"] is None else whole["text"]
    if body is not None:
        # What strangers gave to a script must not steer the terminal.
        click.echo("\n" + _STEERING.sub("\ufffd", body.rstrip()))
    click.echo(click.style("\nevents", bold=True))
    for event in whole["events"]:
        click.echo(f"  {show.when(event['at'])}  {event['type']:<17} {event['actor']}{_said(event['content'])}")


@command.command("download")
@_MAIL
@click.option("--attachment", metavar="NAME", help="Only this file of it.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, allow_dash=True), help="Where to; - is the output.")
@with_target
def download(target: Target, mail: str, attachment: str | None, output: str | None) -> None:
    """Write the whole mail to a file, or one that is attached to it."""
    client = Client(target)
    app, found = _named(client, mail)
    content = client.send("GET", "apps", app, "mails", found, "raw").content
    name = f"{found}.eml"
    if attachment is not None:
        name, content = _attached(content, attachment)
    if output == "-":
        click.echo(content, nl=False)
        return
    path = Path(output or name)
    if output is None and path.exists():
        raise click.ClickException(f"{path} is there; say with -o where to")
    path.write_bytes(content)
    click.echo(f"wrote {path}: {len(content):,} bytes")


@command.command("cancel")
@_MAIL
@click.option("--reason", default="cancelled by hand", show_default=True)
@_JSON
@with_target
def cancel(target: Target, mail: str, reason: str, as_json: bool) -> None:
    """Don't send a mail that is queued."""
    _told(target, mail, "cancel", {"reason": reason}, as_json=as_json)


@command.command("retry")
@_MAIL
@_JSON
@with_target
def retry(target: Target, mail: str, as_json: bool) -> None:
    """Send a mail to those who didn't get it, from the beginning."""
    _told(target, mail, "retry", None, as_json=as_json)


def _told(target: Target, mail: str, verb: str, content: Any, *, as_json: bool) -> None:
    client = Client(target)
    app, found = _named(client, mail)
    row = client.send("POST", "apps", app, "mails", found, verb, content=content).json
    if as_json:
        show.as_json(row)
        return
    click.echo(f"{app}/{found} is {row['state']}")


def _named(client: Client, mail: str) -> tuple[str, str]:
    """App and id of ``app/id``."""
    app, slash, found = mail.partition("/")
    if not app or not slash or not found or "/" in found:
        raise click.UsageError(
            f"{mail!r} names no mail; expected APP/MAIL, such as demo/{_LAST}; see picloud mails APP"
        )
    if found != _LAST:
        return app, found
    newest = client.get("apps", app, "mails", limit=1)["items"]
    if not newest:
        raise click.ClickException(f"{app} has sent no mail yet")
    return app, newest[0]["id"]


def _facts(whole: dict[str, Any]) -> None:
    headers = {name.lower(): value for name, value in whole["headers"]}
    known = "".join(headers.get(name, "") for name in ("to", "cc"))
    hidden = [each["address"] for each in whole["recipients"] if each["address"] not in known]
    refused = [each for each in whole["recipients"] if each["state"] == "refused"]
    facts = [
        ("mail", f"{whole['app']}/{whole['id']}"),
        (
            "state",
            whole["state"]
            + (f", next attempt {show.when(whole['due'])}" if whole["attempts"] and whole["due"] else ""),
        ),
        *((name, headers.get(name)) for name in ("from", "to", "cc")),
        ("bcc", ", ".join(hidden)),
        *((name, headers.get(name)) for name in ("reply-to", "subject")),
        ("run", f"{whole['app']}/{whole['script']} {whole['invocation']}"),
        ("attempts", whole["attempts"]),
        ("answer", whole["answer"]),
        *(("refused", f"{each['address']}: {each['answer']}") for each in refused),
        *(
            ("attachment", f"{each['name']}, {each['content_type']}, {each['size']:,} bytes")
            for each in whole["attachments"]
        ),
        ("html", f"{len(whole['html']):,} characters; --html shows it" if whole["html"] and whole["text"] else ""),
    ]
    for name, value in facts:
        if value:
            click.echo(f"{name:<12} {value}")


def _said(content: dict[str, Any]) -> str:
    said = " ".join(str(content[name]) for name in ("code", "text", "reason") if content.get(name))
    return f"  {said}" if said else ""


def _to(recipients: list[dict[str, str]]) -> str:
    more = len(recipients) - 1
    return recipients[0]["address"] + (f" and {more} more" if more else "")


def _attached(content: bytes, name: str) -> tuple[str, bytes]:
    from email import message_from_bytes
    from email.message import EmailMessage
    from email.policy import default

    message = message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    files = {part.get_filename() or "": part.get_payload(decode=True) for part in message.iter_attachments()}
    found = files.get(name)
    if not isinstance(found, bytes):
        raise click.ClickException(f"no {name!r} is attached; there is {', '.join(files) or 'nothing'}")
    return Path(name).name, found
