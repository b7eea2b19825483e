"""Bytes into command lines and mails, in bounded memory whatever comes. No I/O.

A command line ends with a line feed, as old clients send it. A mail ends with CRLF, a dot and CRLF, and with nothing
else (RFC 5321, section 4.1.1.4): who takes less for an end lets strangers hide commands in mails.
"""

from __future__ import annotations

from typing import Final

LONGEST_COMMAND: Final = 2_048
"""Octets of a command line; RFC 5321 asks for 512, and extensions for some more."""

_END: Final = b"\r\n.\r\n"


class LineTooLong(Exception):
    """A command line has no end in sight. What there is of it is dropped, the rest will be."""


class Lines:
    """Command lines out of what comes. ``feed`` it, then take lines until there is none."""

    def __init__(self) -> None:
        self._waiting = b""
        self._dropping = False

    def feed(self, data: bytes) -> None:
        """Add what came."""
        self._waiting += data

    def next(self) -> bytes | None:
        """The next line without its end; None if none is whole. Raises :class:`LineTooLong`, once for a line."""
        line, feed, rest = self._waiting.partition(b"\n")
        if feed:
            self._waiting = rest
            if self._dropping:
                self._dropping = False
                return self.next()
            if len(line) <= LONGEST_COMMAND:
                return line.removesuffix(b"\r")
            raise LineTooLong
        if len(line) > LONGEST_COMMAND:
            self._waiting = b""
            if not self._dropping:
                self._dropping = True
                raise LineTooLong
        return None

    @property
    def waiting(self) -> bool:
        """Whether anything came that was not taken."""
        return bool(self._waiting)

    def rest(self) -> bytes:
        """Everything that was not taken, which is taken thereby."""
        rest, self._waiting = self._waiting, b""
        return rest


class Content:
    """A mail out of what comes behind ``DATA``, at most ``most`` bytes of it."""

    def __init__(self, most: int) -> None:
        self._most = most
        # What comes first is behind a line's end: that of the command.
        self._kept = bytearray(b"\r\n")
        self.size = 0
        """Octets so far, whether they are kept or not."""

    @property
    def too_large(self) -> bool:
        """Whether it is larger than it may be: nothing of it is kept then but what its end is looked for in."""
        return self.size > self._most

    def feed(self, data: bytes) -> bytes | None:
        """Add what came; return what came behind the mail's end, None if that is still to come."""
        looked = max(0, len(self._kept) - len(_END) + 1)
        self._kept += data
        end = self._kept.find(_END, looked)
        if end >= 0:
            rest = bytes(self._kept[end + len(_END) :])
            self.size += len(data) - len(rest) - 3
            del self._kept[end + 2 :]
            return rest
        self.size += len(data)
        if self.too_large:
            del self._kept[: -len(_END)]
        return None

    def whole(self) -> bytes:
        """The mail, once it has ended: without the dots that lines were given on the way (section 4.5.2)."""
        return bytes(self._kept.replace(b"\r\n.", b"\r\n")[2:])
