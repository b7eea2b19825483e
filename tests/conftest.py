"""One embedded PostgreSQL for the whole run, and fresh databases on it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from picloud.postgres.server import Server
from tests.databases import Databases

settings.register_profile("seeded", derandomize=True, deadline=None)
settings.register_profile("fuzz", max_examples=5000, deadline=None)
settings.load_profile("seeded")


@pytest.fixture
def data() -> Iterator[Path]:
    """A new data folder with a short name, outside pytest's own, which the database's account could not enter."""
    folder = Path(tempfile.mkdtemp(prefix="picloud-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The embedded PostgreSQL of this run, started at its first use. Tests that stop or kill one make their own."""
    folder = Path(tempfile.mkdtemp(prefix="picloud-tests-"))
    server = Server(folder / "postgres")
    server.prepare()
    server.start()
    server.wait_ready()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def databases(postgres: Server) -> Databases:
    """Makes databases for tests that need more than ``dsn``."""
    return Databases(postgres)


@pytest.fixture(scope="module")
def dsn(databases: Databases, request: pytest.FixtureRequest) -> Iterator[str]:
    """The connection string of a migrated database of the test module's own; its tests share it."""
    dsn = databases.migrated(request.module.__name__.rpartition(".")[2])
    yield dsn
    databases.drop(dsn)


@pytest.fixture
def fresh_dsn(databases: Databases, request: pytest.FixtureRequest) -> Iterator[str]:
    """The connection string of a migrated database of this test's own."""
    dsn = databases.migrated(request.node.name)
    yield dsn
    databases.drop(dsn)


@pytest.fixture
def empty_dsn(databases: Databases, request: pytest.FixtureRequest) -> Iterator[str]:
    """The connection string of a database without a schema, of this test's own."""
    dsn = databases.empty(request.node.name)
    yield dsn
    databases.drop(dsn)
