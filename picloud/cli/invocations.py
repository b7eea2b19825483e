"""Commands on invocations, logs, the audit trail and projections."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from picloud.cli import show
from picloud.cli.client import Client, ProblemError
from picloud.cli.failure import explanation
from picloud.cli.scripts import split_title
from picloud.cli.target import Target, with_target

_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
_WAIT = click.option("--wait/--no-wait", default=True, help="Wait for its end, and show it.")
_LONGEST_WAIT: Final = 20
_PRIVATE: Final = "private: sealed in the log, and shown to nobody"
"""Seconds. Shorter than what clients and proxies give up after."""
_STATES: Final = ["pending", "running", "retrying", "suspended", "succeeded", "dead", "cancelled"]


@click.command("invocations")
@click.argument("app")
@click.option("--script", help="Only of this script.")
@click.option("--state", type=click.Choice(_STATES), help="Only in this state.")
@click.option("--trigger", help="Only by this trigger: http, api, or a route such as 'GET /hello/{name}'.")
@click.option("--since", metavar="TIME", help="Requested at or after (RFC 3339).")
@click.option("--until", metavar="TIME", help="Requested before (RFC 3339).")
@click.option("-n", "limit", type=click.IntRange(1), default=25, show_default=True, help="How many.")
@_JSON
@with_target
def invocations(target: Target, app: str, limit: int, as_json: bool, **filters: str | None) -> None:
    """List an app's invocations, newest first."""
    items = list(Client(target).pages("apps", app, "invocations", limit=limit, **filters))
    if as_json:
        show.as_json_lines(items)
        return
    rows = [
        (
            item["id"],
            item["state"],
            item["status"],
            item["route"] if item["trigger"] == "http" else item["trigger"],
            f"{item['script']}@{item['version']}",
            show.when(item["requested_at"]),
            show.duration(item["duration_us"]),
            item["operations"],
            _remark(item),
        )
        for item in items
    ]
    headings = ("invocation", "state", "status", "trigger", "script", "requested", "duration", "operations", "remark")
    show.table(headings, rows, empty=f"{app} has no such invocations")


def _remark(item: dict[str, Any]) -> str:
    """What it waits for, or why it failed."""
    if item["state"] == "suspended":
        return f"until {show.when(item['due'])}" + (f" or {item['waits_for']}" if item["waits_for"] else "")
    return f"{item['error_kind']}: {item['error_message']}".splitlines()[0] if item["error_kind"] else ""


@click.command("invocation")
@click.argument("invocation", metavar="ID")
@click.option("--mail", is_flag=True, help="Write the mail that led to it, as it came, and nothing else.")
@click.option("--wait", type=click.IntRange(0, 60), default=0, metavar="SECONDS", help="Wait so long for its end.")
@_JSON
@with_target
def invocation(target: Target, invocation: str, mail: bool, wait: int, as_json: bool) -> None:
    """Show one invocation whole: input, steps, attempts, logs, answer, events."""
    client = Client(target)
    if mail:
        click.echo(client.send("GET", "invocations", invocation, "mail").content, nl=False)
        return
    whole = client.get("invocations", invocation, wait=wait)
    if as_json:
        show.as_json(whole)
        return
    show_whole(client, whole)


def show_whole(client: Client, whole: dict[str, Any]) -> None:
    """Print everything about an invocation."""
    _facts(whole)
    for cause in whole["causes"]:
        click.echo(f"{'caused by':<12} {_cause(cause)}")
    if whole["steps"]:
        _steps(whole["steps"])
    _attempts(client, whole)
    if whole["logs"]:
        click.echo(click.style("\nlogs", bold=True))
        for line in whole["logs"]:
            click.echo(f"  {line['at_ms']:>6} ms  {line['level']:<9} {line['message']}")
    if whole["reply"] is not None:
        _reply(whole["reply"])
    click.echo(click.style("\nevents", bold=True))
    for event in whole["events"]:
        click.echo(f"  {event['position']:>8}  {show.when(event['at'])}  {event['type']:<14} {event['actor']}")


