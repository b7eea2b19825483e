"""``picloud triggers``: what makes scripts run without a request."""

from __future__ import annotations

import json
from typing import Any, Final

import click

from picloud.cli import show
from picloud.cli.client import Client
from picloud.cli.lazy import ListingGroup
from picloud.cli.retries import retry_asked, with_retry_options
from picloud.cli.scripts import split_title
from picloud.cli.target import Target, with_target

_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
_TITLE = click.argument("title", metavar="APP/TRIGGER")
_FLOW: Final = (
    "concurrency",
    "concurrency_key",
    "ordering_key",
    "priority",
    "throttle",
    "throttle_key",
    "debounce",
    "debounce_most",
    "debounce_key",
)


@click.group("triggers", cls=ListingGroup)
def command() -> None:
    """List an app's triggers; set, pause, resume, fire or remove one.

    \b
      picloud triggers demo
      picloud triggers set demo/nightly cron clean-up cron="0 3 * * *" zone=Europe/Berlin
      picloud triggers next demo/nightly
      picloud triggers pause demo/nightly --note "moving house"
    """


@command.command("list")
@click.argument("app")
@_JSON
@with_target
def listing(target: Target, app: str, as_json: bool) -> None:
    """List an app's triggers."""
    items = Client(target).get("apps", app, "triggers")["items"]
    if as_json:
        show.as_json(items)
        return
    rows = [
        (
            item["name"],
            item["kind"],
            item["script"],
            _told(item["config"]),
            f"paused: {item['paused']}" if item["paused"] is not None else "on",
            show.when(item["last_due"]),
            show.when(item["next_due"]),
        )
        for item in items
    ]
    headings = ("trigger", "kind", "script", "config", "state", "last due", "next due")
    show.table(headings, rows, empty=f"{app} has no triggers; see picloud triggers set --help")


@command.command("show")
@_TITLE
@_JSON
@with_target
def showing(target: Target, title: str, as_json: bool) -> None:
    """Show one trigger whole."""
    app, name = split_title(title)
    _shown(Client(target).get("apps", app, "triggers", name), as_json=as_json)


