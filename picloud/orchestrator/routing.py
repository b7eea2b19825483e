"""Which route of an app answers a request.

Patterns are compared part by part from the left: a literal is better than ``{name}``, which is better than
``{rest...}``. Among the patterns that fit the path, the best one that has the method wins; a route for the method
itself is better than one for ANY. ``{name}`` takes one part that isn't empty, ``{rest...}`` any number of parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

from picloud.domain.errors import Invalid
from picloud.domain.route import ANY, METHODS, Pattern

Target = TypeVar("Target")


@dataclass(frozen=True, slots=True)
class Match(Generic[Target]):
    """A route that answers: its target, and the values of the pattern's parameters."""

    target: Target
    params: dict[str, str]


@dataclass(frozen=True, slots=True)
class NoMatch:
    """No route answers. ``allowed`` are the path's methods, in the usual order; empty if the path is unknown."""

    allowed: tuple[str, ...]


@dataclass(slots=True)
class _Branch(Generic[Target]):
    literals: dict[str, _Branch[Target]] = field(default_factory=dict)
    param: _Branch[Target] | None = None
    rest: dict[str, tuple[tuple[str, ...], Target]] = field(default_factory=dict)
    here: dict[str, tuple[tuple[str, ...], Target]] = field(default_factory=dict)


class RouteTable(Generic[Target]):
    """An app's routes, ready to be asked."""

    def __init__(self, routes: Iterable[tuple[Pattern, Target]]) -> None:
        self._root: _Branch[Target] = _Branch()
        for pattern, target in routes:
            self._add(pattern, target)

    def _add(self, pattern: Pattern, target: Target) -> None:
        branch = self._root
        names: list[str] = []
        for segment in pattern.segments:
            if segment.literal is not None:
                branch = branch.literals.setdefault(unquote_to_bytes(segment.literal).decode(), _Branch())
                continue
            assert segment.param is not None
            names.append(segment.param)
            if segment.rest:
                branch.rest[pattern.method] = (tuple(names), target)
                return
            if branch.param is None:
                branch.param = _Branch()
            branch = branch.param
        branch.here[pattern.method] = (tuple(names), target)

    def match(self, method: str, raw_path: str) -> Match[Target] | NoMatch:
        """The route for ``method`` on ``raw_path`` (percent-encoded, no query).

        HEAD is answered by what answers GET. Raises :class:`Invalid` if the path isn't UTF-8 once decoded.
        """
        parts = split_path(raw_path)
        wanted = "GET" if method == "HEAD" else method
        allowed: set[str] = set()
        for methods, values in _leaves(self._root, parts, 0, ()):
            found = methods.get(wanted)
            if found is None and wanted in METHODS:
                found = methods.get(ANY)
            if found is not None:
                names, target = found
                return Match(target, dict(zip(names, values, strict=True)))
            allowed.update(methods)
        return NoMatch(_in_order(allowed))

    def methods(self, raw_path: str) -> tuple[str, ...]:
        """Every method that something answers on ``raw_path``, in the usual order. Raises :class:`Invalid`."""
        allowed: set[str] = set()
        for methods, _ in _leaves(self._root, split_path(raw_path), 0, ()):
            allowed.update(methods)
        return _in_order(allowed)


def split_path(raw_path: str) -> list[str]:
    """The decoded parts of a percent-encoded path; none for ``/``. Raises :class:`Invalid` for what isn't UTF-8."""
    if raw_path in ("", "/"):
        return []
    parts = raw_path[1:].split("/")
    if "%" not in raw_path and raw_path.isascii():
        return parts
    try:
        return [unquote_to_bytes(part.encode("latin-1", "replace")).decode() for part in parts]
    except UnicodeDecodeError as error:
        raise Invalid(f"the path is not UTF-8 once decoded: {error.reason}", field="path") from None


def _leaves(
    branch: _Branch[Target], parts: list[str], index: int, values: tuple[str, ...]
) -> Iterator[tuple[dict[str, tuple[tuple[str, ...], Target]], tuple[str, ...]]]:
    """The ends that the parts lead to, best first, each with the values of its parameters."""
    if index == len(parts):
        if branch.here:
            yield branch.here, values
    else:
        part = parts[index]
        literal = branch.literals.get(part)
        if literal is not None:
            yield from _leaves(literal, parts, index + 1, values)
        if branch.param is not None and part:
            yield from _leaves(branch.param, parts, index + 1, (*values, part))
    if branch.rest:
        yield branch.rest, (*values, "/".join(parts[index:]))


def _in_order(methods: set[str]) -> tuple[str, ...]:
    if not methods:
        return ()
    if ANY in methods:
        methods = set(METHODS)
    if "GET" in methods:
        methods = methods | {"HEAD"}
    order = ("GET", "HEAD", *METHODS[1:])
    return (*(method for method in order if method in methods), "OPTIONS")
