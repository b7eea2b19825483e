"""Regular expressions of RE2: no pattern takes more than linear time in the text, or more than so much memory.

RE2 has no backtracking, and so no back references and no look-around. What a pattern costs is then its size (the number
of its instructions) times the length of the text at the worst, and that product has a bound: nothing can interrupt the
search for one match. Compiled patterns are kept, up to a number, each with a bound on its memory.
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
MOST_WORK: Final = 50_000_000
"""Instructions times characters of one search: half a second at the worst."""

Span = tuple[int, int]
"""Where something begins and ends, in characters; (-1, -1) for what isn't there."""


class PatternError(Exception):
    """A pattern can't be used; the message says why."""


class Pattern:
    """A compiled pattern; ``size`` is the number of its instructions."""

    __slots__ = ("_regexp", "groups", "names", "size")

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
        self.size: int = max(self._regexp.programsize, self._regexp.reverseprogramsize)
        self.groups: int = self._regexp.groups
        self.names: dict[str, int] = self._regexp.groupindex

    def found(self, text: str) -> Iterator[tuple[Span, ...]]:
        """The matches in order, which don't overlap: of each the place of the whole and those of the groups.

        Raises :class:`PatternError` for a text too long for a pattern of that size.
        """
        if self.size * len(text) > MOST_WORK:
            raise PatternError(
                f"the pattern takes up to {self.size:,} steps for each of {len(text):,} characters, more than"
                f" {MOST_WORK:,} together: search in a shorter text, or write smaller repetitions such as {{1,20}}"
            )
        spans = range(self.groups + 1)
        try:
            for match in self._regexp.finditer(text):
                yield tuple([match.span(group) for group in spans])
        except UnicodeEncodeError:
            raise PatternError("the text holds half of a surrogate pair") from None


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