def _facts(whole: dict[str, Any]) -> None:
    asked, event = whole["input"], whole["event"] or {"attributes": {}, "data": {}}
    facts = [
        ("invocation", whole["id"]),
        ("state", whole["state"] + (f" ({whole['reason']})" if whole["reason"] else "")),
        ("script", f"{whole['app']}/{whole['script']} version {whole['version']}"),
        ("trigger", f"{whole['trigger']['kind']} {whole['trigger']['name']}, by {whole['actor']}"),
        ("requested", show.when(whole["requested_at"])),
        ("ended", show.when(whole["ended_at"])),
        ("caller", f"{whole['auth']['name'] or 'nameless'}, by {whole['auth']['kind']}" if whole["auth"] else ""),
        ("replay of", whole["replay_of"]),
        ("replayed by", ", ".join(whole["replayed_by"])),
        ("key", whole["idempotency_key"]),
        ("discarded", whole["discard_reason"]),
        ("dead letter", _letter(whole)),
        ("input", f"{asked['method']} {asked['path']}".strip()),
        ("params", _pairs(asked["params"])),
        ("query", _pairs(asked["query"])),
        ("headers", _pairs(asked["headers"])),
        ("body", _content(asked["body"]) if asked.get("sealed") is None else _PRIVATE),
        ("event", _pairs(event["attributes"])),
        ("data", _content(event["data"])),
    ]
    for name, value in facts:
        if value:
            click.echo(f"{name:<12} {value}")


def _cause(cause: dict[str, Any]) -> str:
    what = f"{cause['kind']} {cause['app']}/{cause['name']}"
    if cause["kind"] == "invocation":
        what = f"{what} {cause['id']}, by {cause['trigger']}"
    return f"{what}, {cause['actor']}, {show.when(cause['at'])}"


def _steps(steps: list[dict[str, Any]]) -> None:
    click.echo(click.style("\nsteps", bold=True))
    for step in steps:
        what = step["name"] if step["kind"] == "step" else f"{step['kind']} {step['name']}"
        spent = show.duration(step["duration_us"]) if step["kind"] == "step" else f"until {show.when(step['until'])}"
        if step["filter"]:
            spent += f", {json.dumps(step['filter'], ensure_ascii=False)}"
        if step["message"]:
            spent += f", message {step['message']}"
        click.echo(f"  {step['number']:>4}  {show.when(step['at'])}  attempt {step['attempt']}  {what}  {spent}")


def _letter(whole: dict[str, Any]) -> str:
    """What the invocation has to do with a dead letter, and what became of that."""
    letter = whole["dead_letter"]
    if letter is None:
        return ""
    said = letter["state"] + (f" by {letter['saved_by']}" if letter["saved_by"] else "")
    return said if letter["id"] == whole["id"] else f"{letter['id']}, {said}"


def _attempts(client: Client, whole: dict[str, Any], *, failed: bool = False) -> None:
    """Show the attempts, or those that failed, the errors with their lines of the script."""
    source: str | None = None
    for attempt in whole["attempts"]:
        error = attempt.get("error")
        if error is None and failed:
            continue
        _attempt(attempt)
        if error is not None and error["line"]:
            source = _source(client, whole) if source is None else source
            for line in explanation(error, source):
                click.echo(f"  {line}")
        if error is not None and attempt["recorded"]:
            click.echo(f"  run it again on its record: picloud replay --inspect {whole['id']}", err=failed)


def _source(client: Client, whole: dict[str, Any]) -> str:
    """The version that ran; empty if it can't be had any more."""
    path = ("apps", whole["app"], "scripts", whole["script"], "source")
    try:
        return client.send("GET", *path, query={"version": whole["version"]}).content.decode(errors="replace")
    except ProblemError:
        return ""


def _attempt(attempt: dict[str, Any]) -> None:
    click.echo(click.style(f"\nattempt {attempt['attempt']}", bold=True) + f" on node {attempt['node']}")
    if "duration_us" in attempt:
        cost = f"{show.duration(attempt['duration_us'])}, {show.duration(attempt['cpu_us'])} of it computing"
        click.echo(f"  {cost}, {attempt['operations']} operations, {attempt.get('effects', 0)} effects")
    for read in attempt.get("secrets", ()):
        click.echo(f"  read the secret {read['name']}, version {read['number']}, {read['reads']} times")
    if "suspended_until" in attempt:
        click.echo(f"  suspended until {show.when(attempt['suspended_until'])}")
    error = attempt.get("error")
    if error is not None:
        click.echo(click.style(f"  {error['kind']}: {error['message']}", fg="red"))
        if attempt["retry_at"]:
            click.echo(f"  next attempt at {show.when(attempt['retry_at'])}")


def _reply(reply: dict[str, Any]) -> None:
    thrown = " (thrown)" if reply["thrown"] else ""
    click.echo(click.style(f"\nanswer {reply['status']}{thrown}", bold=True))
    for name, value in reply["headers"]:
        click.echo(f"  {name}: {value}")
    if shown := _content(reply["body"]) if reply.get("sealed") is None else _PRIVATE:
        click.echo(f"  {shown}")
    if reply["file"] is not None:
        click.echo(f"  a file of {reply['file']['size']:,} bytes, {reply['file']['sha256']}")


