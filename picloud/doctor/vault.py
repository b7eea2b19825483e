"""The vault's key: there, for its user alone, and the one that secrets were sealed with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import psycopg

from picloud.config import Config
from picloud.doctor.finding import Finding, good, note, warning, wrong
from picloud.orchestrator.vault import VaultError, keys_in_use, known_keys, read_keys
from picloud.postgres.sessions import connect

_LOST: Final = (
    "put it there from a backup or from another node (PICLOUD_VAULT_KEY says where it lies), and start again; if it is "
    "lost for good, write another one (openssl rand -base64 32) as the file's first line, with mode 0600, start again, "
    "and issue the routes' secrets and set the apps' secrets anew"
)


def key_file(config: Config, *, running: bool) -> Iterator[Finding]:
    """Look at the file, and at what the log knows of keys if the database can be asked."""
    path = config.vault_file
    known, needed = _asked(config, running=running)
    if not path.exists() and not known:
        yield note("vault", f"{path} doesn't exist yet", "`picloud up` makes it")
        return
    try:
        keys = {key.id for key in read_keys(path)}
    except VaultError as error:
        yield wrong("vault", str(error), _LOST)
        return
    if missing := needed - keys:
        yield wrong("vault", f"{path} lacks the key {min(missing)}, with which secrets were sealed", _LOST)
    elif known and known[-1] not in keys:
        found = f"{path} lacks the key {known[-1]}, with which another node seals secrets"
        yield warning("vault", found, "give all nodes the same file, and start them again")
    elif known and needed - {known[-1]}:
        found = f"secrets are sealed with the key {min(needed - {known[-1]})} still, though {known[-1]} is newer"
        yield warning("vault", found, "picloud vault rotate goes on with it")
    elif path.stat().st_mode & 0o077:
        found = f"{path} can be read by others ({path.stat().st_mode & 0o777:04o})"
        yield warning("vault", found, f"chmod 0600 {path}")
    else:
        yield good("vault", f"{path}, for its user alone; a backup of the database doesn't hold it")


def _asked(config: Config, *, running: bool) -> tuple[list[str], set[str]]:
    """The keys that were ever in use, and those that are needed now."""
    if config.embedded and not running:
        return [], set()
    try:
        with connect(config.dsn, purpose="doctor") as connection:
            return known_keys(connection), keys_in_use(connection)
    except psycopg.Error:
        # That is the database's own finding.
        return [], set()
