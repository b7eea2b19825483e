"""Templates in the manner of Mustache: texts with ``{{names}}``, escaped for HTML unless it is said otherwise.

    {{name}}                a value, escaped           {{a.b}} a member of a member, {{.}} the value itself
    {{{name}}} {{&name}}    a value as it is
    {{#name}} … {{/name}}   for each element of an array; within a map; once for anything else that counts as true
    {{^name}} … {{/name}}   if there is nothing: (), false, an empty string or array, or no such name
    {{> name}}              another template, of the partials that were given
    {{! … }}                a remark

A name is looked for in the innermost section first, then further out. A tag of a section, a remark or a partial that
stands alone on its line takes the line with it, and a partial is indented as its tag is.

A template is read once, into a tree; both steps take as long as what they read or write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

DEEPEST: Final = 50
"""Sections and partials within one another."""
_LINES: Final = frozenset("#^/!>")
"""Tags that take their line with them if nothing else is on it."""
_SIGNS: Final = _LINES | {"&", "="}
_LINE_END: Final = re.compile(r"[ \t]*\r?(?:\n|\Z)")
_ESCAPED: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})


class TemplateError(Exception):
    """A template can't be read or filled in; the message says what is wrong and in which line."""


class Text(NamedTuple):
    """What stands for itself."""

    text: str


class Value(NamedTuple):
    """A value at its place."""

    path: tuple[str, ...]
    escaped: bool
    line: int


class Section(NamedTuple):
    """What is written for each of something, or if there is nothing."""

    path: tuple[str, ...]
    inverted: bool
    body: list[Any]
    line: int


class Partial(NamedTuple):
    """Another template in this place, each of its lines behind ``indent``."""

    name: str
    indent: str
    line: int


class _Tag(NamedTuple):
    kind: str
    name: str
    start: int
    end: int
    line: int


Tree = list[Any]


