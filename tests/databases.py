"""Fresh databases for tests, on one embedded PostgreSQL."""

from __future__ import annotations

import re
from itertools import count
from typing import Final

import psycopg
from psycopg.conninfo import make_conninfo

from picloud.postgres.migrations import migrate
from picloud.postgres.server import Server
from picloud.projections.installation import install

HASHES: Final = tuple(f"{number:064x}" for number in range(1, 6))
"""Contents that are there in each migrated database, by their hashes; they have no bytes."""

_TEMPLATE: Final = "migrated"


class Databases:
    """Makes databases on ``server``; a migrated one is a copy of a template, which takes some 30 ms."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._numbers = count(1)
        self._has_template = False

    def empty(self, name: str = "empty") -> str:
        """The connection string of a new database without a schema."""
        return self._create(name, "template0")

    def migrated(self, name: str = "migrated") -> str:
        """The connection string of a new database with the whole schema and no rows."""
        if not self._has_template:
            self._execute(f"CREATE DATABASE {_TEMPLATE} TEMPLATE template0")
            migrate(self._dsn(_TEMPLATE))
            install(self._dsn(_TEMPLATE))
            self._store_contents()
            self._has_template = True
        return self._create(name, _TEMPLATE)

    def _store_contents(self) -> None:
        """What made-up files name: an append refuses one whose content isn't there."""
        with psycopg.connect(self._dsn(_TEMPLATE), autocommit=True) as connection:
            for sha256 in HASHES:
                connection.execute("INSERT INTO log.blobs (sha256, size, chunk_bytes) VALUES (%s, 0, 1)", (sha256,))

    def drop(self, dsn: str) -> None:
        """Drop a database made here, and cut the sessions that are left on it."""
        name = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
        self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _create(self, name: str, template: str) -> str:
        name = f"{re.sub(r'[^a-z0-9]+', '_', name.lower())[:40]}_{next(self._numbers)}"
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE {template}')
        return self._dsn(name)

    def _dsn(self, name: str) -> str:
        return make_conninfo(self._server.dsn, dbname=name)

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._server.dsn, autocommit=True) as connection:
            connection.execute(statement)
