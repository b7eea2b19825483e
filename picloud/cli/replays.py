"""``picloud replays``: many dead letters, or other ended invocations, run again by a job."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import Any, Final

import click

from picloud.cli import show
from picloud.cli.client import Client
from picloud.cli.dead_letters import table as letters_table
from picloud.cli.invocations import edit
from picloud.cli.lazy import ListingGroup
from picloud.cli.scripts import split_title
from picloud.cli.target import Target, with_target

_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
_TITLE = click.argument("title", metavar="APP/NAME")
_FOLLOW = click.option("-f", "--follow", is_flag=True, help="Show the progress until the end.")
_STEP: Final = 0.5
_LETTERS: Final = "dead_letters"


@click.group("replays", cls=ListingGroup)
def command() -> None:
    """Replay many dead letters, or other ended invocations, by a job; list jobs.

    \b
      picloud replays start demo --name mend-orders --script orders --text timeout --rate 50/s --dry-run
      picloud replays start demo --name mend-orders --script orders --text timeout --rate 50/s -f
      picloud replays show demo/mend-orders -f
      picloud replays pause demo/mend-orders --note "the shop is full"
      picloud replays demo
    """


@command.command("list")
@click.argument("app")
@click.option("-n", "limit", type=click.IntRange(1), default=25, show_default=True, help="How many.")
@_JSON
@with_target
def listing(target: Target, app: str, limit: int, as_json: bool) -> None:
    """List an app's replay jobs, newest first."""
    items = list(Client(target).pages("apps", app, "replays", limit=limit))
    if as_json:
        show.as_json_lines(items)
        return
    rows = [
        (
            item["name"],
            item["state"],
            item["total"],
            *(item[name] for name in ("asked", "going_on", "succeeded", "dead", "cancelled", "skipped")),
            show.when(item["started_at"]),
            item["started_by"],
        )
        for item in items
    ]
    headings = ("job", "state", "of", "asked", "going on", "succeeded", "dead again", "cancelled", "skipped")
    show.table((*headings, "started", "by"), rows, empty=f"{app} has no replay jobs; see picloud replays start --help")


@command.command("start")
@click.argument("app")
@click.option("--name", help="What the job is called; each has a name of its own. By default, one from the time.")
@click.option("--script", help="Only of this script.")
@click.option(
    "--state", help="Dead letters that are open (as if not said), discarded or saved; invocations: succeeded, dead …"
)
@click.option("--trigger", help="Only by this trigger: a kind (http, cron …) or a name.")
@click.option("--kind", help="Only with this kind of error, such as Thrown.")
@click.option("--text", help="Only with this text in the error's message.")
@click.option("--since", metavar="TIME", help="Died (or was requested) at or after (RFC 3339).")
@click.option("--until", metavar="TIME", help="Died (or was requested) before (RFC 3339).")
@click.option("--invocations", "all_kinds", is_flag=True, help="Choose from all ended invocations, not dead letters.")
@click.option("--version", default="current", show_default=True, help="current, original, or a number.")
@click.option("-d", "--body", help="Another body for each; @FILE takes it from a file.")
@click.option("--patch", help="A JSON merge patch (RFC 7396) for each body; @FILE takes it from a file.")
@click.option("--rate", metavar="RATE", help="How many at most: 50/s, 600/m. By default as fast as it goes.")
@click.option("--dry-run", is_flag=True, help="Only count, and show some.")
@click.option("-y", "--yes", is_flag=True, help="Don't ask first.")
@_FOLLOW
@_JSON
@with_target
def starting(
    target: Target,
    app: str,
    name: str | None,
    all_kinds: bool,
    version: str,
    body: str | None,
    patch: str | None,
    rate: str | None,
    dry_run: bool,
    yes: bool,
    follow: bool,
    as_json: bool,
    **filters: str | None,
) -> None:
    """Replay an app's dead letters that a filter finds, in the order of their requests.

    What is found now is what is replayed. On a terminal you see how many that are, and some of them, before you say
    yes.

    \b
      picloud replays start demo --name mend-orders --script orders --kind ErrorRuntime --text timeout --rate 50/s
      picloud replays start demo --script orders --patch '{"currency": "EUR"}'
      picloud replays start demo --invocations --script report --state succeeded --since 2026-01-31T00:00:00Z
    """
    client = Client(target)
    content: dict[str, Any] = {
        "name": name or f"replay-{datetime.now(UTC):%Y%m%d-%H%M%S}",
        "source": "invocations" if all_kinds else _LETTERS,
        "filter": {key: value for key, value in filters.items() if value is not None},
        "version": version,
        "rate": rate,
    } | edit(body, patch)
    ask = not yes and not as_json and sys.stdin.isatty()
    if dry_run or ask:
        found = client.send("POST", "apps", app, "replays", content=content | {"dry_run": True}).json
        if as_json:
            show.as_json(found)
            return
        _sample(content["source"], found)
        if dry_run or not found["count"]:
            return
        click.confirm(f"Replay {found['count']:,} on the version {version!r}?", abort=True)
    job = client.send("POST", "apps", app, "replays", content=content).json["job"]
    title = f"{app}/{job['name']}"
    if not as_json:
        click.echo(f"started {title}: {job['total']:,} to replay; see picloud replays show {title} -f")
    _shown(_followed(client, job) if follow else job, as_json=as_json, quiet=not follow)


