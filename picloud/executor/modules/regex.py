"""``regex::``: regular expressions whose time has a bound (RE2).

    regex::is_match(pattern, text)              whether it matches anywhere
    regex::find(pattern, text)                  the first match as text, or ()
    regex::find_all(pattern, text)              all matches as texts
    regex::captures(pattern, text)              #{text, start, end, groups, named} of the first match, or ()
    regex::captures_all(pattern, text)          the same of all
    regex::replace(pattern, text, replacement)  all matches; $1, ${name} and $0 stand for groups, $$ for a dollar;
                                                or by a function of what captures gives
    regex::replace(pattern, text, replacement, limit)
    regex::split(pattern, text)                 the texts between matches        regex::split(pattern, text, limit)
    regex::escape(text)                         the pattern that matches a text itself

Positions count characters from 0. A group that took no part is ``()``. Flags are written in the pattern: ``(?i)``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from time import monotonic
from typing import Any, Final

from picloud.executor.faults import refusal
from picloud.executor.host import active_run
from picloud.executor.plain import with_article
from picloud.executor.regexes import Pattern, PatternError, Patterns, Span, escaped
from picloud.rhai.errors import too_large
from picloud.rhai.packages.budget import CEILING, check_array, check_string, utf8_length
from picloud.rhai.packages.callbacks import Callback
from picloud.rhai.packages.declare import Package
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import FnPtr

PACKAGE: Final = Package("regex")

_COMPILING: Final = 16
"""Operations for a search, and for each few characters of its pattern."""
_PER_MATCH: Final = 4
_WEIGHT: Final = 1024
"""So much weight of a pattern doubles what a character costs."""
_TURN_SECONDS: Final = 0.002
_REFERENCE: Final = re.compile(r"\$(?:(\$)|([0-9]{1,3})|\{(\w{1,64})\})?", re.ASCII)

_patterns: Final = Patterns()


class _Search:
    """One search in a text: the matches, paid for as they come."""

    def __init__(self, run: Run, function: str, pattern: str, text: str, *, capturing: bool) -> None:
        self._run = run
        self._function = function
        self.text = text
        run.pay(_COMPILING + len(pattern) // _COMPILING)
        with_refusal = _refused(function)
        self.pattern: Pattern = with_refusal(lambda: _patterns.pattern(pattern, capturing=capturing))

    def __iter__(self) -> Iterator[tuple[Span, ...]]:
        run, text = self._run, self.text
        began = monotonic()
        behind = 0
        matches = self.pattern.found(text)
        tell = _refused(self._function)
        while True:
            spans = tell(lambda: next(matches, None))
            end = len(text) if spans is None else spans[0][1]
            # A search may look at all that is left, whatever it finds: what that takes can't be known, so turns go by
            # the clock too.
            run.pay(_PER_MATCH + (end - behind) * (1 + self.pattern.weight // _WEIGHT) // 64)
            if monotonic() - began > _TURN_SECONDS:
                active_run(run).pause()
                began = monotonic()
            if spans is None:
                return
            behind = end
            yield spans

    def first(self) -> tuple[Span, ...] | None:
        """The first match."""
        return next(iter(self), None)

    def captures(self, spans: tuple[Span, ...]) -> dict[str, Any]:
        """A match as scripts see it."""
        text = self.text
        groups = [_part(text, span) for span in spans[1:]]
        self._run.pay(1 + sum(end - start for start, end in spans) // 64)
        return {
            "text": _part(text, spans[0]),
            "start": spans[0][0],
            "end": spans[0][1],
            "groups": groups,
            "named": {name: groups[group - 1] for name, group in self.pattern.names.items()},
        }


def _refused(function: str) -> Callable[[Callable[[], Any]], Any]:
    def tell(attempt: Callable[[], Any]) -> Any:
        try:
            return attempt()
        except PatternError as error:
            raise refusal(f"regex::{function}", str(error)) from None

    return tell


def _part(text: str, span: Span) -> str | None:
    return None if span[0] < 0 else text[span[0] : span[1]]


@PACKAGE.function("is_match", "string", "string", run=True)
def is_match(run: Run, pattern: str, text: str) -> bool:
    """Return whether a pattern matches anywhere in a text."""
    return _Search(run, "is_match", pattern, text, capturing=False).first() is not None


@PACKAGE.function("find", "string", "string", run=True)
def find(run: Run, pattern: str, text: str) -> str | None:
    """Return the first match as text, or ()."""
    found = _Search(run, "find", pattern, text, capturing=False).first()
    return None if found is None else _part(text, found[0])


@PACKAGE.function("find_all", "string", "string", run=True)
def find_all(run: Run, pattern: str, text: str) -> list[Any]:
    """Return all matches as texts."""
    found: list[Any] = []
    for spans in _Search(run, "find_all", pattern, text, capturing=False):
        found.append(_part(text, spans[0]))
        check_array(run, len(found), 1)
    return found


@PACKAGE.function("captures", "string", "string", run=True)
def captures(run: Run, pattern: str, text: str) -> dict[str, Any] | None:
    """Return the first match with its groups, or ()."""
    search = _Search(run, "captures", pattern, text, capturing=True)
    found = search.first()
    return None if found is None else search.captures(found)


@PACKAGE.function("captures_all", "string", "string", run=True)
def captures_all(run: Run, pattern: str, text: str) -> list[Any]:
    """Return all matches with their groups."""
    search = _Search(run, "captures_all", pattern, text, capturing=True)
    found: list[Any] = []
    values = 0
    for spans in search:
        found.append(search.captures(spans))
        values += 2 + len(spans)
        # A group without a match costs room, too.
        check_array(run, values, len(spans))
    return found


@PACKAGE.function("replace", "string", "string", "string", run=True)
def replace(run: Run, pattern: str, text: str, replacement: str) -> str:
    """Return a text with all matches replaced."""
    return _replaced(run, pattern, text, replacement, None)


@PACKAGE.function("replace", "string", "string", "string", "i64", run=True)
def replace_some(run: Run, pattern: str, text: str, replacement: str, limit: int) -> str:
    """Return a text with so many matches replaced, from the beginning."""
    return _replaced(run, pattern, text, replacement, _limit("replace", limit))


def _replaced(run: Run, pattern: str, text: str, replacement: str, limit: int | None) -> str:
    search = _Search(run, "replace", pattern, text, capturing="$" in replacement)
    parts = _template(run, search.pattern, replacement)

    def make(spans: tuple[Span, ...]) -> str:
        run.pay(1 + len(parts) // 8)
        made = [part if isinstance(part, str) else (_part(text, spans[part]) or "") for part in parts]
        return "".join(made)

    # Checked before it is put together: parts of a long match may be in it many times.
    worst = [part for part in parts if type(part) is int]
    fixed = sum(len(part) for part in parts if type(part) is str)

    def size(spans: tuple[Span, ...]) -> int:
        return fixed + sum(spans[part][1] - spans[part][0] for part in worst)

    return _rebuilt(run, search, make, limit, size)


@PACKAGE.function("replace", "string", "string", "Fn", run=True)
def replace_by(run: Run, pattern: str, text: str, function: FnPtr) -> str:
    """Return a text with each match replaced by what a function of it gives."""
    return _replaced_by(run, pattern, text, function, None)


@PACKAGE.function("replace", "string", "string", "Fn", "i64", run=True)
def replace_some_by(run: Run, pattern: str, text: str, function: FnPtr, limit: int) -> str:
    """Return a text with so many matches replaced by what a function of them gives."""
    return _replaced_by(run, pattern, text, function, _limit("replace", limit))


def _replaced_by(run: Run, pattern: str, text: str, function: FnPtr, limit: int | None) -> str:
    search = _Search(run, "replace", pattern, text, capturing=True)
    call = Callback(run, function, "regex::replace")

    def make(spans: tuple[Span, ...]) -> str:
        made = call(search.captures(spans), (), ())
        if type(made) is not str:
            raise refusal("regex::replace", f"the function is to give a string, not {with_article(made)}")
        return made

    return _rebuilt(run, search, make, limit)


def _rebuilt(
    run: Run,
    search: _Search,
    make: Callable[[tuple[Span, ...]], str],
    limit: int | None,
    size_of: Callable[[tuple[Span, ...]], int] | None = None,
) -> str:
    text, parts = search.text, list[str]()
    most = run.limits.max_string_size or CEILING
    size = behind = 0
    for spans in islice(search, limit):
        start, end = spans[0]
        if size_of is not None and size + size_of(spans) > most:
            raise too_large("Length of string")
        made = make(spans)
        parts += (text[behind:start], made)
        size += start - behind + utf8_length(made)
        if size > most:
            raise too_large("Length of string")
        behind = end
    parts.append(text[behind:])
    whole = "".join(parts)
    check_string(run, utf8_length(whole))
    return whole


def _template(run: Run, pattern: Pattern, replacement: str) -> list[str | int]:
    """A replacement in parts: texts, and numbers of groups."""
    run.pay(1 + len(replacement) // 8)
    parts: list[str | int] = []
    behind = 0
    for found in _REFERENCE.finditer(replacement):
        dollar, number, name = found.groups()
        parts.append(replacement[behind : found.start()])
        behind = found.end()
        named = number if number is not None else name
        if dollar is None and named is None:
            at = found.start() + 1
            raise refusal("regex::replace", f"the $ at {at} of the replacement is neither $1, ${{name}} nor $$")
        if dollar is not None:
            parts.append("$")
            continue
        group = int(named) if named.isdigit() else pattern.names.get(named, -1)
        if not 0 <= group <= pattern.groups:
            has = f"groups 0 to {pattern.groups}" + "".join(f", {each}" for each in sorted(pattern.names))
            raise refusal("regex::replace", f"the pattern has no group {named!r}; it has {has}")
        parts.append(group)
    parts.append(replacement[behind:])
    return [part for part in parts if part != ""]


@PACKAGE.function("split", "string", "string", run=True)
def split(run: Run, pattern: str, text: str) -> list[str]:
    """Return the texts between matches."""
    return _split(run, pattern, text, None)


@PACKAGE.function("split", "string", "string", "i64", run=True)
def split_some(run: Run, pattern: str, text: str, limit: int) -> list[str]:
    """Return so many texts at most, the last one with all that is left."""
    most = _limit("split", limit)
    return _split(run, pattern, text, most - 1) if most else []


def _split(run: Run, pattern: str, text: str, limit: int | None) -> list[str]:
    parts: list[str] = []
    behind = 0
    for spans in islice(_Search(run, "split", pattern, text, capturing=False), limit):
        start, end = spans[0]
        parts.append(text[behind:start])
        check_array(run, len(parts), 1)
        behind = end
    parts.append(text[behind:])
    return parts


def _limit(function: str, limit: int) -> int:
    if limit < 0:
        raise refusal(f"regex::{function}", f"the limit is 0 or more, not {limit}")
    return limit


@PACKAGE.function("escape", "string", run=True)
def escape(run: Run, text: str) -> str:
    """Return the pattern that matches a text itself."""
    check_string(run, 2 * utf8_length(text))
    return str(_refused("escape")(lambda: escaped(text)))
