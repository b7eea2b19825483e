"""``picloud vault``: the keys that secrets are sealed with, and changing them. Works on the machine of a node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import psycopg

from picloud.cli import show
from picloud.cli.migrate import database
from picloud.cli.settings import with_config
from picloud.config import Config

_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable.")


@click.group("vault", invoke_without_command=True)
@_JSON
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Show the keys that secrets are sealed with; change the key.

    This works on the key file and the database, and so on the machine of a node. To change the key PiCloud must run.
    """
    if context.invoked_subcommand is None:
        context.invoke(status, as_json=as_json)


@command.command("status")
@_JSON
@with_config("data", "database")
def status(config: Config, as_json: bool) -> None:
    """Show each key: whether it is in the file, whether it seals, and how many secrets are sealed with it."""
    from picloud.orchestrator.vault import known_keys, read_keys
    from picloud.projections.sealed import sealed_by_key

    with _at_the_vault(config) as dsn, _session(dsn) as connection:
        known, counts = known_keys(connection), sealed_by_key(connection)
        there = [key.id for key in read_keys(config.vault_file)]
    rows: list[dict[str, Any]] = [
        {"key": key, "state": _state(key, there, known), "sealed": counts.get(key, 0)}
        for key in dict.fromkeys([*there, *known[::-1], *counts])
        if key in there or key in counts or key == known[-1]
    ]
    if as_json:
        show.as_json(rows)
        return
    show.table(("key", "state", "sealed"), [tuple(row.values()) for row in rows], empty="no keys")


@command.command("rotate")
@click.option("--stage", "only_stage", is_flag=True, help="Only add the next key to the file.")
@_JSON
@with_config("data", "database")
def rotate(config: Config, only_stage: bool, as_json: bool) -> None:
    """Seal with a new key from now on, and seal anew what older keys have sealed.

    Run it again if it was interrupted: it goes on. Nodes that run need no restart. If there are several machines, run
    it with --stage first, copy the key file to all of them, and then run it without: the staged key is taken.
    """
    from picloud.orchestrator import resealing

    with _at_the_vault(config) as dsn, _session(dsn) as connection:
        if only_stage:
            key = resealing.stage(config.vault_file, connection).id
            if as_json:
                show.as_json({"key": key, "staged": True})
            else:
                click.echo(f"staged the key {key} in {config.vault_file}: copy the file to all nodes, then rotate")
            return
        done = resealing.rotate(config.vault_file, dsn, connection, lambda _count: None)
    if as_json:
        unopened = [{"what": each.what, "why": each.why} for each in done.unopened]
        show.as_json({"key": done.key, "new": done.new, "resealed": done.resealed, "unopened": unopened})
    else:
        click.echo(f"{'the vault has a new key' if done.new else 'went on with the key'}: {done.key}")
        click.echo(f"{done.resealed} cipher texts were sealed anew")
        for each in done.unopened:
            click.echo(f"left as it is: {each.what}: {each.why}", err=True)
    if done.unopened:
        raise SystemExit(1)


@command.command("forget")
@click.argument("key")
@with_config("data", "database")
def forget(config: Config, key: str) -> None:
    """Take a KEY out of the file that nothing in use is sealed with.

    What the log still holds under it can never be opened again, in no copy of the log.
    """
    from picloud.orchestrator import resealing

    with _at_the_vault(config) as dsn, _session(dsn) as connection:
        resealing.forget(config.vault_file, connection, key)
    click.echo(f"{config.vault_file} has no key {key} any more; take it out of the other nodes' files too")


def _state(key: str, there: list[str], known: list[str]) -> str:
    if key not in there:
        return "missing"
    if known and key == known[-1]:
        return "seals" if key == there[0] else "is to seal, but isn't the first of the file"
    return "opens" if key in known else "staged"


@contextmanager
def _at_the_vault(config: Config) -> Iterator[str]:
    """Where the database is; what is wrong with it or with the key file ends the command."""
    from picloud.domain.vault import VaultError
    from picloud.postgres.server import ServerFailed
    from picloud.supervisor.folder import FolderError

    try:
        with database(config) as dsn:
            yield dsn
    except psycopg.OperationalError as error:
        raise click.ClickException(f"the database can't be reached: {str(error).strip()}") from None
    except (VaultError, FolderError, ServerFailed, OSError) as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def _session(dsn: str) -> Iterator[psycopg.Connection]:
    from picloud.postgres.sessions import connect

    with connect(dsn, purpose="vault") as connection:
        yield connection
