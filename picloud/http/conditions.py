"""Conditional and partial requests (RFC 9110, sections 13 and 14), for representations with strong entity tags.

An entity tag of ours is the SHA-256 of what is sent. There are no dates to go by: ``If-Modified-Since`` and a date in
``If-Range`` are not compared, and the whole is sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

_TAG: Final = re.compile(r'\s*(?:(W/)?"([\x21\x23-\x7e\x80-\xff]*)")?\s*(?:,|\Z)')
_RANGES: Final = re.compile(r"\s*bytes\s*=(.*)", re.IGNORECASE | re.DOTALL)
_SPEC: Final = re.compile(r"([0-9]*)-([0-9]*)")
_MOST_DIGITS: Final = 18
"""A longer number is beyond every size anyway."""

ANY: Final = "*"


class Verdict(Enum):
    """What becomes of a conditional request."""

    GO_ON = 0
    NOT_MODIFIED = 304
    FAILED = 412


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from ``start`` up to ``stop``, not itself, of a whole."""

    start: int
    stop: int


class Unsatisfiable(Exception):
    """The range lies behind the end."""


def etag_of(sha256: str) -> str:
    """The strong entity tag of a content."""
    return f'"{sha256}"'


def _tags(header: str) -> list[tuple[bool, str]] | None:
    """The entity tags of a list, each with whether it is weak; None for what is no such list."""
    found: list[tuple[bool, str]] = []
    at = 0
    while at < len(header):
        match = _TAG.match(header, at)
        if match is None:
            return None
        if match[2] is not None:
            found.append((match[1] is not None, match[2]))
        at = match.end()
    return found


def judge(sha256: str | None, if_match: str | None, if_none_match: str | None, *, reading: bool) -> Verdict:
    """Whether a request may go on that asks for, or wants to change, what has this hash (None: it isn't there).

    Headers that can't be read hold for nothing: an ``If-Match`` fails, an ``If-None-Match`` is met by nothing.
    """
    if if_match is not None:
        tags = _tags(if_match) or []
        there = if_match.strip() == ANY or any(not weak and tag == sha256 for weak, tag in tags)
        if sha256 is None or not there:
            return Verdict.FAILED
    if if_none_match is not None and sha256 is not None:
        tags = _tags(if_none_match) or []
        if if_none_match.strip() == ANY or any(tag == sha256 for _, tag in tags):
            return Verdict.NOT_MODIFIED if reading else Verdict.FAILED
    return Verdict.GO_ON


def span_of(header: str | None, if_range: str | None, *, sha256: str, size: int) -> Span | None:
    """The part of a content that is asked for; None for the whole.

    Whatever can't be read, other units, several ranges, and an ``If-Range`` for another content ask for the whole, as
    section 14.2 allows. Raises :class:`Unsatisfiable`.
    """
    match = _RANGES.fullmatch(header) if header is not None else None
    if match is None or (if_range is not None and if_range.strip() != etag_of(sha256)):
        return None
    specs = [spec.strip(" \t") for spec in match[1].split(",")]
    specs = [spec for spec in specs if spec]
    if len(specs) != 1:
        return None
    spec = _SPEC.fullmatch(specs[0])
    if spec is None or not (spec[1] or spec[2]):
        return None
    return _span(spec[1], spec[2], size)


def _span(first: str, last: str, size: int) -> Span | None:
    if not first:
        length = _number(last)
        if length == 0:
            raise Unsatisfiable
        # Of nothing the last bytes are all there is, which no Content-Range can say.
        return Span(max(0, size - length), size) if size else None
    start = _number(first)
    if last and _number(last) < start:
        return None
    if start >= size:
        raise Unsatisfiable
    return Span(start, min(_number(last) + 1, size) if last else size)


def _number(digits: str) -> int:
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS
