"""What a request shows of who sent it, and what is found out of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from picloud.domain.invocation import Authenticated


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """A request as a verifier sees it: ``header`` gives one by its name; ``body`` reads it, if it is asked for.

    ``now`` is Unix time in seconds.
    """

    header: Callable[[str], str | None]
    query: Mapping[str, str]
    body: Callable[[], bytes]
    now: float


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called. ``identity`` tells callers of a route apart: no two share it, and one keeps it."""

    auth: Authenticated
    identity: str


class Refused(Exception):
    """The caller is not known: ``detail`` says why, and ``challenge`` is what WWW-Authenticate is to say."""

    def __init__(self, detail: str, challenge: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.challenge = challenge


class Busy(Exception):
    """So many ask at once that this one can't be looked at now."""


class Verifier(Protocol):
    """Finds out who called.

    ``hidden_headers`` (in lower case) and ``hidden_query`` carry credentials, which nobody is to keep.
    """

    @property
    def hidden_headers(self) -> frozenset[str]: ...
    @property
    def hidden_query(self) -> str: ...

    def verify(self, presented: Presented) -> Caller:
        """Who called. Raises :class:`Refused`, :class:`Busy`, or ``VaultError`` if a secret can't be opened here."""
        ...


def quoted(text: str) -> str:
    """``text`` as a quoted-string of HTTP (RFC 9110, section 5.6.4); what can't be in one is left out."""
    kept = "".join(character for character in text if " " <= character <= "~")
    return '"' + kept.replace("\\", "\\\\").replace('"', '\\"') + '"'
