"""A mail as values: addresses, headers, texts, attachments. Never an exception, whatever the mail is.

The standard library's ``email`` takes it apart. Its structure is read under the older, forgiving policy, which doesn't
look into headers; the few headers that have a structure are read under ``policy.default``. Whatever can't be read is
given as it came, and named in ``defects``. What takes more than linear time is kept from large headers.
"""

from __future__ import annotations

import binascii
import codecs
import email.policy
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from email._policybase import Compat32
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.utils import getaddresses, parsedate_to_datetime
from hashlib import sha256
from typing import Any, Final, TypeVar

import msgspec

MOST_HEADERS: Final = 1_000
"""Headers beyond so many are left out of ``headers``."""
MOST_PARTS: Final = 1_000
"""Attachments beyond so many are left out."""
LONGEST_HEADER: Final = 32_000
LONGEST_MIME_HEADER: Final = 4_000
DECODED_HEADERS: Final = 256_000
"""Characters of headers whose encoded words are decoded; those of later ones stay."""

_LONGEST_LIST: Final = 8_000
_MOST_WORDS: Final = 300
_MOST_DEFECTS: Final = 20
_ID: Final = re.compile(r"<[^<>\s]{1,998}>")
_BLANK: Final = re.compile(rb"\r?\n\r?\n")
_FOLD: Final = re.compile(r"\r?\n|\r")
_NO_CHARSETS: Final = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined"})
"""What Python takes for charsets, and no mailer does; the first takes quadratic time."""

Read = TypeVar("Read")


class Person(msgspec.Struct, frozen=True):
    """An address of a header; ``name`` is empty if there is none."""

    name: str
    address: str


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A part that isn't one of the two texts. ``content`` is base64; ``inline`` tells that a text shows it."""

    name: str | None
    content_type: str
    content_id: str | None
    inline: bool
    size: int
    sha256: str
    content: str


class Mail(msgspec.Struct, frozen=True, kw_only=True, rename={"sender": "from"}):
    """See the module: what a script finds as ``ctx.event.data``.

    ``headers`` has the names in small letters, and all values of each. ``text`` and ``html`` are the first parts of
    their kind that aren't attached, their lines ended by ``\\n``. ``date`` is RFC 3339, in UTC.
    """

    sender: Person | None
    to: list[Person]
    cc: list[Person]
    reply_to: list[Person]
    subject: str
    date: str | None
    message_id: str | None
    in_reply_to: str | None
    references: list[str]
    headers: dict[str, list[str]]
    text: str | None
    html: str | None
    attachments: list[Attachment]
    size: int
    defects: list[str]


def read_mail(raw: bytes) -> Mail:
    """The mail that ``raw`` is."""
    defects: list[str] = []
    message, whole = _parsed(raw, defects)
    headers = _headers(message, defects)
    body = _Body()
    if whole is not None:
        body.text = _decoded(whole, None).replace("\r\n", "\n")
    else:
        for number, part in enumerate(_leaves(message)):
            if number == MOST_PARTS:
                defects.append("TooManyParts")
                break
            body.take(part, defects)
    named = _named_ids(headers, "message-id")
    reply = _named_ids(headers, "in-reply-to")
    senders = _people(message, "from", headers)
    return Mail(
        sender=senders[0] if senders else None,
        to=_people(message, "to", headers),
        cc=_people(message, "cc", headers),
        reply_to=_people(message, "reply-to", headers),
        subject=headers.get("subject", [""])[0],
        date=_date(headers),
        message_id=named[0] if named else None,
        in_reply_to=reply[0] if reply else None,
        references=_named_ids(headers, "references"),
        headers=headers,
        text=body.text,
        html=body.html,
        attachments=body.attachments,
        size=len(raw),
        defects=list(dict.fromkeys([*defects, *body.defects]))[:_MOST_DEFECTS],
    )


def body_of(raw: bytes) -> bytes:
    """What follows the headers: the same whichever way the mail came."""
    found = _BLANK.search(raw)
    return raw[found.end() :] if found else b""


# ---------------------------------------------------------------------------------------------------- structure


class _Forgiving(Compat32):
    """Keeps headers short: strangers choose their length, and their values are searched again and again."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        longest = LONGEST_MIME_HEADER if name.lower().startswith("content-") else LONGEST_HEADER
        return name, value[:longest]


_STRUCTURE: Final = _Forgiving()
_HEADERS: Final = email.policy.default.header_factory


def _parsed(raw: bytes, defects: list[str]) -> tuple[Message, bytes | None]:
    """The mail taken apart; with its body whole if that can't be taken apart."""
    parser = BytesParser(policy=_STRUCTURE)
    message = _safely(lambda: parser.parsebytes(raw), None, defects)
    if message is not None:
        return message, None
    message = _safely(lambda: parser.parsebytes(raw, headersonly=True), None)
    return (message, body_of(raw)) if message is not None else (Message(), raw)


def _leaves(message: Message) -> Iterator[Message]:
    """The parts that hold something, in order. A mail within the mail is one: it is not looked into."""
    waiting: list[Any] = [message]
    while waiting:
        part = waiting.pop()
        payload = part.get_payload()
        if isinstance(payload, list) and part.get_content_maintype() != "message":
            waiting.extend(reversed(payload))
        else:
            yield part


