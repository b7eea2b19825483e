"""Content of any size, kept once under its SHA-256, in chunks: it comes in and goes out without ever being in memory
as a whole, and a part of it is found without reading what stands before.

An upload stores chunk by chunk under a number. When it is whole, it gets its hash as its name in one commit, which is
on disk, and all its chunks with it; if the same content is there, the upload is dropped. Who stored it *holds* it: the
content stays for as long as a file names it, or an app has held it for less than ``PICLOUD_FILE_DAYS``. An app holds
what it stored, and what its files named until they were overwritten or deleted (``migrations/0007-files.sql``).

What breaks off is taken away at once by whoever sees it; what nobody could take away, because its process was killed,
the leader takes away a day later, as it does with content that was given up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import psycopg

from picloud.log.contents import ContentMissing
from picloud.postgres.sessions import OUTAGE, Sessions

CHUNK_BYTES: Final = 256 * 1024
SWEPT_CHUNKS: Final = 64
"""So many chunks are taken away by one statement: others are to have their turn."""

_BEGIN: Final = "INSERT INTO log.blobs (chunk_bytes) VALUES (%s) RETURNING id"
_PUT: Final = "SELECT log.put_chunk(%b::bigint, %b::integer, %b)"
_KEEP: Final = "SELECT log.keep_blob(%s, %s, %s, %s)"
_FIND: Final = "SELECT id, size, chunk_bytes FROM log.blobs WHERE sha256 = %s"
_CHUNK: Final = "SELECT content FROM log.chunks WHERE blob = %b AND seq = %b"
# From here on the upload can't be named any more, also by a statement that a broken connection left behind.
_MARK: Final = "UPDATE log.blobs SET size = -1 WHERE id = %s AND sha256 IS NULL"
_DROP_CHUNKS: Final = """
    DELETE FROM log.chunks
    WHERE blob = %(blob)s AND seq IN (SELECT seq FROM log.chunks WHERE blob = %(blob)s ORDER BY seq LIMIT %(most)s)
"""
_DROP: Final = "DELETE FROM log.blobs WHERE id = %s AND sha256 IS NULL"
_GIVE_UP: Final = "SELECT log.give_up_blobs(now() - make_interval(days => %s))"
_NAMELESS: Final = "SELECT id FROM log.blobs WHERE sha256 IS NULL AND touched_at < now() - make_interval(secs => %s)"
_STRANGE: Final = """
    SELECT g.sha256
    FROM unnest(%(hashes)s::text[]) AS g (sha256)
    WHERE NOT EXISTS (SELECT FROM files.entries e WHERE e.sha256 = g.sha256 AND e.app = %(app)s)
      AND NOT (
          EXISTS (SELECT FROM log.holds h WHERE h.sha256 = g.sha256 AND h.app = %(app)s)
          AND EXISTS (SELECT FROM log.blobs b WHERE b.sha256 = g.sha256)
      )
"""
_SIZES: Final = "SELECT sha256, size FROM log.blobs WHERE sha256 = ANY (%s)"


@dataclass(frozen=True, slots=True)
class Stored:
    """A content that is stored: its name and its size in bytes."""

    sha256: str
    size: int


class UploadLost(Exception):
    """The upload was given up: nothing came for a day."""


class Upload:
    """A content that comes in piece by piece. Call ``finish`` or ``discard`` in the end."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._digest = sha256()
        self._pending = bytearray()
        self._chunks = 0
        self.size = 0
        with sessions.session() as connection:
            row = connection.execute(_BEGIN, (CHUNK_BYTES,)).fetchone()
        assert row is not None
        self._id = int(row[0])

    def write(self, piece: bytes) -> None:
        """Take in one more piece. Raises :class:`UploadLost`."""
        self._digest.update(piece)
        self.size += len(piece)
        if len(piece) == CHUNK_BYTES and not self._pending:
            self._put(piece)
            return
        self._pending += piece
        while len(self._pending) >= CHUNK_BYTES:
            self._put(bytes(self._pending[:CHUNK_BYTES]))
            del self._pending[:CHUNK_BYTES]

    @property
    def sha256(self) -> str:
        """The hash of what has come so far."""
        return self._digest.hexdigest()

    def finish(self, app: str) -> Stored:
        """Keep what came, for ``app``; it is on disk. Raises :class:`UploadLost`."""
        if self._pending:
            self._put(bytes(self._pending))
            self._pending.clear()
        try:
            with self._sessions.session() as connection:
                connection.execute(_KEEP, (self._id, self.sha256, self.size, app))
        except psycopg.errors.NoDataFound as error:
            raise UploadLost(str(error)) from error
        return Stored(self.sha256, self.size)

    def discard(self) -> None:
        """Take away what came; without the database the leader will."""
        with suppress(*OUTAGE):
            drop(self._id, self._sessions)

    def _put(self, chunk: bytes) -> None:
        try:
            with self._sessions.session() as connection:
                connection.execute(_PUT, (self._id, self._chunks, chunk), prepare=True)
        except psycopg.errors.ForeignKeyViolation as error:
            raise UploadLost("nothing of the upload is there any more") from error
        self._chunks += 1


