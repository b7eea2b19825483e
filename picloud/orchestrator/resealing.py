"""The vault's key is changed: a new one seals from now on, and what older ones sealed is sealed anew.

A rotation has three steps, each of which may be interrupted and done again: the new key becomes the first of the key
file, the log is told of it, and every secret is sealed under it. What is left to be done follows from the file and the
catalog, so a rotation that was interrupted goes on where it was, and no second one begins before it is done. Nodes that
run read the file again when they meet a key that they don't know. On several machines the new key is to be known to all
before it seals: it is *staged* first, as the last line of the file, and the file is copied.
"""

from __future__ import annotations

import os
import secrets
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import gevent
import psycopg
from eventsourcing.domain import Aggregate

from picloud.domain.metadata import SYSTEM, Metadata
from picloud.domain.route import Pattern, Route
from picloud.domain.route_auth import Credential
from picloud.domain.secret import Resealed, SealedVersion, Secret, about_secret
from picloud.domain.users import about_subject
from picloud.domain.vault import VAULT, VaultError
from picloud.log.appender import Appender, StreamConflict
from picloud.log.reader import read_head
from picloud.log.repository import collect, load
from picloud.orchestrator.guards.guard import about_route
from picloud.orchestrator.private_file import write_private
from picloud.orchestrator.vault import KEY_BYTES, Vault, VaultKey, announce, key_of, known_keys, read_keys
from picloud.projections.sealed import (
    Holder,
    reseal_subject,
    sealed_by_key,
    sealing_routes,
    secrets_of_all,
    stale_subjects,
)
from picloud.projections.tracking import read_position

CATCH_UP_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.05
_SEALED: Final = "v1."


@dataclass(frozen=True, slots=True)
class Unopened:
    """Something that can't be sealed anew, since it can't be opened: what it is, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What came of it: the id of the ``key`` that seals now, whether it is ``new``, how many cipher texts were made
    anew, and what was left as it is.
    """

    key: str
    new: bool
    resealed: int
    unopened: list[Unopened]


def stage(path: Path, connection: psycopg.Connection) -> VaultKey:
    """Add a key that nobody seals with yet, or return the one that is staged already. Raises :class:`VaultError`."""
    keys = _own_keys(path)
    staged = _staged(keys, known_keys(connection))
    if staged is None:
        staged = VaultKey(secrets.token_bytes(KEY_BYTES))
        _write(path, [*keys, staged])
    return staged


def rotate(path: Path, dsn: str, connection: psycopg.Connection, done: Callable[[int], None]) -> Rotation:
    """Change the vault's key, or go on with a rotation that was interrupted.

    ``done`` is told how many cipher texts have been made anew. Raises :class:`VaultError`.
    """
    keys = _own_keys(path)
    _catch_up(connection)
    known = known_keys(connection)
    ids = {key.id for key in keys}
    is_new = False
    if known and keys[0].id in known and keys[0].id != known[-1]:
        raise VaultError(
            f"{path} begins with the key {keys[0].id}, but the vault's key is {known[-1]}: "
            "copy the file of the node where it was changed"
        )
    if keys[0].id in known and not any(key in ids for key in sealed_by_key(connection) if key != keys[0].id):
        newest = _staged(keys, known) or VaultKey(secrets.token_bytes(KEY_BYTES))
        keys = [newest, *(key for key in keys if key.id != newest.id)]
        # Written first: what is sealed with a key that nobody has any more is lost.
        _write(path, keys)
        is_new = True
    if keys[0].id not in known:
        wrong = announce(keys[0], len(known) + 1, dsn)
        if wrong is not None:
            raise VaultError(wrong)
        is_new = True
    resealed, unopened = _reseal_all(Vault(path), dsn, connection, done)
    _catch_up(connection)
    return Rotation(key=keys[0].id, new=is_new, resealed=resealed, unopened=unopened)


def forget(path: Path, connection: psycopg.Connection, key: str) -> None:
    """Take a key out of the file. Raises :class:`VaultError` if it is not there, or needed."""
    keys = _own_keys(path)
    if key not in {each.id for each in keys}:
        raise VaultError(f"{path} has no key {key}; it has {', '.join(each.id for each in keys)}")
    _catch_up(connection)
    needed = sealed_by_key(connection).get(key, 0)
    if needed or key == keys[0].id or key == (known_keys(connection) or [""])[-1]:
        why = f"{needed} secrets are sealed with it" if needed else "it is the key that seals"
        raise VaultError(f"the key {key} is needed: {why}; change the key first (picloud vault rotate)")
    _write(path, [each for each in keys if each.id != key])


def _catch_up(connection: psycopg.Connection) -> None:
    """Wait until the catalog, which knows what is sealed with which key, tells of everything in the log."""
    head, end = read_head(connection), time.monotonic() + CATCH_UP_SECONDS
    while read_position(connection, "catalog") < head:
        if time.monotonic() > end:
            raise VaultError("the catalog is behind the log; start PiCloud, which brings it up, and try again")
        gevent.sleep(LOOK_SECONDS)