@command.command("set")
@_TITLE
@click.argument("kind")
@click.argument("script")
@click.argument("config", nargs=-1, metavar="[NAME=VALUE]...")
@with_retry_options
@click.option("--timeout", metavar="DURATION", help="Wall time of one run.")
@click.option("--operations", type=click.IntRange(1), help="Operations of one run.")
@click.option("--concurrency", type=click.IntRange(0, 1000), help="Runs at a time with one key; 0 is no limit.")
@click.option("--concurrency-key", metavar="KEY", help="Such as data.customer.id; trigger unless said otherwise.")
@click.option("--ordering-key", metavar="KEY", help="What has the same runs one after the other, in order.")
@click.option("--priority", type=click.IntRange(0, 9), help="9 is the most urgent; each step is worth 10 s of waiting.")
@click.option("--throttle", metavar="RATE", help="Runs per time with one key, such as 10/1m; the rest is put off.")
@click.option("--throttle-key", metavar="KEY", help="As --concurrency-key.")
@click.option("--debounce", metavar="DURATION", help="Of what comes within this time only the last one runs.")
@click.option("--debounce-most", metavar="DURATION", help="Nothing is put off for longer than this.")
@click.option("--debounce-key", metavar="KEY", help="As --concurrency-key.")
@_JSON
@with_target
def setting(
    target: Target, title: str, kind: str, script: str, config: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Make a trigger of a KIND that leads to SCRIPT, or change it.

    \b
      cron     cron="*/5 * * * *" zone=Europe/Berlin overlap=skip|queue|allow
               catch_up=none|last|all window=1d jitter=30s
      topic    topic="orders.*"
      queue    batch=10 batch_wait=1s
      log      events="Script*"
      dead_letter   script=orders, or nothing for each death in the app
      email    address=orders senders="ada@example.org,*@example.com" max_size=1MiB, each of them if need be

    A KEY is trigger, script, app, an attribute of the event, or a path in its data, such as data.customer.id.
    What is left out of the options stays as it is; an empty text or 0 takes it away.
    """
    app, name = split_title(title)
    content: dict[str, Any] = {"kind": kind, "script": script, "config": dict(_pair(pair) for pair in config)}
    if retry := retry_asked(options):
        content["retry"] = retry
    content |= {key: options[key] for key in ("timeout", "operations") if options[key] is not None}
    if flow := {key: options[key] for key in _FLOW if options[key] is not None}:
        content["flow"] = flow
    _shown(Client(target).send("PUT", "apps", app, "triggers", name, content=content).json, as_json=as_json)


@command.command("pause")
@_TITLE
@click.option("--note", default="", help="Why.")
@with_target
def pause(target: Target, title: str, note: str) -> None:
    """Let nothing come of a trigger until it is resumed."""
    app, name = split_title(title)
    Client(target).send("POST", "apps", app, "triggers", name, "pause", content={"note": note})
    click.echo(f"{title} is paused")


@command.command("resume")
@_TITLE
@with_target
def resume(target: Target, title: str) -> None:
    """Let a trigger work again."""
    app, name = split_title(title)
    Client(target).send("POST", "apps", app, "triggers", name, "resume")
    click.echo(f"{title} works again")


@command.command("remove")
@_TITLE
@with_target
def remove(target: Target, title: str) -> None:
    """Remove a trigger; what it asked for before still runs."""
    app, name = split_title(title)
    Client(target).send("DELETE", "apps", app, "triggers", name)
    click.echo(f"removed {title}")


@command.command("fire")
@_TITLE
@click.option("-d", "--payload", help="JSON that the script finds as ctx.event.data.")
@click.option("--sample", is_flag=True, help="With a sample of what the kind gives; see picloud triggers sample.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait for the end and show it.")
@_JSON
@with_target
def fire(target: Target, title: str, payload: str | None, sample: bool, wait: bool, as_json: bool) -> None:
    """Run what a trigger leads to, now, with a payload of your own or a sample."""
    from picloud.cli.invocations import follow

    app, name = split_title(title)
    client = Client(target)
    if payload is not None and sample:
        raise click.UsageError("a sample has its own payload: give --payload or --sample")
    content = {"data": _json(payload)} if payload is not None else {"sample": sample}
    started = client.send("POST", "apps", app, "triggers", name, "fire", content=content).json["invocation"]
    follow(client, started, wait=wait, as_json=as_json)


@command.command("sample")
@_TITLE
@with_target
def sample(target: Target, title: str) -> None:
    """Print a sample of what the script finds as ctx.event, as JSON."""
    app, name = split_title(title)
    click.echo(json.dumps(Client(target).get("apps", app, "triggers", name, "sample"), indent=2, ensure_ascii=False))


@command.command("next")
@_TITLE
@click.option("-n", "--count", type=click.IntRange(1, 1000), default=5, show_default=True)
@click.option("--after", metavar="TIME", help="From when on (RFC 3339); by default from now on.")
@_JSON
@with_target
def following(target: Target, title: str, count: int, after: str | None, as_json: bool) -> None:
    """Show when a cron trigger is due next."""
    app, name = split_title(title)
    client = Client(target)
    zone = client.get("apps", app, "triggers", name)["config"].get("zone", "UTC")
    items = client.get("apps", app, "triggers", name, "next", count=count, after=after)["items"]
    _due(items, zone, as_json=as_json)


@command.command("preview")
@click.argument("cron")
@click.option("--zone", default="UTC", show_default=True, help="Name of the IANA database, such as Europe/Berlin.")
@click.option("-n", "--count", type=click.IntRange(1, 1000), default=5, show_default=True)
@click.option("--after", metavar="TIME", help="From when on (RFC 3339); by default from now on.")
@_JSON
@with_target
def preview(target: Target, cron: str, zone: str, count: int, after: str | None, as_json: bool) -> None:
    """Show when a schedule would be due, before you set it."""
    items = Client(target).get("schedules", "next", cron=cron, zone=zone, count=count, after=after)["items"]
    _due(items, zone, as_json=as_json)


@command.command("backfill")
@_TITLE
@click.option("--since", required=True, metavar="TIME", help="The first due time (RFC 3339).")
@click.option("--until", required=True, metavar="TIME", help="Due times before this.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@_JSON
@with_target
def backfill(target: Target, title: str, since: str, until: str, dry_run: bool, as_json: bool) -> None:
    """Fire past ticks of a cron trigger that have no invocation. Twice does no harm."""
    app, name = split_title(title)
    content = {"since": since, "until": until, "dry_run": dry_run}
    done = Client(target).send("POST", "apps", app, "triggers", name, "backfill", content=content).json
    if as_json:
        show.as_json(done)
        return
    click.echo(f"{done['due']} due times, {done['fired']} {'to fire' if dry_run else 'fired'}")


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"{text!r}: expected NAME=VALUE, such as cron='0 3 * * *'")
    return name, {"true": True, "false": False}.get(value, int(value) if value.isdigit() else value)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"this is no JSON ({error})", param_hint="--payload") from None


def _told(config: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in config.items())


def _shown(item: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show.as_json(item)
        return
    for name, value in item.items():
        if value is None:
            continue
        said = value
        if name in ("since", "last_due", "next_due"):
            said = show.when(value)
        elif isinstance(value, dict):
            said = _told({key: part for key, part in value.items() if part not in (None, [], "")})
        click.echo(f"{name.replace('_', ' '):16}{said}")


def _due(items: list[str], zone: str, *, as_json: bool) -> None:
    if as_json:
        show.as_json(items)
        return
    from datetime import datetime
    from zoneinfo import ZoneInfo

    for item in items:
        click.echo(datetime.fromisoformat(item).astimezone(ZoneInfo(zone)).strftime("%a %Y-%m-%d %H:%M:%S %z"))