def keep(content: bytes, app: str, sessions: Sessions) -> Stored:
    """Store ``content``, which is in memory, for ``app``."""
    upload = Upload(sessions)
    try:
        upload.write(content)
        return upload.finish(app)
    except BaseException:
        upload.discard()
        raise


def stream(sessions: Sessions, sha256_hex: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """The bytes from ``start`` up to ``stop`` (not itself), chunk by chunk; no session is kept between them.

    Raises :class:`ContentMissing` at once if the content isn't there, and later if it goes meanwhile.
    """
    with sessions.session() as connection:
        row = connection.execute(_FIND, (sha256_hex,), prepare=True).fetchone()
    if row is None:
        raise ContentMissing(f"no content has the SHA-256 {sha256_hex}")
    blob, size, chunk_bytes = row
    return _chunks(sessions, blob, chunk_bytes, start, size if stop is None else min(stop, size))


def _chunks(sessions: Sessions, blob: int, chunk_bytes: int, start: int, stop: int) -> Iterator[bytes]:
    at = start
    while at < stop:
        seq, skipped = divmod(at, chunk_bytes)
        with sessions.session() as connection:
            row = connection.execute(_CHUNK, (blob, seq), prepare=True, binary=True).fetchone()
        if row is None:
            raise ContentMissing(f"chunk {seq} is not there any more")
        chunk = row[0]
        wanted = min(len(chunk) - skipped, stop - at)
        yield chunk if wanted == len(chunk) else chunk[skipped : skipped + wanted]
        at += wanted


def read(sessions: Sessions, sha256_hex: str, start: int = 0, stop: int | None = None) -> bytes:
    """The same in one piece. Raises :class:`ContentMissing`."""
    return b"".join(stream(sessions, sha256_hex, start, stop))


def strange(connection: psycopg.Connection, app: str, hashes: Sequence[str]) -> list[str]:
    """Those of the hashes that ``app`` may not name: no file of it names them, and it doesn't hold them.

    That others have such content is not told: who doesn't have the bytes doesn't get them by their hash.
    """
    return [row[0] for row in connection.execute(_STRANGE, {"app": app, "hashes": list(hashes)}).fetchall()]


def sizes(connection: psycopg.Connection, hashes: Sequence[str]) -> dict[str, int]:
    """The sizes of contents, by their hashes."""
    return dict(connection.execute(_SIZES, (list(hashes),)).fetchall())


def give_up(connection: psycopg.Connection, days: int) -> int:
    """Give up what no file names and nobody has held for so many days; return how many."""
    row = connection.execute(_GIVE_UP, (days,)).fetchone()
    assert row is not None
    return int(row[0])


def sweep(sessions: Sessions, *, seconds: float) -> int:
    """Take away what has had no name for so long: uploads that broke off, content given up. Return how many."""
    with sessions.session() as connection:
        found = [int(row[0]) for row in connection.execute(_NAMELESS, (seconds,)).fetchall()]
    for blob in found:
        drop(blob, sessions)
    return len(found)


def drop(blob: int, sessions: Sessions) -> None:
    """Take away a content, if it has no name."""
    with sessions.session() as connection:
        if not connection.execute(_MARK, (blob,)).rowcount:
            return
    while True:
        with sessions.session() as connection:
            dropped = connection.execute(_DROP_CHUNKS, {"blob": blob, "most": SWEPT_CHUNKS}).rowcount
            if dropped < SWEPT_CHUNKS:
                with suppress(psycopg.errors.ForeignKeyViolation):
                    connection.execute(_DROP, (blob,))
                return