def _own_keys(path: Path) -> list[VaultKey]:
    keys = read_keys(path)
    if path.stat().st_uid != os.geteuid():
        raise VaultError(f"{path} belongs to another user, who must be able to read it: run this as that user")
    return keys


def _staged(keys: Sequence[VaultKey], known: Sequence[str]) -> VaultKey | None:
    return next((key for key in keys[1:] if key.id not in known), None)


def _write(path: Path, keys: Sequence[VaultKey]) -> None:
    write_private(path, "".join(f"{b64encode(key.secret).decode()}\n" for key in keys))


def _reseal_all(
    vault: Vault, dsn: str, connection: psycopg.Connection, done: Callable[[int], None]
) -> tuple[int, list[Unopened]]:
    appender = Appender(dsn)
    appender.start()
    anew = 0
    try:
        resealing = _Resealing(vault, appender, connection)
        while True:
            before = anew
            resealing.unopened.clear()
            for count in resealing.all():
                anew += count
                done(anew)
            # A node that was just told may have sealed something with the key before.
            if anew == before:
                return anew, resealing.unopened
    finally:
        appender.stop()


class _Resealing:
    """One pass over everything that is sealed."""

    def __init__(self, vault: Vault, appender: Appender, connection: psycopg.Connection) -> None:
        self._vault = vault
        self._appender = appender
        self._connection = connection
        self._newest = vault.current().id
        self.unopened: list[Unopened] = []

    def all(self) -> Iterator[int]:
        """Seal anew what older keys have sealed; yield how many cipher texts of each holder that were."""
        for holder in secrets_of_all(self._connection):
            yield self._settled(holder, self._secret, f"the secret {holder.name} of {holder.app}")
        for holder in sealing_routes(self._connection):
            yield self._settled(holder, self._route, f"the route {holder.name} of {holder.app}")
        yield from self._subjects()

    def _subjects(self) -> Iterator[int]:
        """Seal users' keys anew: what they seal themselves stays as it is."""
        after = UUID(int=0)
        while stale := stale_subjects(self._connection, self._newest, after):
            count = 0
            for subject, sealed in stale:
                about = about_subject(subject)
                try:
                    anew = self._vault.seal(self._vault.open(sealed, about=about), about=about)
                except VaultError as error:
                    self.unopened.append(Unopened(f"the key of the user {subject}", str(error)))
                else:
                    count += reseal_subject(self._connection, subject, sealed, anew)
            yield count
            after = stale[-1][0]

    def _settled(self, holder: Holder, attempt: Callable[[Holder], int], what: str) -> int:
        while True:
            try:
                return attempt(holder)
            except StreamConflict:
                # Somebody changed it: it is looked at anew.
                continue
            except VaultError as error:
                self.unopened.append(Unopened(what, str(error)))
                return 0

    def _secret(self, holder: Holder) -> int:
        secret = load(self._connection, Secret, Secret.id_of(holder.app, holder.name))
        now = datetime.now(UTC)
        versions = [each for each in secret.versions if each.readable(now)] if secret is not None else []
        if secret is None or all(key_of(each.sealed) == self._newest for each in versions):
            return 0
        secret.reseal([self._resealed(secret, each) for each in versions], at=now)
        self._append(holder, secret)
        return len(versions)

    def _resealed(self, secret: Secret, version: SealedVersion) -> Resealed:
        about = about_secret(secret.app, secret.name, version.number)
        value = self._vault.open(version.sealed, about=about)
        fingerprint = self._vault.fingerprint(value, about=f"{secret.app}/{secret.name}")
        return Resealed(version.number, self._vault.seal(value, about=about), fingerprint)

    def _route(self, holder: Holder) -> int:
        route = load(self._connection, Route, Route.id_of(holder.app, Pattern.parse(holder.name)))
        if route is None or route.removed or route.settings.auth is None:
            return 0
        auth = route.settings.auth
        stale = [each for each in auth.credentials if self._is_stale(each)]
        if not stale:
            return 0
        about = about_route(route.id)
        anew = tuple(
            replace(each, kept=self._vault.seal(self._vault.open(each.kept, about=about), about=about))
            if each in stale
            else each
            for each in auth.credentials
        )
        route.configure(replace(route.settings, auth=replace(auth, credentials=anew)), at=datetime.now(UTC))
        self._append(holder, route)
        return len(stale)

    def _is_stale(self, credential: Credential) -> bool:
        return credential.kept.startswith(_SEALED) and key_of(credential.kept) != self._newest

    def _append(self, holder: Holder, aggregate: Aggregate) -> None:
        self._appender.append(collect([aggregate], Metadata(holder.app, SYSTEM, VAULT, VAULT)), timeout=60.0)
