"""What a command line means (RFC 5321, section 4.1). No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_VERB: Final = re.compile(rb"([A-Za-z]{1,16})(?:[ \t]+(.*?))?[ \t]*")
_PARAMETER: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]{0,63})(?:=([\x21-\x3c\x3e-\x7e]{1,500}))?")
_ROUTE: Final = re.compile(r"@[^:]*:")
_LONGEST_PATH: Final = 320


class BadArguments(Exception):
    """They can't be read; the message is what was expected."""


@dataclass(frozen=True, slots=True)
class Command:
    """A verb in capital letters, and what follows it."""

    verb: str
    rest: bytes

    @classmethod
    def parse(cls, line: bytes) -> Command | None:
        """The command of a line; None for a line that can't be one."""
        match = _VERB.fullmatch(line)
        return cls(match[1].decode().upper(), match[2] or b"") if match else None


@dataclass(frozen=True, slots=True)
class Path:
    """An address as MAIL and RCPT give it, with the parameters behind it, their names in capital letters.

    A sender's ``address`` is empty for mail that nobody is to be told about.
    """

    address: str
    parameters: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, rest: bytes, word: str) -> Path:
        """What follows ``MAIL`` or ``RCPT``; ``word`` is ``FROM`` or ``TO``. Raises :class:`BadArguments`."""
        expected = f"{'MAIL' if word == 'FROM' else 'RCPT'} {word}:<address>"
        try:
            text = rest.decode()
        except UnicodeDecodeError:
            raise BadArguments(f"{expected}, in UTF-8") from None
        if text[: len(word) + 1].upper() != word + ":":
            raise BadArguments(expected)
        address, parameters = _split(text[len(word) + 1 :].lstrip(), expected)
        address = _ROUTE.sub("", address, count=1) if address.startswith("@") else address
        if len(address) > _LONGEST_PATH or not address.isprintable() or (address and "@" not in address[1:-1]):
            raise BadArguments(expected)
        return cls(address, _parameters(parameters, expected))

    @property
    def local(self) -> str:
        """What stands before the ``@``, without quotes."""
        local = self.address.rpartition("@")[0]
        if len(local) > 1 and local[0] == local[-1] == '"':
            return re.sub(r"\\(.)", r"\1", local[1:-1])
        return local

    @property
    def domain(self) -> str:
        """What stands behind the ``@``, in small letters."""
        return self.address.rpartition("@")[2].lower()


def _split(text: str, expected: str) -> tuple[str, str]:
    """The address, and what stands behind it."""
    if not text.startswith("<"):
        address, _, rest = text.partition(" ")
        if not address:
            raise BadArguments(expected)
        return address, rest
    quoted = escaped = False
    for place, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == ">" and not quoted:
            return text[1:place], text[place + 1 :]
    raise BadArguments(expected)


def _parameters(text: str, expected: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in text.split():
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise BadArguments(f"{expected} and parameters such as SIZE=1000")
        found[match[1].upper()] = match[2] or ""
    return found
