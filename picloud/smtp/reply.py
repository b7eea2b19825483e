"""What is answered: a code (RFC 5321, section 4.2), an enhanced one (RFC 3463), a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_LONGEST: Final = 480


@dataclass(frozen=True, slots=True)
class Reply:
    """See the module. ``more`` are further lines, without codes of their own; ``status`` may be empty."""

    code: int
    status: str
    text: str
    more: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether what was asked for is done."""
        return 200 <= self.code < 400

    def encode(self) -> bytes:
        """The lines as they are sent: ASCII, for not every client expects more."""
        lines = [f"{self.status} {self.text}".strip(), *self.more]
        last = len(lines) - 1
        return b"".join(
            f"{self.code}{' ' if number == last else '-'}".encode() + _printable(line) + b"\r\n"
            for number, line in enumerate(lines)
        )


def _printable(text: str) -> bytes:
    kept = "".join(character if character.isprintable() else "?" for character in text)
    return kept.encode("ascii", "backslashreplace")[:_LONGEST]


OK: Final = Reply(250, "2.0.0", "ok")
GO_ON: Final = Reply(354, "", "send the mail, and a dot on a line of its own behind it")
BYE: Final = Reply(221, "2.0.0", "good bye")
READY_FOR_TLS: Final = Reply(220, "2.0.0", "begin TLS")
HELP: Final = Reply(214, "2.0.0", "mail to APP+ADDRESS@DOMAIN runs the script of a trigger of kind email")
NOT_VERIFIED: Final = Reply(252, "2.5.2", "send to it, and you will know")

UNKNOWN: Final = Reply(500, "5.5.2", "no such command")
NOT_DONE: Final = Reply(502, "5.5.1", "not implemented")
TOO_LONG: Final = Reply(500, "5.5.2", "the line is too long")
HELLO_FIRST: Final = Reply(503, "5.5.1", "send EHLO first")
MAIL_FIRST: Final = Reply(503, "5.5.1", "send MAIL first")
NESTED: Final = Reply(503, "5.5.1", "there is a sender already; send RSET to begin anew")
RECIPIENT_FIRST: Final = Reply(554, "5.5.1", "no recipient was accepted")
NO_TLS: Final = Reply(502, "5.5.1", "there is no TLS here")
TLS_ALREADY: Final = Reply(503, "5.5.1", "TLS is on already")
BEHIND_TLS: Final = Reply(503, "5.5.1", "nothing may follow STARTTLS before TLS is on")
TOO_MANY_RECIPIENTS: Final = Reply(452, "4.5.3", "too many recipients; send the mail again to the rest of them")

TIMED_OUT: Final = Reply(421, "4.4.2", "waited too long")
TOO_MANY_ERRORS: Final = Reply(421, "4.7.0", "too many errors")
TOO_MANY_CONNECTIONS: Final = Reply(421, "4.3.2", "too many connections; try again later")
STOPPING: Final = Reply(421, "4.3.2", "going down; try again in a moment")
LOG_AWAY: Final = Reply(451, "4.3.0", "the mail can't be recorded now; try again later")


def syntax(expected: str) -> Reply:
    """A command's arguments aren't what they must be."""
    return Reply(501, "5.5.4", f"expected {expected}")


def too_large(most: int) -> Reply:
    """The mail is larger than ``most`` bytes."""
    return Reply(552, "5.3.4", f"the mail is too large: {most} bytes are taken at most")
