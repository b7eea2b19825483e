"""What becomes of those who import a script that changed: said after a deploy and a rollback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from picloud.cli import seen


def tell_dependents(
    url: str, app: str, changed: tuple[str, int], dependents: Sequence[dict[str, Any]], *, remedy: str
) -> None:
    """Say which scripts were deployed again, or which use another version than the current one, and how to move these.

    ``changed`` is the script with its current version, ``remedy`` the command that moves them.
    """
    script, number = changed
    for dependent in dependents:
        title = f"{app}/{dependent['script']}"
        if dependent["was"] is None:
            click.echo(f"{title} version {dependent['version']} still uses {script} {dependent['uses']}", err=True)
            continue
        if seen.version(url, app, dependent["script"]) == dependent["was"]:
            seen.remember(url, app, dependent["script"], dependent["version"])
        click.echo(f"deployed {title} version {dependent['version']}, which uses {script} {number}", err=True)
    if any(dependent["was"] is None for dependent in dependents):
        click.echo(f"To have them use {script} {number}: {remedy}", err=True)
