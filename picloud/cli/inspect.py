"""``picloud replay --inspect``: what an attempt did, shown by running it again on its record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from picloud.cli import show
from picloud.cli.client import Client, ProblemError
from picloud.cli.failure import explanation
from picloud.cli.steps import play

STEPS = 1_000


def inspect(
    client: Client,
    invocation: str,
    *,
    attempt: int | None,
    script: Path | None,
    version: str | None,
    trace: dict[str, Any] | None,
    variables: tuple[str, ...],
    stepwise: bool,
    as_json: bool,
) -> None:
    """Inspect an attempt and show the report; exit with 1 if a script was given that would not have succeeded.

    What runs is ``script``, or the deployed ``version`` (a number, or ``current``), or else what ran. ``trace`` is what
    the API takes; of its steps those are shown that change one of ``variables``, if there are any.
    """
    source = _read(script) if script is not None else _deployed(client, invocation, version)
    name = script.name if script is not None else f"version {version}" if source is not None else None
    content = {"attempt": attempt, "source": source, "trace": trace}
    found = client.send("POST", "invocations", invocation, "inspection", content=content).json
    if as_json:
        show.as_json(found)
    else:
        if found["trace"] is not None:
            play(found["trace"], variables, stepwise=stepwise)
        _report(found, name, source if source is not None else _source(client, found))
    if name is not None and not found["result"]["succeeded"]:
        raise SystemExit(1)


def _deployed(client: Client, invocation: str, version: str | None) -> str | None:
    if version in (None, "original"):
        return None
    whole = client.get("invocations", invocation)
    query = {} if version == "current" else {"version": version}
    path = ("apps", whole["app"], "scripts", whole["script"], "source")
    return client.send("GET", *path, query=query).content.decode()


def _read(script: Path) -> str:
    try:
        return script.read_text(encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(f"{script}: {error.strerror}", param_hint="--script") from None
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"{script} is not UTF-8: byte {error.start}", param_hint="--script") from None


def _source(client: Client, found: dict[str, Any]) -> str:
    """The version that ran; empty if it can't be had any more."""
    path = ("apps", found["app"], "scripts", found["script"], "source")
    try:
        return client.send("GET", *path, query={"version": found["version"]}).content.decode(errors="replace")
    except ProblemError:
        return ""


def _report(found: dict[str, Any], name: str | None, source: str) -> None:
    record, result = found["record"], found["result"]
    calls = "" if found["calls"] is None else f", {found['calls']} recorded calls of services"
    head = f"{found['app']}/{found['script']} version {found['version']}, attempt {found['attempt']}"
    click.echo(click.style(head, bold=True) + calls)
    click.echo(f"{'it was':<12} {_told(record)}")
    again = "it is again" if name is None else f"with {name}"
    verdict = _told(result) if name is None else _verdict(result)
    click.echo(f"{again:<12} " + click.style(verdict, fg="green" if result["succeeded"] else "red"))
    if name is None:
        exact = "it did exactly the same" if found["exact"] else f"not exact: {found['why_not']}"
        click.echo(f"{'repetition':<12} {exact}")
    elif found["why_not"]:
        click.echo(f"{'differs':<12} {found['why_not']}")
    cost = f"{result['operations']} operations in {show.duration(result['duration_us'])}"
    then = f"{record['operations']} in {show.duration(record['duration_us'])}"
    click.echo(f"{'cost':<12} {cost}; it was {then}")
    for note in found["notes"]:
        click.echo(f"{'note':<12} {note}")
    _failure(result, source)
    _logs(result["logs"])
    _answer(result["reply"], thrown=result["thrown"])
    _effects(found)


def _told(ended: dict[str, Any]) -> str:
    if ended["succeeded"]:
        thrown = " (thrown)" if ended["thrown"] else ""
        return f"succeeded, with the answer {ended['reply']['status']}{thrown}"
    error = ended["error"]
    place = f", at line {error['line']}" if error["line"] else ""
    return f"failed: {error['kind']}: {error['message']}{place}"


def _verdict(ended: dict[str, Any]) -> str:
    told = _told(ended)
    return f"it would have {told}" if ended["succeeded"] else f"it would have failed too: {told.partition(': ')[2]}"


def _failure(result: dict[str, Any], source: str) -> None:
    error = result["error"]
    if error is None or not error["line"]:
        return
    click.echo(click.style("\nwhere it failed", bold=True))
    for line in explanation(error, source):
        click.echo(f"  {line}")


def _logs(logs: list[dict[str, Any]]) -> None:
    if not logs:
        return
    click.echo(click.style("\nwhat it printed", bold=True))
    for line in logs:
        fields = " ".join(f"{name}={value}" for name, value in (line["fields"] or {}).items())
        click.echo(f"  {line['at_ms']:>6} ms  {line['level']:<9} {line['message']} {fields}".rstrip())


def _answer(reply: dict[str, Any] | None, *, thrown: bool) -> None:
    if reply is None:
        return
    click.echo(click.style(f"\nanswer {reply['status']}{' (thrown)' if thrown else ''}", bold=True))
    for name, value in reply["headers"]:
        click.echo(f"  {name}: {value}")
    body = reply["body"]
    if body["text"] is not None:
        click.echo(f"  {body['text']}")
    elif body["base64"] is not None:
        click.echo(f"  base64 {body['base64']}")


def _effects(found: dict[str, Any]) -> None:
    result = found["result"]
    effects = result["effects"] or []
    fate = "" if result["succeeded"] else ", had it succeeded"
    if effects:
        click.echo(click.style(f"\nwhat it would have changed{fate}", bold=True))
        for effect in effects:
            click.echo(f"  {_call(effect)}")
    elif result["succeeded"]:
        click.echo(click.style("\nit would have changed nothing", bold=True))
    difference = found["effects"]
    if difference is None or not (difference["added"] or difference["missing"]):
        return
    click.echo(click.style("\nagainst the record", bold=True))
    for sign, colour, differing in (("+", "green", difference["added"]), ("-", "red", difference["missing"])):
        for effect in differing:
            click.echo(click.style(f"  {sign} {_call(effect)}", fg=colour))


def _call(effect: dict[str, Any]) -> str:
    import json

    arguments = ", ".join(json.dumps(argument, ensure_ascii=False) for argument in effect["args"])
    return f"{effect['service']}::{effect['function']}({arguments})"
