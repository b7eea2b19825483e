"""``picloud egress``: what an app's scripts may call over the network."""

from __future__ import annotations

from typing import Any

import click

from picloud.cli import show
from picloud.cli.client import Client
from picloud.cli.lazy import ListingGroup
from picloud.cli.target import Target, with_target

_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
_HOSTS = click.argument("hosts", metavar="HOST…", nargs=-1, required=True)


@click.group("egress", cls=ListingGroup)
def command() -> None:
    """Say what an app's scripts may call: every public address, and what an owner allows.

    \b
      picloud egress demo
      picloud egress allow demo 10.0.0.7:8080 '*.internal.example' --private
      picloud egress forget demo 10.0.0.7:8080
      picloud egress restrict demo                # to what is allowed; --off takes that back
      picloud egress check demo https://api.example.com/v1
    """


@command.command("list")
@click.argument("app")
@_JSON
@with_target
def listing(target: Target, app: str, as_json: bool) -> None:
    """List what an app's scripts may call."""
    _told(Client(target).get("apps", app, "egress"), app, as_json=as_json)


@command.command("allow")
@click.argument("app")
@_HOSTS
@click.option("--private", is_flag=True, help="Also if it is, or leads to, an address that isn't public.")
@_JSON
@with_target
def allow(target: Target, app: str, hosts: tuple[str, ...], private: bool, as_json: bool) -> None:
    """Let scripts call names, addresses or networks. Needs the role owner.

    HOST is api.example.com, *.example.com, 10.0.0.7, 10.0.0.0/8 or [fd00::]/8. A port behind it (example.com:8443)
    opens that one, whichever it is; without one it is 80, 443 and those from 1024 on that no other protocol has.
    """
    _change(target, app, {"allow": [{"host": host, "private": private} for host in hosts]}, as_json=as_json)


@command.command("forget")
@click.argument("app")
@_HOSTS
@_JSON
@with_target
def forget(target: Target, app: str, hosts: tuple[str, ...], as_json: bool) -> None:
    """Allow no more what was allowed, named as it is listed. Needs the role owner."""
    _change(target, app, {"forget": list(hosts)}, as_json=as_json)


@command.command("restrict")
@click.argument("app")
@click.option("--off", is_flag=True, help="Let scripts call every public address again.")
@_JSON
@with_target
def restrict(target: Target, app: str, off: bool, as_json: bool) -> None:
    """Let scripts call nothing but what is allowed. Needs the role owner."""
    _change(target, app, {"restricted": not off}, as_json=as_json)


@command.command("check")
@click.argument("app")
@click.argument("called", metavar="URL")
@_JSON
@with_target
def check(target: Target, app: str, called: str, as_json: bool) -> None:
    """Say whether scripts may call a URL, and where it leads; nothing is sent there. Exits with 1 if they may not."""
    found = Client(target).get("apps", app, "egress", "check", url=called)
    if as_json:
        show.as_json(found)
    elif found["allowed"]:
        click.echo(f"allowed: {', '.join(found['addresses'])}")
    else:
        click.echo(found["why_not"])
    if not found["allowed"]:
        raise click.exceptions.Exit(1)


def _change(target: Target, app: str, content: dict[str, Any], *, as_json: bool) -> None:
    done = Client(target).send("PATCH", "apps", app, "egress", content=content).json
    _told(done, app, as_json=as_json)


def _told(egress: dict[str, Any], app: str, *, as_json: bool) -> None:
    if as_json:
        show.as_json(egress)
        return
    if not egress["allowed"]:
        click.echo(f"{app} calls nothing" if egress["restricted"] else f"{app} calls every public address")
        return
    click.echo(f"{app} calls nothing but:" if egress["restricted"] else f"{app} calls every public address, and:")
    rows = [(item["host"], "private" if item["private"] else "") for item in egress["allowed"]]
    show.table(("host", ""), rows, empty="")
