"""``picloud publish``, ``send`` and ``topics``: messages, and who gets them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import click

from picloud.cli import show
from picloud.cli.client import Client
from picloud.cli.invocations import read_body
from picloud.cli.scripts import split_title
from picloud.cli.target import Target, with_target

MAX_MESSAGES: Final = 1_000

_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
_DATA = click.option(
    "-d", "--payload", default="", help="The data; @FILE takes it from a file, @- from standard input."
)


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What may be said of a message."""
    for option in reversed(
        (
            click.option("--delay", metavar="DURATION", help="Not before this has passed, such as 5m."),
            click.option("--due", metavar="TIME", help="Not before this time (RFC 3339)."),
            click.option("--key", metavar="KEY", help="Ordering key: one after the other with others that have it."),
            click.option("--priority", type=click.IntRange(0, 9), help="9 is the most urgent."),
            click.option("--idempotency-key", metavar="KEY", help="Done once, however often it is sent."),
        )
    ):
        function = option(function)
    return function


@click.command("publish")
@click.argument("app")
@click.argument("topic")
@_DATA
@click.option("--content-type", help="What the data is, if it isn't JSON.")
@_options
@_JSON
@with_target
def publish(
    target: Target, app: str, topic: str, payload: str, content_type: str | None, as_json: bool, **options: Any
) -> None:
    """Publish a message to a topic: to every trigger that is subscribed, in one commit.

    \b
      picloud publish demo orders.created -d '{"id": 7}' --key 7
    """
    given = read_body(payload)
    if content_type is None and given:
        _parsed(given)
    headers = {"Content-Type": content_type or "application/json", **_once(options)}
    answer = Client(target).send(
        "POST", "apps", app, "topics", topic, query=_said(options), content=given.encode(), headers=headers
    )
    done = answer.json
    if as_json:
        show.as_json(done)
        return
    click.echo(done["message"])
    for trigger, invocation in done["invocations"].items():
        click.echo(f"  {trigger}: {invocation}")
    for trigger, why in done["left_out"].items():
        click.echo(click.style(f"  {trigger}: nothing, {why}", fg="yellow"), err=True)
    if not done["invocations"] and not done["left_out"]:
        click.echo(f"nobody subscribes to {topic}; see picloud topics {app}", err=True)


@click.command("send")
@click.argument("title", metavar="APP/QUEUE")
@_DATA
@click.option("--lines", is_flag=True, help="Each line of the data is a message of its own.")
@_options
@_JSON
@with_target
def send(target: Target, title: str, payload: str, lines: bool, as_json: bool, **options: Any) -> None:
    """Send a message to a queue: to the one trigger that is the queue.

    \b
      picloud send demo/orders -d '{"id": 7}' --delay 5m --key 7 --priority 5
      picloud send demo/orders --lines -d @orders.ndjson
    """
    app, queue = split_title(title)
    given = read_body(payload)
    texts = [line for line in given.splitlines() if line.strip()] if lines else [given]
    said = _said(options)
    messages = [said | {"data": _parsed(text) if text.strip() else None} for text in texts]
    if not messages:
        raise click.UsageError("there is no line in the data, so nothing to send")
    client, once = Client(target), _once(options)
    if once and len(messages) > MAX_MESSAGES:
        raise click.UsageError(f"at most {MAX_MESSAGES:,} messages go under one idempotency key")
    for part in _parts(messages):
        sent = client.send("POST", "apps", app, "queues", queue, "messages", content=part, headers=once).json
        if as_json:
            show.as_json(sent)
        else:
            click.echo("\n".join(sent["messages"]))


@click.command("topics")
@click.argument("app")
@click.option("--topic", help="Only who gets what is published to this topic.")
@click.option("-n", "limit", type=click.IntRange(0, 1000), default=10, show_default=True, help="How many messages.")
@_JSON
@with_target
def topics(target: Target, app: str, topic: str | None, limit: int, as_json: bool) -> None:
    """List who subscribes to which topics, and what was published lately, newest first."""
    client = Client(target)
    subscriptions = client.get("apps", app, "topics", topic=topic)["items"]
    messages = list(client.pages("events", app=app, type="MessagePublished", limit=limit)) if limit else []
    if as_json:
        show.as_json({"subscriptions": subscriptions, "messages": messages})
        return
    rows = [
        (
            each["pattern"],
            each["trigger"],
            each["script"],
            "on" if each["paused"] is None else f"paused: {each['paused']}",
        )
        for each in subscriptions
    ]
    empty = f"nobody subscribes; picloud triggers set {app}/NAME topic SCRIPT topic='orders.*'"
    show.table(("pattern", "trigger", "script", "state"), rows, empty=empty)
    if messages:
        click.echo()
        told = [(each["stream"], show.when(each["at"]), each["content"]) for each in messages]
        show.table(
            ("message", "published", "topic", "key", "to", "left out"),
            [
                (
                    stream,
                    at,
                    content["topic"],
                    content.get("ordering_key"),
                    ", ".join(content.get("subscribers", ())),
                    ", ".join(content.get("left_out", ())),
                )
                for stream, at, content in told
            ],
            empty="",
        )


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"this is no JSON ({error})", param_hint="--payload") from None


def _said(options: dict[str, Any]) -> dict[str, Any]:
    """The options as the API names them, without those that were left out."""
    named = {"ordering_key": options["key"], **{name: options[name] for name in ("delay", "due", "priority")}}
    return {name: value for name, value in named.items() if value is not None}


def _once(options: dict[str, Any]) -> dict[str, str]:
    key = options["idempotency_key"]
    return {} if key is None else {"Idempotency-Key": key}


def _parts(messages: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """As many messages at a time as the API takes, and as go well into one request."""
    part: list[dict[str, Any]] = []
    size = 0
    for message in messages:
        length = len(json.dumps(message))
        if part and (len(part) == MAX_MESSAGES or size + length > 4 * 1024 * 1024):
            yield part
            part, size = [], 0
        part.append(message)
        size += length
    yield part
