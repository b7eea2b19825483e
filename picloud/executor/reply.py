"""A reply as a script builds it: status, headers, body, each checked where it is set.

Rules of RFC 9110: a header's name is a token; its value is latin-1 without control characters, so that no script can
smuggle a line break into the response. Headers that frame the message or belong to the connection are the server's.
"""

from __future__ import annotations

import re
from typing import Any, Final

from picloud.executor.protocol import Reply

TEXT: Final = "text/plain; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"

_KNOWN_TYPES: Final = frozenset({TEXT, HTML, JSON, BYTES})

LOWEST_STATUS: Final = 200
HIGHEST_STATUS: Final = 599
MAX_HEADERS: Final = 100
MAX_HEADER_CHARACTERS: Final = 8 * 1024

SERVERS_OWN: Final = frozenset(
    {"connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_COOKIE_VALUE: Final = re.compile(r"[!#-+\--:<-\[\]-~]*")
_WITHOUT_BODY: Final = (204, 304)


class InvalidReply(Exception):
    """What the script asks for is no HTTP response; the message says which part and why."""


class ReplyBuilder:
    """The value behind ``reply::…`` in a script. Each setter raises :class:`InvalidReply`."""

    __slots__ = ("body", "file", "headers", "status")

    rhai_type = "Reply"

    def __init__(self, status: int, body: bytes, content_type: str | None) -> None:
        self.status = LOWEST_STATUS
        self.headers: list[tuple[str, str]] = []
        self.body = body
        self.file = ""
        self.set_status(status)
        if content_type in _KNOWN_TYPES:
            self.headers.append(("content-type", content_type))
        elif content_type is not None:
            self.set_header("content-type", content_type)

    def set_status(self, status: int) -> None:
        """Set the status code."""
        if not LOWEST_STATUS <= status <= HIGHEST_STATUS:
            raise InvalidReply(f"a status is {LOWEST_STATUS} to {HIGHEST_STATUS}, not {status}")
        self.status = status

    def set_header(self, name: str, value: str) -> None:
        """Set a header, in the place of those of the same name."""
        name = _checked_name(name)
        value = _checked_value(name, value)
        self.headers = [header for header in self.headers if header[0] != name]
        self._append(name, value)

    def add_header(self, name: str, value: str) -> None:
        """Add a header beside those of the same name."""
        name = _checked_name(name)
        self._append(name, _checked_value(name, value))

    def put_header(self, name: str, value: Any) -> None:
        """Set a header to a string, a number, or each string of an array."""
        if type(value) is not list:
            self.set_header(name, str(value) if type(value) is int else value)
            return
        lowered = _checked_name(name)
        self.headers = [header for header in self.headers if header[0] != lowered]
        for one in value:
            self.add_header(lowered, one)

    def add_cookie(self, name: str, value: str, attributes: str) -> None:
        """Add a Set-Cookie header (RFC 6265). ``attributes`` begins with ``;`` unless it is empty."""
        if not _TOKEN.fullmatch(name):
            raise InvalidReply(f"{_shown(name)} can't name a cookie")
        if not _COOKIE_VALUE.fullmatch(value):
            raise InvalidReply(f"the cookie {name} can't hold {_shown(value)}: encode it first")
        self.add_header("set-cookie", f"{name}={value}{attributes}")

    def header(self, name: str) -> str | None:
        """The last header of that name."""
        return dict(self.headers).get(name.lower())

    def copy(self) -> ReplyBuilder:
        """An equal reply that changes apart."""
        made = object.__new__(ReplyBuilder)
        made.status, made.headers, made.body, made.file = self.status, list(self.headers), self.body, self.file
        return made

    def finished(self) -> Reply:
        """The reply as it is sent. Statuses that have no body lose it."""
        if self.status in _WITHOUT_BODY:
            return Reply(self.status, [header for header in self.headers if header[0] != "content-type"], b"")
        return Reply(self.status, self.headers, self.body, self.file)

    def _append(self, name: str, value: str) -> None:
        if len(self.headers) >= MAX_HEADERS:
            raise InvalidReply(f"a reply has {MAX_HEADERS} headers at most")
        self.headers.append((name, value))


def _checked_name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise InvalidReply(f"{_shown(name)} can't name a header")
    lowered = name.lower()
    if lowered in SERVERS_OWN:
        raise InvalidReply(f"the header {lowered} is set by the server")
    return lowered


def _checked_value(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidReply(f"the header {name} takes a string")
    if len(value) > MAX_HEADER_CHARACTERS:
        raise InvalidReply(f"the header {name} has {len(value)} characters, more than {MAX_HEADER_CHARACTERS}")
    if _CONTROL.search(value):
        raise InvalidReply(f"the header {name} can't hold {_shown(value)}: it has control characters")
    if not value.isascii():
        try:
            value.encode("latin-1")
        except UnicodeEncodeError:
            raise InvalidReply(f"the header {name} can't hold {_shown(value)}: encode it first") from None
    return value.strip(" \t")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")