def _pairs(values: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _content(content: dict[str, Any]) -> str:
    if content.get("text") is not None:
        return str(content["text"])
    if content.get("base64") is not None:
        return f"base64 {content['base64']}"
    return f"stored as {content['sha256']}" if content.get("sha256") is not None else ""


@click.command("logs")
@click.argument("app")
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines as they come.")
@click.option("--script", help="Only of this script.")
@click.option("--invocation", metavar="ID", help="Only of this invocation.")
@click.option("--level", help="Only of this level: print, debug, log.info …")
@click.option("-n", "limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many old lines.")
@_JSON
@with_target
def logs(target: Target, app: str, follow: bool, limit: int, as_json: bool, **filters: str | None) -> None:
    """Show what an app's scripts printed and logged, oldest first."""
    client = Client(target)
    if follow:
        for line in client.lines("apps", app, "logs", follow="true", limit=limit, **filters):
            _line(line, as_json=as_json)
        return
    items = client.get("apps", app, "logs", limit=limit, **filters)["items"]
    for line in items:
        _line(line, as_json=as_json)
    if not items and not as_json:
        click.echo(f"{app} has printed nothing yet", err=True)


def _line(line: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show.as_json_lines([line])
        return
    fields = " ".join(f"{name}={value}" for name, value in (line["fields"] or {}).items())
    head = f"{show.when(line['at'])}  {line['invocation']}  {line['script']:<12} {line['level']:<9}"
    click.echo(f"{head} {line['message']} {fields}".rstrip())
    sys.stdout.flush()


@click.command("events")
@click.option("--app", help="Only of this app.")
@click.option("--type", help="Only of this type, such as ScriptDeployed.")
@click.option("--actor", help="Only by this actor, such as token:owner.")
@click.option("--stream", metavar="ID", help="Only of this stream: an invocation, a script …")
@click.option("--correlation", metavar="ID", help="Only what followed from this root cause.")
@click.option("--since", metavar="TIME", help="Recorded at or after (RFC 3339).")
@click.option("--until", metavar="TIME", help="Recorded before (RFC 3339).")
@click.option("--oldest-first", is_flag=True, help="Begin at the start.")
@click.option("-n", "limit", type=click.IntRange(1), default=25, show_default=True, help="How many.")
@_JSON
@with_target
def events(target: Target, limit: int, oldest_first: bool, as_json: bool, **filters: str | None) -> None:
    """Show the audit trail: every event, who, when, caused by what."""
    order = "asc" if oldest_first else "desc"
    items = Client(target).pages("events", limit=limit, order=order, **filters)
    if as_json:
        show.as_json_lines(items)
        return
    rows = [
        (
            item["position"],
            show.when(item["at"]),
            item["type"],
            item["app"],
            item["actor"],
            f"{item['stream']} v{item['version']}",
            item["causation_id"],
        )
        for item in items
    ]
    show.table(("position", "at", "type", "app", "actor", "stream", "caused by"), rows, empty="no such events")


@click.command("replay")
@click.argument("invocation", metavar="ID")
@click.option("--version", default="current", show_default=True, help="current, original, or a number.")
@click.option("-d", "--body", help="Another body than the input's; @FILE takes it from a file, @- from standard input.")
@click.option("--patch", help="A JSON merge patch (RFC 7396) for the input's body; @FILE takes it from a file.")
@click.option("--inspect", "inspected", is_flag=True, help="Run it again on its record instead, changing nothing.")
@click.option("--attempt", type=click.IntRange(1), help="Of --inspect: which attempt; else the last that failed.")
@click.option("--script", type=click.Path(path_type=Path), help="Of --inspect: run this file on the record.")
@click.option("--trace", is_flag=True, help="Of --inspect: show each line run, with the variables that changed.")
@click.option("--step", "stepwise", is_flag=True, help="Of --inspect: the same, one step after the other.")
@click.option("--steps", type=click.IntRange(1, 10_000), default=1_000, show_default=True, help="So many steps.")
@click.option("--from", "first", type=click.IntRange(0), help="From this step on; else the last ones are shown.")
@click.option("--variable", "variables", multiple=True, metavar="NAME", help="Only steps that change this variable.")
@_WAIT
@_JSON
@with_target
def replay(
    target: Target,
    invocation: str,
    version: str,
    body: str | None,
    patch: str | None,
    inspected: bool,
    wait: bool,
    as_json: bool,
    **inspection: Any,
) -> None:
    """Run an ended invocation's input again, as a new invocation; the old one stays as it is.

    Many at once: see picloud replays.

    \b
      picloud replay ID                                  a new invocation, on the current version
      picloud replay --inspect ID                        what it did and where it failed; changes nothing
      picloud replay --inspect ID --script fixed.rhai    whether that would have succeeded
      picloud replay --inspect ID --version current      the same of the version that is deployed now
      picloud replay --inspect ID --trace                line by line
    """
    client = Client(target)
    if inspected:
        if body is not None or patch is not None:
            raise click.UsageError("--inspect runs on the recorded input; replay without it to give another --body")
        chosen = click.get_current_context().get_parameter_source("version") is ParameterSource.COMMANDLINE
        _inspect(client, invocation, version=version if chosen else None, as_json=as_json, **inspection)
        return
    _check_no_inspection(inspection)
    content = {"version": version} | edit(body, patch)
    again = client.send("POST", "invocations", invocation, "replay", content=content).json["invocation"]
    follow(client, again, wait=wait, as_json=as_json)


def _inspect(
    client: Client,
    invocation: str,
    *,
    attempt: int | None,
    script: Path | None,
    version: str | None,
    trace: bool,
    stepwise: bool,
    steps: int,
    first: int | None,
    variables: tuple[str, ...],
    as_json: bool,
) -> None:
    from picloud.cli.inspect import inspect

    wanted = {"limit": steps, "skip": first} if trace or stepwise or variables or first is not None else None
    inspect(
        client,
        invocation,
        attempt=attempt,
        script=script,
        version=version,
        trace=wanted,
        variables=variables,
        stepwise=stepwise,
        as_json=as_json,
    )


def _check_no_inspection(options: dict[str, Any]) -> None:
    names = {"attempt": None, "script": None, "trace": False, "stepwise": False, "first": None, "variables": ()}
    for name, default in names.items():
        if options[name] != default:
            option = {"stepwise": "step", "first": "from", "variables": "variable"}.get(name, name)
            raise click.UsageError(f"--{option} is for --inspect; without it nothing is shown but the new invocation")


@click.command("invoke")
@click.argument("title", metavar="APP/SCRIPT")
@click.option(
    "-d", "--body", default="", help="The request's body; @FILE takes it from a file, @- from standard input."
)
@click.option("--method", default="POST", show_default=True)
@click.option("--path", default="/", show_default=True)
@click.option("--attempts", type=click.IntRange(1, 100), default=1, show_default=True, help="Runs until it is dead.")
@_WAIT
@_JSON
@with_target
def invoke(target: Target, title: str, body: str, wait: bool, as_json: bool, **content: Any) -> None:
    """Run a script without a route.

    \b
      picloud invoke demo/validate --body '{"name": "ada"}'
    """
    app, script = split_title(title)
    client = Client(target)
    content["body"] = read_body(body)
    started = client.send("POST", "apps", app, "scripts", script, "invocations", content=content).json["invocation"]
    follow(client, started, wait=wait, as_json=as_json)


def edit(body: str | None, patch: str | None) -> dict[str, Any]:
    """The fields of a request that say what becomes of payloads, from the options --body and --patch."""
    content: dict[str, Any] = {}
    if body is not None:
        content["body"] = read_body(body)
    if patch is not None:
        try:
            content["patch"] = json.loads(read_body(patch))
        except ValueError as error:
            raise click.BadParameter(f"this is no JSON ({error})", param_hint="--patch") from None
    return content


def read_body(body: str) -> str:
    """The body that an option means: itself, or what is in the file behind an @."""
    if not body.startswith("@"):
        return body
    try:
        with click.open_file(body[1:], encoding="utf-8") as file:
            return str(file.read())
    except OSError as error:
        raise click.BadParameter(f"{body[1:]}: {error.strerror}", param_hint="--body") from None
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"{body[1:]} is not UTF-8: byte {error.start}", param_hint="--body") from None


def follow(client: Client, invocation: str, *, wait: bool, as_json: bool) -> None:
    """Show a new invocation, and its end if that is to be waited for; exit with 1 if it is not a success."""
    if not wait:
        if as_json:
            show.as_json({"invocation": invocation})
        else:
            click.echo(invocation)
        return
    if not as_json:
        click.echo(invocation)
    whole = _ended(client, invocation)
    if as_json:
        show.as_json(whole)
    else:
        _end(client, whole)
    if whole["state"] != "succeeded":
        raise SystemExit(1)


def _ended(client: Client, invocation: str) -> dict[str, Any]:
    """The invocation when it has ended, or as it is after a minute."""
    deadline = time.monotonic() + 60
    whole: dict[str, Any] = client.get("invocations", invocation, wait=_LONGEST_WAIT)
    while whole["ended_at"] is None and time.monotonic() < deadline:
        whole = client.get("invocations", invocation, wait=_LONGEST_WAIT)
    return whole


def _end(client: Client, whole: dict[str, Any]) -> None:
    click.echo(whole["state"], err=True)
    if whole["reply"] is not None:
        _reply(whole["reply"])
    _attempts(client, whole, failed=True)
