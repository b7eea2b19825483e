"""The vault's key is changed under a running node: everything opens before, meanwhile and afterwards."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from picloud.domain.metadata import Metadata
from picloud.domain.route import Pattern, Route
from picloud.domain.route_auth import GITHUB, Auth, Credential, Scheme
from picloud.domain.route_settings import RouteSettings
from picloud.domain.vault import VaultError
from picloud.log.appender import Appender, LogUnavailable
from picloud.log.repository import collect, load
from picloud.orchestrator.guards.guard import about_route
from picloud.orchestrator.resealing import forget, rotate, stage
from picloud.orchestrator.vault import ensure_vault_key, known_keys, read_keys
from picloud.postgres.sessions import connect
from picloud.projections.sealed import sealed_by_key

from .living_node import APP, LivingNode, living_node
from .test_secrets import ended

VALUES = {"A": "the secret of a", "B": "the secret of b"}
NOW = datetime.now(UTC)
PATTERN = Pattern.parse("POST /hook")


@pytest.fixture
def node(fresh_dsn: str) -> Iterator[LivingNode]:
    with TemporaryDirectory(prefix="picloud-test-") as folder, living_node(fresh_dsn, Path(folder)) as living:
        assert ensure_vault_key(living.node.config.vault_file, fresh_dsn) is None
        living.deploy("first", "1")
        for name, value in VALUES.items():
            living.set_secret(name, value)
        living.set_secret("A", "the new secret of a", grace=timedelta(days=1))
        add_route(living)
        yield living


@pytest.fixture
def session(fresh_dsn: str) -> Iterator[psycopg.Connection]:
    with connect(fresh_dsn, purpose="test") as connection:
        yield connection


def add_route(node: LivingNode) -> None:
    """A route with a secret that signs, and a key that is only hashed."""
    route = Route.add(APP, PATTERN, "first", durability="outbox", at=NOW)
    kept = node.node.vault.seal(b"of the route", about=about_route(route.id))
    auth = Auth(scheme=Scheme.GITHUB, credentials=(Credential("default", kept),), signature=GITHUB)
    route.configure(RouteSettings(auth=auth), at=NOW)
    cause = uuid4()
    node.node.appender.append(collect([route], Metadata(APP, "test", cause, cause)))


def read(node: LivingNode) -> Any:
    """What a script reads."""
    _, done = ended(node, '[secrets::live("A"), secrets::get("B")]')
    return done.reply.body.text


def route_secret(node: LivingNode, session: psycopg.Connection) -> bytes:
    route = load(session, Route, Route.id_of(APP, PATTERN))
    assert route is not None
    assert route.settings.auth is not None
    return node.node.vault.open(route.settings.auth.credentials[0].kept, about=about_route(route.id))


def ignored(_count: int) -> None:
    """Nobody wants to know."""


READ = '[["the new secret of a","the secret of a"],"the secret of b"]'


def test_a_new_key_seals_everything_anew_while_the_node_runs(node: LivingNode, session: psycopg.Connection) -> None:
    path, dsn = node.node.config.vault_file, node.node.config.dsn
    (old,) = known_keys(session)
    assert read(node) == READ
    done = rotate(path, dsn, session, ignored)
    assert (done.new, done.resealed, done.unopened) == (True, 4, [])
    assert known_keys(session) == [old, done.key]
    assert sealed_by_key(session) == {done.key: 4}
    assert read(node) == READ
    assert route_secret(node, session) == b"of the route"
    node.set_secret("B", VALUES["B"])
    with pytest.raises(VaultError, match="is needed: 4 secrets are sealed with it"):
        forget(path, session, done.key)
    forget(path, session, old)
    assert [key.id for key in read_keys(path)] == [done.key]
    assert read(node) == READ
    with pytest.raises(VaultError, match=f"has no key {old}"):
        forget(path, session, old)


def test_the_keys_of_users_are_sealed_anew_and_their_people_are_still_known(
    node: LivingNode, session: psycopg.Connection
) -> None:
    path, dsn = node.node.config.vault_file, node.node.config.dsn
    (old,) = known_keys(session)
    ended(node, 'users::register("ada", "correct horse", #{data: #{n: 7}}); users::register("ben", "correct horse")')
    done = rotate(path, dsn, session, ignored)
    assert done.resealed == 4 + 3, "two users' keys, and that of marks"
    forget(path, session, old)
    _, seen = ended(node, 'users::verify("ada", "correct horse").data.n')
    assert seen.reply.body.text == "7"


def test_an_interrupted_rotation_goes_on_with_its_key(
    node: LivingNode, session: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, dsn = node.node.config.vault_file, node.node.config.dsn
    (old,) = known_keys(session)
    append = Appender.append

    def once(appender: Appender, *args: Any, **kwargs: Any) -> int:
        entries = list(args[0])
        if type(entries[0].event).__name__ == "SecretResealed" and len(resealed) == 1:
            raise LogUnavailable("cut off", unknown=False)
        if type(entries[0].event).__name__ == "SecretResealed":
            resealed.append(1)
        return append(appender, entries, **kwargs)

    resealed: list[int] = []
    monkeypatch.setattr(Appender, "append", once)
    with pytest.raises(LogUnavailable):
        rotate(path, dsn, session, ignored)
    monkeypatch.undo()
    newest = known_keys(session)[-1]
    assert read(node) == READ, "half of it is under the new key"
    with pytest.raises(VaultError, match="is needed"):
        forget(path, session, old)
    done = rotate(path, dsn, session, ignored)
    assert (done.key, done.new) == (newest, False)
    assert sealed_by_key(session) == {newest: 4}
    assert read(node) == READ
    assert rotate(path, dsn, session, ignored).new, "only when it is done, another one begins"


def test_a_staged_key_is_taken(node: LivingNode, session: psycopg.Connection) -> None:
    path, dsn = node.node.config.vault_file, node.node.config.dsn
    (old,) = known_keys(session)
    staged = stage(path, session)
    assert stage(path, session).id == staged.id, "once"
    node.set_secret("B", VALUES["B"] + "!")
    node.set_secret("B", VALUES["B"])
    assert sealed_by_key(session) == {old: 4}, "nobody seals with it"
    assert rotate(path, dsn, session, ignored).key == staged.id
    assert read(node) == READ


def test_a_node_that_was_not_given_the_key_seals_nothing_and_says_why(
    node: LivingNode, session: psycopg.Connection
) -> None:
    path, dsn = node.node.config.vault_file, node.node.config.dsn
    was = path.read_text()
    done = rotate(path, dsn, session, ignored)
    now = path.read_text()
    path.write_text(was)
    with pytest.raises(
        VaultError, match=f"but the vault's key is {done.key} since it was changed: give {path} the keys"
    ):
        node.set_secret("B", "another")
    with pytest.raises(VaultError, match="copy the file of the node where it was changed"):
        rotate(path, dsn, session, ignored)
    path.write_text(now)
    node.set_secret("B", "another")


def test_what_can_not_be_opened_is_named_and_left(node: LivingNode, session: psycopg.Connection) -> None:
    path, dsn = node.node.config.vault_file, node.node.config.dsn
    path.write_text(base64.b64encode(b"l" * 32).decode())
    done = rotate(path, dsn, session, ignored)
    assert done.new
    assert done.resealed == 0
    assert {each.what for each in done.unopened} == {
        "the secret A of demo",
        "the secret B of demo",
        "the route POST /hook of demo",
    }
    assert "which is not in" in done.unopened[0].why


def test_the_catalog_must_have_caught_up(
    node: LivingNode, session: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("picloud.orchestrator.resealing.CATCH_UP_SECONDS", 0.1)
    monkeypatch.setattr("picloud.orchestrator.resealing.read_position", lambda *_: 0)
    with pytest.raises(VaultError, match="start PiCloud"):
        rotate(node.node.config.vault_file, node.node.config.dsn, session, ignored)