@command.command("show")
@_TITLE
@_FOLLOW
@_JSON
@with_target
def showing(target: Target, title: str, follow: bool, as_json: bool) -> None:
    """Show how far a job is, and what became of its replays."""
    app, name = split_title(title)
    client = Client(target)
    job = client.get("apps", app, "replays", name)
    _shown(_followed(client, job) if follow else job, as_json=as_json)


@command.command("pause")
@_TITLE
@click.option("--note", default="", help="Why.")
@_JSON
@with_target
def pause(target: Target, title: str, note: str, as_json: bool) -> None:
    """Let a job ask for nothing more for now; what it asked for goes on."""
    _told(target, title, "pause", {"note": note}, as_json=as_json)


@command.command("resume")
@_TITLE
@_JSON
@with_target
def resume(target: Target, title: str, as_json: bool) -> None:
    """Let a paused job go on where it was."""
    _told(target, title, "resume", None, as_json=as_json)


@command.command("abort")
@_TITLE
@click.option("--reason", default="aborted by hand", show_default=True)
@_JSON
@with_target
def abort(target: Target, title: str, reason: str, as_json: bool) -> None:
    """Let a job ask for nothing more, ever; what it asked for goes on."""
    _told(target, title, "abort", {"reason": reason}, as_json=as_json)


def _told(target: Target, title: str, verb: str, content: Any, *, as_json: bool) -> None:
    app, name = split_title(title)
    job = Client(target).send("POST", "apps", app, "replays", name, verb, content=content).json
    if as_json:
        show.as_json(job)
        return
    click.echo(f"{title} is {job['state']}: {job['asked']:,} of {job['total']:,} asked for, {job['skipped']:,} skipped")


def _sample(source: str, found: dict[str, Any]) -> None:
    if source == _LETTERS:
        letters_table(found["sample"], empty="no such dead letters")
    else:
        rows = [
            (item["id"], item["state"], f"{item['script']}@{item['version']}", show.when(item["requested_at"]))
            for item in found["sample"]
        ]
        show.table(("invocation", "state", "script", "requested"), rows, empty="no such invocations")
    more = found["count"] - len(found["sample"])
    if more > 0:
        click.echo(f"and {more:,} more")
    click.echo(f"{found['count']:,} to replay")


def _followed(client: Client, job: dict[str, Any]) -> dict[str, Any]:
    """Show the progress until the job has ended, and return it as it is then."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(job["state"], total=job["total"])
        while job["state"] not in ("finished", "aborted"):
            time.sleep(_STEP)
            job = client.get("apps", job["app"], "replays", job["name"])
            said = f"{job['state']}: {_became(job)}"
            progress.update(task, description=said, completed=job["asked"] - job["going_on"] + job["skipped"])
    return job


def _became(job: dict[str, Any]) -> str:
    """What became of a job's replays, in words."""
    parts = [
        (job["succeeded"], "saved" if job["source"] == _LETTERS else "succeeded"),
        (job["dead"], "dead again" if job["source"] == _LETTERS else "dead"),
        (job["cancelled"], "cancelled"),
        (job["going_on"], "going on"),
        (job["skipped"], "skipped"),
    ]
    return ", ".join(f"{count:,} {said}" for count, said in parts if count) or "nothing yet"


def _shown(job: dict[str, Any], *, as_json: bool, quiet: bool = False) -> None:
    """Show the job; exit with 1 if it was aborted."""
    if as_json:
        show.as_json(job)
    elif not quiet:
        facts = [
            ("job", f"{job['app']}/{job['name']}"),
            ("state", job["state"] + (f": {job['note']}" if job["note"] else "")),
            ("of", f"{job['total']:,} {job['source'].replace('_', ' ')}"),
            ("chosen by", " ".join(f"{name}={value}" for name, value in job["filter"].items())),
            ("version", job["version"]),
            ("payload", {"body": "replaced", "patch": "patched"}.get(job["edited"])),
            ("rate", job["rate"]),
            ("asked for", f"{job['asked']:,}"),
            ("became", _became(job)),
            *(("skipped", f"{count:,}: {reason}") for reason, count in job["reasons"].items()),
            ("started", f"{show.when(job['started_at'])} by {job['started_by']}"),
            ("ended", show.when(job["ended_at"])),
        ]
        for name, value in facts:
            if value:
                click.echo(f"{name:<12} {value}")
    if job["state"] == "aborted":
        raise SystemExit(1)
