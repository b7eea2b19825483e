"""What is asked of whoever hashes passwords: it takes tens of milliseconds, and must keep nobody else from running."""

from __future__ import annotations

from typing import Protocol


class Busy(Exception):
    """Too many passwords wait to be hashed."""


class Hashing(Protocol):
    """Makes and compares hashes of passwords, as text in the PHC format (``$argon2id$…``)."""

    @property
    def nobodys(self) -> str:
        """A hash that no password has, with the present parameters: for users that aren't there."""

    def hashed(self, password: bytes) -> str:
        """The hash of a password, under a salt of its own. Raises :class:`Busy`."""

    def matches(self, password: bytes, kept: str) -> bool:
        """Whether ``kept`` was made from ``password``. Raises :class:`Busy`."""

    def outdated(self, kept: str) -> bool:
        """Whether a hash was made with other parameters than the present ones."""
