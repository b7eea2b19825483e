"""Regular expressions of RE2: no pattern takes more than linear time in the text, or more than so much memory.

RE2 has no backtracking, and so no back references and no look-around. What a search costs is at the worst the pattern's
size (the number of its instructions) times its groups times the length of the text, and that product has a bound:
nothing can interrupt the search for one match. Compiled patterns are kept, up to a number, each with a bound on its
memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import re2

MOST_KEPT: Final = 32
MEMORY_BYTES: Final = 1024 * 1024
"""For one pattern, with what it keeps of the states that it was in."""
MOST_CHARACTERS: Final = 10_000
"""Of a pattern."""
MOST_GROUPS: Final = 100
MOST_WORK: Final = 250_000_000
"""Weight of a pattern times characters of one search: at the worst (3 ns each) less than a second."""
_PER_INSTRUCTION: Final = 8
"""What an instruction takes beside the groups that it has to carry along."""

Span = tuple[int, int]
"""Where something begins and ends, in characters; (-1, -1) for what isn't there."""


_WIDTHS: Final = (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4)
"""Bytes of a character of UTF-8, by the upper half of the first one."""


class PatternError(Exception):
    """A pattern can't be used; the message says why."""


class Pattern:
    """A compiled pattern; ``weight`` is what it takes for each character at the worst."""

    __slots__ = ("_regexp", "groups", "names", "weight")

    def __init__(self, text: str, *, capturing: bool) -> None:
        """Without ``capturing`` groups only group, which is much quicker."""
        options = re2.Options()
        options.max_mem = MEMORY_BYTES
        options.log_errors = False
        options.never_capture = not capturing
        if len(text) > MOST_CHARACTERS:
            raise PatternError(f"a pattern has {MOST_CHARACTERS:,} characters at most, this one has {len(text):,}")
        try:
            self._regexp: Any = re2.compile(text, options)
        except UnicodeEncodeError:
            raise PatternError("the pattern holds half of a surrogate pair") from None
        except re2.error as error:
            raise PatternError(_said(error, text)) from None
        self.groups: int = self._regexp.groups
        if self.groups > MOST_GROUPS:
            raise PatternError(f"a pattern has {MOST_GROUPS} groups at most, this one {self.groups}: (?:…) is none")
        size = max(self._regexp.programsize, self._regexp.reverseprogramsize)
        self.weight: int = size * (_PER_INSTRUCTION + self.groups)
        self.names: dict[str, int] = self._regexp.groupindex

    def found(self, text: str) -> Iterator[tuple[Span, ...]]:
        """The matches in order, which don't overlap: of each the place of the whole and those of the groups.

        Raises :class:`PatternError` for a text too long for a pattern of that size.
        """
        if self.weight * len(text) > MOST_WORK:
            raise PatternError(
                f"the pattern takes up to {self.weight:,} steps for each of {len(text):,} characters, more than"
                f" {MOST_WORK:,} together: search in a shorter text, or with smaller repetitions and fewer groups"
            )
        try:
            data = text.encode()
        except UnicodeEncodeError:
            raise PatternError("the text holds half of a surrogate pair") from None
        places = _Characters() if text.isascii() else _Characters(data)
        at, behind = 0, -1
        # The library's own way through all matches tells some empty ones twice.
        while (match := self._regexp.search(data, at)) is not None:
            start, end = match.span()
            if start == end == behind:
                # An empty match right behind another one is none.
                if end == len(data):
                    return
                at = end + _WIDTHS[data[end] >> 4]
                continue
            yield places.of([match.span(group) for group in range(self.groups + 1)])
            at = behind = end


class _Characters:
    """Places in characters for places in bytes, of one match after the other; without bytes they are the same.

    Each byte is looked at once, however many groups there are.
    """

    __slots__ = ("_byte", "_character", "_data")

    def __init__(self, data: bytes | None = None) -> None:
        self._data = data
        self._byte = self._character = 0
        """The end of the last match."""

    def of(self, spans: list[Span]) -> tuple[Span, ...]:
        """The spans of a match in characters."""
        data = self._data
        if data is None:
            return tuple(spans)
        places = {-1: -1}
        byte, character = self._byte, self._character
        for place in sorted({place for span in spans for place in span if place >= 0}):
            character += len(data[byte:place].decode())
            byte, places[place] = place, character
        self._byte = spans[0][1]
        self._character = places[self._byte]
        return tuple([(places[start], places[end]) for start, end in spans])


class Patterns:
    """The compiled patterns of one child, the one unused for longest first."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bool], Pattern] = {}

    def pattern(self, text: str, *, capturing: bool = False) -> Pattern:
        """The pattern of a text. Raises :class:`PatternError`."""
        key = (text, capturing)
        pattern = self._kept.pop(key, None)
        if pattern is None:
            pattern = Pattern(text, capturing=capturing)
            # What the library keeps by itself would have another bound.
            re2.purge()
        self._kept[key] = pattern
        if len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        return pattern


def escaped(text: str) -> str:
    """The pattern that matches a text itself. Raises :class:`PatternError`."""
    try:
        return str(re2.escape(text))
    except UnicodeEncodeError:
        raise PatternError("the text holds half of a surrogate pair") from None


def _said(error: Exception, text: str) -> str:
    reason = error.args[0] if error.args else ""
    said = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    if said.startswith("invalid perl operator: (?"):
        said += "; there is no look-around, for its time has no bound"
    elif said.startswith("invalid escape sequence") and any(f"\\{digit}" in text for digit in range(1, 10)):
        said += "; there are no back references, for their time has no bound"
    elif "too large" in said or "repetition" in said:
        said += "; repetitions multiply, and end at 1000"
    shown = text if len(text) <= 80 else text[:79] + "…"
    return f"{shown!r} is no pattern: {said}"
