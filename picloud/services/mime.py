"""A mail as bytes (RFC 5322, RFC 2045 to 2049), all of it ASCII but for addresses that can't be.

The parts are made by the standard library's ``EmailMessage``. The headers of the mail itself are written here, line by
line: the library folds long lines at places that change them, differently from version to version. What may stand in a
header is checked before (:func:`check_text`), so that none can begin another one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from picloud.domain.errors import Invalid
from picloud.services.mail_address import CONTROL, Address

MOST_HEADER: Final = 900
"""Characters of a subject, or of another header's value; a line may have 998 bytes."""
MOST_FILE_NAME: Final = 200

_PLAIN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_SHORT: Final = 76
_TYPE: Final = re.compile(r"(?P<type>[a-z0-9][a-z0-9!#$&^_.+-]{0,126})/(?P<subtype>[a-z0-9][a-z0-9!#$&^_.+-]{0,126})")
_CHARSET: Final = re.compile(r'\s*;\s*charset\s*=\s*"?([A-Za-z0-9._:-]{1,40})"?\s*', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that goes with a mail. ``content_type`` is ``type/subtype``, perhaps with a ``charset``."""

    name: str
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """What a mail is made of. There is a ``text`` or an ``html``, or both, which say the same."""

    author: Address
    to: Sequence[Address] = ()
    cc: Sequence[Address] = ()
    reply_to: Sequence[Address] = ()
    subject: str = ""
    text: str | None = None
    html: str | None = None
    attachments: Sequence[Attached] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


def compose(mail: Composition, *, id: UUID, at: datetime) -> bytes:
    """The mail as it goes to the server. The same ``id`` gives the same Message-ID, by which a copy is known."""
    from email.utils import format_datetime

    lines = [
        f"From: {_list([mail.author])}",
        *(f"{name}: {_list(addresses)}" for name, addresses in _addressed(mail) if addresses),
        f"Subject: {_text(mail.subject)}",
        f"Date: {format_datetime(at)}",
        f"Message-ID: <{id}@{mail.author.domain}>",
        *(f"{name}: {_HEADERS[name.lower()](value)}" for name, value in _known(mail.headers)),
        *(f"{name}: {_text(value)}" for name, value in mail.headers.items() if name.lower() not in _HEADERS),
    ]
    return "".join(f"{line}\r\n" for line in lines).encode() + _parts(mail)


def check_text(value: str, field: str) -> str:
    """``value`` if a header can hold it. Raises :class:`Invalid`."""
    if found := CONTROL.search(value):
        what = "a line end" if found[0] in "\r\n" else f"the control character U+{ord(found[0]):04X}"
        raise Invalid(f"{field} holds {what}: it has to be one line", field=field)
    if len(value) > MOST_HEADER:
        raise Invalid(f"{field} has {len(value):,} characters: there may be {MOST_HEADER}", field=field)
    return value


def check_body(value: str, field: str) -> str:
    """``value`` if it can be a text of a mail. Raises :class:`Invalid`."""
    if "\x00" in value:
        raise Invalid(f"{field} holds a zero character, which no mail can", field=field)
    return value


def check_file_name(value: str, field: str) -> str:
    """``value`` if it can name an attachment. Raises :class:`Invalid`."""
    check_text(value, field)
    if not value.strip() or len(value) > MOST_FILE_NAME or "/" in value or "\\" in value:
        raise Invalid(
            f"{field} is {value[:80]!r}: expected a file's name of 1 to {MOST_FILE_NAME} characters without a folder",
            field=field,
        )
    return value


def check_content_type(value: str, field: str) -> str:
    """``value`` in one form, if an attachment can have it. Raises :class:`Invalid`."""
    kind, semicolon, rest = check_text(value, field).partition(";")
    match = _TYPE.fullmatch(kind.strip().lower())
    charset = _CHARSET.fullmatch(semicolon + rest) if semicolon else None
    if match is None or (semicolon and charset is None) or match["type"] in ("multipart", "message"):
        raise Invalid(
            f"{field} is {value[:80]!r}: expected type/subtype, such as application/pdf or text/csv; charset=utf-8",
            field=field,
            remedy="What is a mail itself is attached as application/octet-stream." if match else "",
        )
    return match[0] + (f"; charset={charset[1].lower()}" if charset else "")


def guessed_type(name: str) -> str:
    """The content type that a file's name speaks for."""
    import mimetypes

    kind, encoding = mimetypes.guess_type(name)
    return kind if kind is not None and encoding is None else "application/octet-stream"


# ------------------------------------------------------------------------------------------------------ headers


def check_headers(given: Any, field: str) -> dict[str, str]:
    """The further headers that a script may set: a few with a meaning, and those that begin with X-.

    Raises :class:`Invalid`.
    """
    headers: dict[str, str] = {}
    for name, value in given.items():
        place = f"{field}[{name[:40]!r}]"
        if name.lower() not in _HEADERS and not _EXTRA.fullmatch(name):
            known = ", ".join(_SPELLED.values())
            raise Invalid(f"{place} can't be set here: expected X-… or one of {known}", field=field)
        if not isinstance(value, str):
            raise Invalid(f"{place} is a string", field=field)
        check_text(value, place)
        pattern, example = _MEANT.get(name.lower(), (_ANYTHING, ""))
        if not pattern.fullmatch(value):
            raise Invalid(f"{place} is {value[:80]!r}: expected something such as {example}", field=field)
        spelled = _SPELLED.get(name.lower(), name)
        if spelled.lower() in (each.lower() for each in headers):
            raise Invalid(f"{place} is there twice", field=field)
        headers[spelled] = value
    return headers


def _by_words(value: str) -> str:
    """A list of ids or addresses, a line for each: what is between < and > must not be cut."""
    return "\r\n ".join(value.split())


_EXTRA: Final = re.compile(r"[Xx]-[A-Za-z0-9-]{1,60}")
_ANYTHING: Final = re.compile(r".*", re.DOTALL)
_IDS: Final = re.compile(r"<[!-;=?-~]{1,250}>(?:\s+<[!-;=?-~]{1,250}>)*")
_URLS: Final = re.compile(r"<(?:https?|mailto):[!-;=?-~]{1,800}>(?:\s*,\s*<(?:https?|mailto):[!-;=?-~]{1,800}>)*")
_MEANT: Final = {
    "in-reply-to": (_IDS, "<id@example.org>"),
    "references": (_IDS, "<id@example.org> <other@example.org>"),
    "list-id": (re.compile(r"[ -;=?-~]{0,200}<[A-Za-z0-9.-]{1,200}>"), "News <news.example.org>"),
    "list-unsubscribe": (_URLS, "<https://example.org/unsubscribe?who=7>"),
    "list-unsubscribe-post": (re.compile(r"List-Unsubscribe=One-Click"), "List-Unsubscribe=One-Click"),
    "auto-submitted": (re.compile(r"no|auto-generated|auto-replied"), "auto-generated"),
    "precedence": (re.compile(r"bulk|list|junk"), "bulk"),
    "importance": (re.compile(r"high|normal|low"), "high"),
}
_SPELLED: Final = {
    name.lower(): name
    for name in (
        "In-Reply-To", "References", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Auto-Submitted",
        "Precedence", "Importance",
    )
}  # fmt: skip
_HEADERS: Final = dict.fromkeys(_SPELLED, _by_words)


def _known(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers.items() if name.lower() in _HEADERS]


def _addressed(mail: Composition) -> list[tuple[str, Sequence[Address]]]:
    return [("To", mail.to), ("Cc", mail.cc), ("Reply-To", mail.reply_to)]


def _list(addresses: Sequence[Address]) -> str:
    return ",\r\n ".join(f"{_phrase(each.name)} <{each.spec}>" if each.name else each.spec for each in addresses)


def _phrase(name: str) -> str:
    """A person's name: as it is, in quotes, or encoded."""
    if not name.isascii() or "=?" in name:
        return _encoded(name)
    if _PLAIN.fullmatch(name) and "  " not in name:
        return name
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


def _text(value: str) -> str:
    """A text without structure."""
    plain = value.isascii() and "=?" not in value and value == value.strip() and len(value) <= _SHORT
    return value if plain else _encoded(value)


def _encoded(value: str) -> str:
    from email.header import Header

    return Header(value, "utf-8", maxlinelen=_SHORT - 1).encode(linesep="\r\n") if value else ""


# -------------------------------------------------------------------------------------------------------- parts


def _parts(mail: Composition) -> bytes:
    from email.message import EmailMessage
    from email.policy import SMTP

    # A server need not know 8BITMIME.
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    if mail.text is not None:
        message.set_content(mail.text)
        if mail.html is not None:
            message.add_alternative(mail.html, subtype="html")
    else:
        message.set_content(mail.html or "", subtype="html")
    for attached in mail.attachments:
        kind, _, charset = attached.content_type.partition("; charset=")
        maintype, _, subtype = kind.partition("/")
        message.add_attachment(
            attached.data,
            maintype=maintype,
            subtype=subtype,
            filename=attached.name,
            params={"charset": charset} if charset else None,
        )
    return message.as_bytes()
