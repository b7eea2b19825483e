"""``picloud deploy``: upload a script, and point routes to it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import click

from picloud.cli import seen, show
from picloud.cli.check import read_script
from picloud.cli.client import Client, ProblemError
from picloud.cli.dependents import tell_dependents
from picloud.cli.target import Target, with_target
from picloud.rhai.tools.excerpt import excerpt

_NOT_NAME: Final = re.compile(r"[^a-z0-9_-]+")


@click.command("deploy")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--app", required=True, help="The app; it is made if it isn't there.")
@click.option("--name", help="The script's name; by default the file's.")
@click.option("--route", "routes", multiple=True, metavar="'METHOD /PATH'", help="A route to it; may be repeated.")
@click.option("--durability", type=click.Choice(["outbox", "outcome"]), help="When calls of these routes are on disk.")
@click.option("--dependents", is_flag=True, help="Deploy the scripts that import it again, on the new version.")
@click.option("--force", is_flag=True, help="Deploy over a version that you haven't seen.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@with_target
def command(
    target: Target,
    file: Path,
    app: str,
    name: str | None,
    routes: tuple[str, ...],
    durability: str | None,
    dependents: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Upload a Rhai script as the next version, and point routes to it.

    A syntax error is shown with its place, and nothing is deployed. If somebody else deployed since you last did, you
    are told, instead of overwriting their version; --force overwrites.

    A script keeps to the versions that its imports had when it was deployed. Those that still use an older version of
    this one are named; --dependents deploys them again in the same step.

    \b
      picloud deploy examples/hello.rhai --app demo --route 'GET /hello/{name}'
    """
    source = read_script(file)
    script = name or _NOT_NAME.sub("-", file.stem.lower()).strip("-")
    known = seen.version(target.url, app, script)
    content = {"source": source, "routes": list(routes), "durability": durability, "dependents": dependents}
    try:
        done = _put(Client(target), app, script, content, None if force else known)
    except ProblemError as error:
        raise _explained(error, file, source) from error
    seen.remember(target.url, app, script, done["version"])
    if as_json:
        show.as_json(done)
        return
    verb = "deployed" if done["changed"] else "unchanged:"
    click.echo(f"{verb} {app}/{script} version {done['version']}", err=True)
    for url in done["urls"]:
        click.echo(url)
    named = f" --name {name}" if name else ""
    remedy = f"picloud deploy {file} --app {app}{named} --dependents"
    tell_dependents(target.url, app, (script, done["version"]), done["dependents"], remedy=remedy)


def _put(client: Client, app: str, script: str, content: Any, known: int | None) -> Any:
    """Deploy on top of the version ``known``. Where nothing is deployed (any more), there is nothing to overwrite."""
    path = ("apps", app, "scripts", script)
    if known is None:
        return client.send("PUT", *path, content=content).json
    try:
        return client.send("PUT", *path, content=content, headers={"If-Match": f'"{known}"'}).json
    except ProblemError as error:
        if error.status != 412 or _is_deployed(client, path):
            raise
    return client.send("PUT", *path, content=content, headers={"If-None-Match": "*"}).json


def _is_deployed(client: Client, path: tuple[str, ...]) -> bool:
    try:
        client.send("GET", *path)
    except ProblemError as error:
        if error.status == 404:
            return False
        raise
    return True


def _explained(error: ProblemError, file: Path, source: str) -> click.ClickException:
    problem: dict[str, Any] = error.problem
    if not str(problem.get("type", "")).endswith("/syntax-error"):
        if error.status == 412:
            return click.ClickException(f"{error.message}\nTo overwrite it all the same: --force.")
        return error
    line, column = problem.get("line", 0), problem.get("column", 0)
    place = ":".join(str(part) for part in (file, line, column) if part)
    text = f"{place}: {problem['detail']}"
    if shown := excerpt(source, line, column):
        text += f"\n{shown}"
    for advice in problem.get("advice") or ():
        text += f"\n  = {advice}"
    return click.ClickException(text + "\nNothing was deployed.")