class _Body:
    """The texts and attachments that were found so far."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.html: str | None = None
        self.attachments: list[Attachment] = []
        self.defects: list[str] = []

    def take(self, part: Message, defects: list[str]) -> None:
        """Put ``part`` where it belongs."""
        kind = _safely(part.get_content_type, "application/octet-stream")
        if kind.startswith("multipart/"):
            # Its boundary is missing: there is nothing but what a reader sees.
            kind = "text/plain"
        disposition = _safely(part.get_content_disposition, None)
        name = _file_name(part)
        content = _content(part, defects)
        self.defects += [type(defect).__name__ for defect in part.defects]
        attached = disposition == "attachment" or name is not None
        if kind == "text/plain" and not attached and self.text is None:
            self.text = _read(content, part)
        elif kind == "text/html" and not attached and self.html is None:
            self.html = _read(content, part)
        else:
            named = _safely(lambda: _plain(str(part["Content-ID"] or "")), "").strip(" <>")
            self.attachments.append(
                Attachment(
                    name=name,
                    content_type=_clean(kind),
                    content_id=named or None,
                    inline=disposition == "inline" or (disposition is None and bool(named)),
                    size=len(content),
                    sha256=sha256(content).hexdigest(),
                    content=b64encode(content).decode(),
                )
            )


def _content(part: Message, defects: list[str]) -> bytes:
    payload: Any = part.get_payload()
    if isinstance(payload, list):
        return _safely(lambda: b"\r\n".join(inner.as_bytes() for inner in payload), b"", defects)
    decoded: Any = _safely(lambda: part.get_payload(decode=True), None, defects)
    return decoded if isinstance(decoded, bytes) else str(payload or "").encode("utf-8", "surrogateescape")


def _read(content: bytes, part: Message) -> str:
    return _decoded(content, _safely(part.get_content_charset, None)).replace("\r\n", "\n")


def _file_name(part: Message) -> str | None:
    found = _safely(part.get_filename, None)
    return _plain(found) if found else None


# ------------------------------------------------------------------------------------------------------ headers


def _headers(message: Message, defects: list[str]) -> dict[str, list[str]]:
    """All values by name. Encoded words are decoded as long as there aren't uncommonly many."""
    headers: dict[str, list[str]] = {}
    left = DECODED_HEADERS
    for number, (name, value) in enumerate(message.raw_items()):
        if number == MOST_HEADERS:
            defects.append("TooManyHeaders")
            break
        text = str(value)
        left -= len(text)
        shown = _plain(text) if left >= 0 else _clean(_FOLD.sub("", text))
        headers.setdefault(_clean(name).strip().lower(), []).append(shown.strip())
    return headers


def _people(message: Message, name: str, headers: dict[str, list[str]]) -> list[Person]:
    """The addresses of the header ``name``, of the first if there are several."""
    for given, value in message.raw_items():
        if given.lower() == name:
            return _addresses(name, _whole(_FOLD.sub("", str(value))), headers)
    return []


def _addresses(name: str, value: str, headers: dict[str, list[str]]) -> list[Person]:
    if len(value) <= _LONGEST_LIST:
        found = _safely(lambda: [(one.display_name, one.addr_spec) for one in _HEADERS(name, value).addresses], None)
        if found is not None:
            return _people_of(found)
    return _people_of(_safely(lambda: getaddresses([headers[name][0]]), []))


def _people_of(pairs: Iterable[tuple[str, str]]) -> list[Person]:
    return [Person(_clean(name), _clean(address)) for name, address in pairs if address]


def _date(headers: dict[str, list[str]]) -> str | None:
    for value in headers.get("date", [])[:1]:
        try:
            found = parsedate_to_datetime(value)
            aware = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
            return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None


def _named_ids(headers: dict[str, list[str]], name: str) -> list[str]:
    return _ID.findall(headers[name][0]) if name in headers else []


def _plain(value: str) -> str:
    """The text of a header: unfolded, with its encoded words decoded."""
    text = _whole(_FOLD.sub("", value))
    if "=?" not in text or text.count("=?") > _MOST_WORDS:
        return _clean(text)
    try:
        return _clean(
            "".join(_decoded(part, charset) if isinstance(part, bytes) else part for part, charset in _words(text))
        )
    except (ValueError, LookupError, binascii.Error, email.errors.HeaderParseError):
        return _clean(text)


def _words(text: str) -> Iterable[tuple[Any, str | None]]:
    found: list[tuple[Any, str | None]] = decode_header(text)
    # Between encoded words the library gives what isn't encoded as bytes that stand for their characters.
    return [
        (part.decode("raw-unicode-escape") if charset is None and isinstance(part, bytes) else part, charset)
        for part, charset in found
    ]


# ------------------------------------------------------------------------------------------------------ characters


def _decoded(content: bytes, charset: str | None) -> str:
    """Text of bytes: in the charset that is named if that goes, else as UTF-8, else as most of the rest is."""
    for name in (charset, "utf-8"):
        try:
            if name and codecs.lookup(name).name not in _NO_CHARSETS:
                return _clean(content.decode(name))
        except (LookupError, ValueError):
            continue
    return _clean(content.decode("cp1252", "replace"))


def _whole(text: str) -> str:
    """Bytes beyond ASCII, which the parser keeps as lone surrogates, as the characters that they are."""
    if text.isascii():
        return text
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _clean(text: str) -> str:
    """``text`` as JSON can hold it: without halves of characters."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _safely(read: Callable[[], Read], otherwise: Read, defects: list[str] | None = None) -> Read:
    """What ``read`` gives, or ``otherwise``; the kind of error goes into ``defects``."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001 - the library raises nearly anything for what strangers write
        if defects is not None:
            defects.append(type(error).__name__)
        return otherwise
