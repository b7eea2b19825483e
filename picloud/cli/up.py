"""``picloud up``."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click

from picloud.cli.settings import with_config
from picloud.config import Config


@click.command("up", epilog="All other settings are environment variables: see `picloud config`.")
@with_config("data", "database", "listen", "workers", "executors", "grace", "log_level")
def command(config: Config) -> None:
    """Start everything, and go on until Ctrl-C.

    The database is PiCloud's own, in the data folder, unless --database names another; the schema is brought up to
    date. At the first start an owner token is written to the data folder, where the other commands find it.
    """
    program = [sys.executable, "-P", "-m", "picloud.supervisor", called_as()]
    # Becoming it, not starting it: what the command line has loaded would stay in memory for ever.
    os.execve(program[0], program, {**os.environ, **config.to_environment()})  # noqa: S606


def called_as() -> str:
    """How a person types the name of this program: ``picloud``, or a path to it from here."""
    program = Path(sys.argv[0])
    if program.name != "picloud":
        return "python -m picloud.cli"
    found = shutil.which("picloud")
    if found and Path(found).resolve() == program.resolve():
        return "picloud"
    program = program.absolute()
    here = Path.cwd()
    return str(program.relative_to(here)) if program.is_relative_to(here) else str(program)
