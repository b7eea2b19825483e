"""``picloud migrate``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
import psycopg

from picloud.cli.settings import with_config
from picloud.config import Config
from picloud.postgres.migrations import MigrationError, pending
from picloud.postgres.server import Server, ServerFailed
from picloud.postgres.sessions import connect
from picloud.supervisor.folder import DataFolder, FolderError, holder
from picloud.supervisor.prepare import prepare_schema


@click.command("migrate")
@click.option("--check", is_flag=True, help="Change nothing; list what is missing, and end with 1 if there is any.")
@with_config("data", "database")
def command(config: Config, check: bool) -> None:
    """Bring the database's schema up to this version.

    `picloud up` does it by itself; this is for an external database that several nodes use, before the first of them
    is upgraded. It goes forward only, and is safe to run again and at the same time as others.
    """
    try:
        with database(config) as dsn:
            if check:
                _check(dsn)
                return
            applied = prepare_schema(dsn)
    except psycopg.OperationalError as error:
        raise click.ClickException(f"the database can't be reached: {str(error).strip()}") from None
    except (MigrationError, FolderError, ServerFailed) as error:
        raise click.ClickException(str(error)) from None
    for name in applied:
        click.echo(f"applied {name}")
    click.echo("the schema is current")


def _check(dsn: str) -> None:
    with connect(dsn, purpose="migrate") as connection:
        behind = pending(connection)
    for name in behind:
        click.echo(f"missing {name}")
    if behind:
        raise SystemExit(1)
    click.echo("the schema is current")


@contextmanager
def database(config: Config) -> Iterator[str]:
    """Where the database is; the embedded one is started for this if PiCloud isn't running."""
    if not config.embedded or holder(config.data):
        yield config.dsn
        return
    DataFolder(config.data).lock()
    server = Server(config.postgres_folder)
    server.prepare()
    server.start()
    try:
        server.wait_ready()
        yield config.dsn
    finally:
        server.stop()
