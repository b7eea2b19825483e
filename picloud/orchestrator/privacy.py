"""Private routes: what is asked of them and what they answer stands in the log as cipher text of the vault.

Query, headers and body of a request are sealed as one, and so are headers and body of the answer, and the record of a
run's service calls. They are opened where they are needed again: for the run, wherever that is; for whoever waits for
the answer, or asks for it again by its idempotency key; for a replay, which is private too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import msgspec

from picloud.domain.invocation import Content, HttpInput, Reply
from picloud.log.contents import pack, unpack
from picloud.orchestrator.outcome import Answer
from picloud.orchestrator.vault import Vault
from picloud.postgres.sessions import Sessions

_REQUEST: Final = "private request"
_ANSWER: Final = "private answer"
_RECORD: Final = "private record"
_SEALED: Final = b"v1."


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """What is private of a request."""

    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Answered(msgspec.Struct, frozen=True, array_like=True):
    """What is private of an answer."""

    headers: list[tuple[str, str]]
    body: bytes


class Privacy:
    """See the module. All of it raises :class:`VaultError` where the key isn't to be had."""

    def __init__(self, vault: Vault, sessions: Sessions) -> None:
        self._vault = vault
        self._sessions = sessions

    def sealed_input(self, asked: HttpInput, body: bytes) -> HttpInput:
        """A request whose ``body`` is given apart, as the log may keep it."""
        sealed = self._sealed(Asked(asked.query, asked.headers, body), _REQUEST)
        return replace(asked, query={}, headers={}, body=Content(), sealed=sealed)

    def opened_input(self, asked: HttpInput) -> Asked:
        """What the script is to find of a request."""
        if asked.sealed is None:
            return Asked(asked.query, asked.headers, unpack(asked.body, self._sessions))
        return msgspec.msgpack.decode(self._opened(asked.sealed, _REQUEST), type=Asked)

    def same_input(self, one: HttpInput, other: HttpInput) -> bool:
        """Whether two requests ask the same, whatever their headers."""
        if one.sealed is None and other.sealed is None:
            return (one.method, one.path, one.query, one.body) == (other.method, other.path, other.query, other.body)
        first, second = self.opened_input(one), self.opened_input(other)
        same = (first.query, first.body) == (second.query, second.body)
        return same and (one.method, one.path) == (other.method, other.path)

    def reply(self, asked: HttpInput, answer: Answer) -> Reply:
        """The answer to a request as the log may keep it."""
        if asked.sealed is None:
            return Reply(answer.status, answer.headers, pack(answer.body, self._sessions))
        sealed = self._sealed(Answered(answer.headers, answer.body), _ANSWER)
        return Reply(answer.status, [], Content(), sealed)

    def answer(self, reply: Reply) -> Answer:
        """The answer that the log keeps."""
        if reply.sealed is None:
            return Answer(reply.status, reply.headers, unpack(reply.body, self._sessions))
        opened = msgspec.msgpack.decode(self._opened(reply.sealed, _ANSWER), type=Answered)
        return Answer(reply.status, opened.headers, opened.body)

    def record(self, asked: HttpInput, packed: bytes) -> bytes:
        """A packed journal as the log may keep it."""
        if asked.sealed is None:
            return packed
        return self._vault.seal(packed, about=_RECORD).encode()

    def opened_record(self, kept: bytes) -> bytes:
        """A packed journal that the log keeps."""
        if not kept.startswith(_SEALED):
            return kept
        return self._vault.open(kept.decode(), about=_RECORD)

    def _sealed(self, what: Any, about: str) -> Content:
        return pack(self._vault.seal(msgspec.msgpack.encode(what), about=about).encode(), self._sessions)

    def _opened(self, sealed: Content, about: str) -> bytes:
        return self._vault.open(unpack(sealed, self._sessions).decode(), about=about)
