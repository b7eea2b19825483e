"""Commands on apps, scripts and versions."""

from __future__ import annotations

import click

from picloud.cli import seen, show
from picloud.cli.client import Client
from picloud.cli.dependents import tell_dependents
from picloud.cli.target import Target, with_target

_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")


def split_title(title: str) -> tuple[str, str]:
    """App and script of ``app/script``. Raises :class:`click.UsageError`."""
    app, slash, script = title.partition("/")
    if not app or not slash or not script or "/" in script:
        raise click.UsageError(f"{title!r} names no script; expected APP/SCRIPT, such as demo/hello")
    return app, script


@click.command("apps")
@_JSON
@with_target
def apps(target: Target, as_json: bool) -> None:
    """List apps."""
    items = Client(target).get("apps")["items"]
    if as_json:
        show.as_json(items)
        return
    rows = [(item["name"], item["scripts"], item["routes"], show.when(item["created_at"])) for item in items]
    show.table(("app", "scripts", "routes", "made"), rows, empty="no apps yet; `picloud deploy` makes one")


@click.command("scripts")
@click.argument("app")
@_JSON
@with_target
def scripts(target: Target, app: str, as_json: bool) -> None:
    """List an app's scripts."""
    items = Client(target).get("apps", app, "scripts")["items"]
    if as_json:
        show.as_json(items)
        return
    rows = [
        (
            f"{app}/{item['name']}",
            item["current"],
            f"{item['size']} B",
            show.when(item["deployed_at"]),
            item["deployed_by"],
            f"disabled: {item['disabled']}" if item["disabled"] else "",
        )
        for item in items
    ]
    show.table(("script", "version", "size", "deployed", "by", ""), rows, empty=f"{app} has no scripts")


@click.command("versions")
@click.argument("title", metavar="APP/SCRIPT")
@_JSON
@with_target
def versions(target: Target, title: str, as_json: bool) -> None:
    """List a script's versions, newest first."""
    app, script = split_title(title)
    items = Client(target).get("apps", app, "scripts", script, "versions")["items"]
    current = next((item["number"] for item in items if item["current"]), None)
    if current is not None:
        seen.remember(target.url, app, script, current)
    if as_json:
        show.as_json(items)
        return
    rows = [
        (
            item["number"],
            "current" if item["current"] else "",
            item["sha256"][:12],
            f"{item['size']} B",
            show.when(item["deployed_at"]),
            item["deployed_by"],
        )
        for item in items
    ]
    show.table(("version", "", "sha256", "size", "deployed", "by"), rows, empty=f"{title} has no versions")


@click.command("rollback")
@click.argument("title", metavar="APP/SCRIPT")
@click.argument("version", type=click.IntRange(1))
@click.option("--dependents", is_flag=True, help="Deploy the scripts that import it again, on that version.")
@with_target
def rollback(target: Target, title: str, version: int, dependents: bool) -> None:
    """Make an earlier version current again.

    Scripts that import it keep to the version that they were deployed with, unless --dependents moves them too.
    """
    app, script = split_title(title)
    content = {"version": version, "dependents": dependents}
    done = Client(target).send("POST", "apps", app, "scripts", script, "rollback", content=content).json
    seen.remember(target.url, app, script, version)
    click.echo(f"{title} is at version {done['version']} again (was {done['from_version']})")
    remedy = f"picloud pull {title} > {script}.rhai; picloud deploy {script}.rhai --app {app} --dependents"
    tell_dependents(target.url, app, (script, version), done["dependents"], remedy=remedy)


@click.command("pull")
@click.argument("title", metavar="APP/SCRIPT")
@click.option("--version", type=click.IntRange(1), help="Which version; by default the current one.")
@with_target
def pull(target: Target, title: str, version: int | None) -> None:
    """Print a version's source."""
    app, script = split_title(title)
    answer = Client(target).send("GET", "apps", app, "scripts", script, "source", query={"version": version})
    if version is None:
        seen.remember(target.url, app, script, int(answer.headers["etag"].strip('"')))
    click.echo(answer.content, nl=False)


@click.command("disable")
@click.argument("title", metavar="APP/SCRIPT")
@click.option("--reason", required=True, help="Callers are told this.")
@with_target
def disable(target: Target, title: str, reason: str) -> None:
    """Refuse calls of a script (503 with the reason) until it is enabled."""
    app, script = split_title(title)
    Client(target).send("POST", "apps", app, "scripts", script, "disable", content={"reason": reason})
    click.echo(f"{title} is disabled: {reason}")


@click.command("enable")
@click.argument("title", metavar="APP/SCRIPT")
@with_target
def enable(target: Target, title: str) -> None:
    """Take calls of a script again."""
    app, script = split_title(title)
    Client(target).send("POST", "apps", app, "scripts", script, "enable")
    click.echo(f"{title} is enabled")


@click.command("remove")
@click.argument("title", metavar="APP[/SCRIPT]")
@click.confirmation_option("--yes", prompt="Take it out of service? Its history stays in the log")
@with_target
def remove(target: Target, title: str) -> None:
    """Take a script, or a whole app, out of service; its history stays."""
    client = Client(target)
    if "/" in title:
        app, script = split_title(title)
        client.send("DELETE", "apps", app, "scripts", script)
    else:
        client.send("DELETE", "apps", title)
    click.echo(f"removed {title}")