def tree_of(text: str, pay: Callable[[int], None] = lambda operations: None) -> Tree:
    """The tree of a template. ``pay`` is told of operations as they come. Raises :class:`TemplateError`."""
    root: Tree = []
    open_sections: list[Section] = []
    at = line = 0
    while True:
        tag = _next_tag(text, at, line)
        if tag is None:
            _put_text(_body(root, open_sections), text[at:])
            break
        pay(2 + (tag.end - at) // 16)
        line = tag.line + text.count("\n", tag.start, tag.end)
        start, end = _alone(text, tag, at) if tag.kind in _LINES else (tag.start, tag.end)
        indent = text[start : tag.start]
        _put_text(_body(root, open_sections), text[at : max(at, start)])
        if (start, end) != (tag.start, tag.end):
            line += text.count("\n", tag.end, end)
        at = end
        _put_tag(root, open_sections, tag, indent)
    if open_sections:
        opened = open_sections[-1]
        raise TemplateError(f"line {opened.line}: the section {_dotted(opened.path)} is never closed")
    return root


def _body(root: Tree, open_sections: list[Section]) -> Tree:
    return open_sections[-1].body if open_sections else root


def _put_text(body: Tree, text: str) -> None:
    if text:
        body.append(Text(text))


def _put_tag(root: Tree, open_sections: list[Section], tag: _Tag, indent: str) -> None:
    body = _body(root, open_sections)
    line = tag.line + 1
    if tag.kind == "!":
        return
    if tag.kind == "/":
        if not open_sections:
            raise TemplateError(f"line {line}: {{{{/{tag.name}}}}} closes no section")
        opened = open_sections.pop()
        if _dotted(opened.path) != tag.name:
            raise TemplateError(
                f"line {line}: {{{{/{tag.name}}}}} closes the section {_dotted(opened.path)} of line {opened.line}"
            )
    elif tag.kind in ("#", "^"):
        section = Section(_path(tag), tag.kind == "^", [], line)
        body.append(section)
        open_sections.append(section)
        if len(open_sections) > DEEPEST:
            raise TemplateError(f"line {line}: sections are more than {DEEPEST} deep")
    elif tag.kind == ">":
        if not tag.name:
            raise TemplateError(f"line {line}: the partial has no name")
        body.append(Partial(tag.name, indent, line))
    else:
        body.append(Value(_path(tag), tag.kind == "", line))


def _next_tag(text: str, at: int, line: int) -> _Tag | None:
    start = text.find("{{", at)
    if start < 0:
        return None
    line += text.count("\n", at, start)
    closing = "}}}" if text.startswith("{{{", start) else "}}"
    within = start + len(closing)
    end = text.find(closing, within)
    if end < 0:
        raise TemplateError(f"line {line + 1}: {'{' * len(closing)} is never closed by {closing}")
    inner = text[within:end]
    if closing == "}}}":
        kind, name = "&", inner.strip()
    else:
        stripped = inner.lstrip()
        kind = stripped[:1] if stripped[:1] in _SIGNS else ""
        name = stripped[len(kind) :].strip()
    if kind == "=":
        raise TemplateError(f"line {line + 1}: the signs {{{{ and }}}} can't be changed")
    return _Tag(kind, name, start, end + len(closing), line)


def _alone(text: str, tag: _Tag, at: int) -> tuple[int, int]:
    """Where a tag's line begins and ends if nothing else is on it, else where the tag does; ``at`` is the end of the
    tag before."""
    before = text[at : tag.start].rstrip(" \t")
    begin = at + len(before)
    behind = _LINE_END.match(text, tag.end)
    if behind is None or not (begin == 0 or text[begin - 1] == "\n"):
        return tag.start, tag.end
    return begin, behind.end()


def _path(tag: _Tag) -> tuple[str, ...]:
    if tag.name == ".":
        return ()
    path = tuple(tag.name.split("."))
    if not all(path) or any(character.isspace() for character in tag.name):
        shown = tag.name[:40] + ("…" if len(tag.name) > 40 else "")
        raise TemplateError(f"line {tag.line + 1}: {{{{{tag.kind}{shown}}}}} holds no name, such as user.name")
    return path


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(path) or "."


class _Missing:
    """There is no such name."""


_MISSING: Final = _Missing()


class Filling:
    """A template while it is filled in.

    ``partial`` gives the tree of a partial, or None; ``text_of`` the text of a value, or None if it has none;
    ``put`` takes the parts of the result, ``pay`` the operations. With ``strict`` a value whose name isn't there is an
    error, otherwise it is empty.
    """

    def __init__(
        self,
        *,
        partial: Callable[[str], Tree | None],
        text_of: Callable[[Any], str | None],
        put: Callable[[str], None],
        pay: Callable[[int], None],
        strict: bool,
        escaping: bool,
    ) -> None:
        self._partial = partial
        self._text_of = text_of
        self._put_out = put
        self._pay = pay
        self._strict = strict
        self._escaping = escaping
        self._depth = 0
        self._indents: list[str] = []
        self._at_line_start = True

    def fill(self, tree: Tree, values: list[Any]) -> None:
        """Write a tree out. ``values`` are what names are looked for in, the innermost last."""
        for node in tree:
            self._pay(2)
            if type(node) is Text:
                self._put(node.text)
            elif type(node) is Value:
                self._value(node, values)
            elif type(node) is Section:
                self._section(node, values)
            else:
                self._other(node, values)

    def _value(self, node: Value, values: list[Any]) -> None:
        value = self._found(node.path, values)
        if value is _MISSING:
            if self._strict:
                raise TemplateError(f"line {node.line}: {self._unknown(node.path, values)}")
            return
        if value is None:
            return
        text = self._text_of(value)
        if text is None:
            how = "{{#" + _dotted(node.path) + "}} goes into it"
            kind = "an array" if type(value) is list else "a map" if type(value) is dict else "no text"
            raise TemplateError(f"line {node.line}: {_dotted(node.path)} is {kind}: {how}")
        self._pay(len(text) // 64)
        # Values aren't indented, as little as their newlines are the template's.
        self._put(text.translate(_ESCAPED) if node.escaped and self._escaping else text, of_template=False)

    def _section(self, node: Section, values: list[Any]) -> None:
        value = self._found(node.path, values)
        there = value is not _MISSING and value is not None and value is not False and value not in ("", [])
        if node.inverted:
            if not there:
                self._nested(node.body, values, node.line)
            return
        if not there:
            return
        if type(value) is list:
            for item in value:
                self._nested(node.body, [*values, item], node.line)
        else:
            self._nested(node.body, [*values, value], node.line)

    def _other(self, node: Partial, values: list[Any]) -> None:
        tree = self._partial(node.name)
        if tree is None:
            if self._strict:
                raise TemplateError(f"line {node.line}: there is no partial {node.name[:40]!r}")
            return
        if not node.indent:
            self._nested(tree, values, node.line)
            return
        self._indents.append(node.indent)
        self._nested(tree, values, node.line)
        self._indents.pop()

    def _nested(self, tree: Tree, values: list[Any], line: int) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise TemplateError(f"line {line}: sections and partials are more than {DEEPEST} deep")
        self._pay(len(values))
        self.fill(tree, values)
        self._depth -= 1

    def _found(self, path: tuple[str, ...], values: list[Any]) -> Any:
        if not path:
            return values[-1]
        first, *rest = path
        value: Any = _MISSING
        for scope in reversed(values):
            if type(scope) is dict and first in scope:
                value = scope[first]
                break
        for name in rest:
            if type(value) is not dict or name not in value:
                return _MISSING
            value = value[name]
        return value

    def _unknown(self, path: tuple[str, ...], values: list[Any]) -> str:
        known = sorted({name for scope in values[-8:] if type(scope) is dict for name in list(scope)[:200]})
        self._pay(16 * len(known))
        near = get_close_matches(path[0][:40], known, n=1)
        meant = f"did you mean {near[0]!r}?" if near and near[0] != path[0] else 'missing: "empty" leaves it out'
        return f"there is no {_dotted(path)[:80]!r}: {meant}"

    def _put(self, text: str, *, of_template: bool = True) -> None:
        if not text:
            return
        indent = "".join(self._indents)
        if indent and self._at_line_start:
            text = indent + text
        if indent and of_template:
            self._pay(len(text) // 64 + text.count("\n"))
            whole = text[:-1] if text.endswith("\n") else text
            text = whole.replace("\n", "\n" + indent) + text[len(whole) :]
        self._at_line_start = text.endswith("\n") if of_template else False
        self._put_out(text)


def partials_of(given: Mapping[str, str], tree: Callable[[str], Tree]) -> Callable[[str], Tree | None]:
    """Trees of partials, each made when it is first asked for."""
    made: dict[str, Tree] = {}

    def partial(name: str) -> Tree | None:
        if name not in made:
            text = given.get(name)
            if text is None:
                return None
            try:
                made[name] = tree(text)
            except TemplateError as error:
                raise TemplateError(f"partial {name[:40]!r}, {error}") from None
        return made[name]

    return partial
