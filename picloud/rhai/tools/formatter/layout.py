"""Documents that say where a text may be broken, and their way to lines of a given width.

A document is a string or one of the classes here. A :class:`Group` is written on one line if it fits, else all its own
:class:`Line` s break (P. Wadler, "A prettier printer", with choices, fills and comments at the end of lines).

A comment that goes on to the end of its line waits until the line ends. What would be written behind it begins a new
line, but for a comma or semicolon, which goes in front of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, Union

Doc = Union[str, "Concat", "Group", "Indent", "Line", "IfBroken", "Comment", "Choice", "Fill", "Continued"]
_TAB: Final = 4
_PUNCTUATION: Final = frozenset({",", ";"})


class Concat:
    """One after the other."""

    __slots__ = ("hard", "parts")

    def __init__(self, parts: Iterable[Doc]) -> None:
        self.parts = [part for part in parts if part != ""]
        self.hard = any(map(is_hard, self.parts))


class Line:
    """A place to break: a blank (``line``) or nothing (``soft``) on one line; ``hard`` always breaks, ``fresh`` does
    unless a line has just begun."""

    __slots__ = ("hard", "kind")

    def __init__(self, kind: Literal["line", "soft", "hard", "fresh"]) -> None:
        self.kind = kind
        self.hard = kind in ("hard", "fresh")


class Indent:
    """One level further in."""

    __slots__ = ("content", "hard")

    def __init__(self, content: Doc) -> None:
        self.content = content
        self.hard = is_hard(content)


class Group:
    """On one line if that fits."""

    __slots__ = ("broken", "content", "hard")

    def __init__(self, content: Doc, *, broken: bool = False) -> None:
        self.content = content
        self.broken = broken or is_hard(content)
        self.hard = self.broken


class IfBroken:
    """One thing if the group around it is broken, else another."""

    __slots__ = ("broken", "flat", "hard")

    def __init__(self, broken: Doc, flat: Doc = "") -> None:
        self.broken = broken
        self.flat = flat
        self.hard = False


class Comment:
    """A comment behind what it is about."""

    __slots__ = ("ends_line", "hard", "text")

    def __init__(self, text: str, *, ends_line: bool) -> None:
        self.text = text
        self.ends_line = ends_line
        self.hard = ends_line


class Choice:
    """The first of several documents whose first line fits; the last one, if none does."""

    __slots__ = ("hard", "states")

    def __init__(self, states: list[Doc]) -> None:
        self.states = states
        self.hard = False


class Fill:
    """Items with blanks between them, as many on a line as fit."""

    __slots__ = ("hard", "parts", "start")

    def __init__(self, parts: list[Doc], start: int = 0) -> None:
        """``start`` is the first item that is still to be written."""
        self.parts = parts
        self.start = start
        self.hard = start == 0 and any(map(is_hard, parts))


class Continued:
    """A string over several lines, of which each but the first begins with blanks that count from its column on."""

    __slots__ = ("column", "hard", "text")

    def __init__(self, text: str, column: int) -> None:
        """``column`` is where the string stood, from 0."""
        self.text = text
        self.column = column
        self.hard = True

    def at(self, column: int) -> str:
        """Return the string as it is to be written at a column."""
        first, *lines = self.text.split("\n")
        shift = column - self.column
        return "\n".join([first, *(_shifted(line, shift) for line in lines)])


def _shifted(line: str, shift: int) -> str:
    if shift >= 0:
        return " " * shift + line
    blanks = len(line) - len(line.lstrip())
    return line[min(-shift, blanks) :]


LINE: Final = Line("line")
SOFT: Final = Line("soft")
HARD: Final = Line("hard")
FRESH: Final = Line("fresh")


def is_hard(doc: Doc) -> bool:
    """Whether a document holds a line that breaks in any case."""
    return "\n" in doc if isinstance(doc, str) else doc.hard


def joined(separator: Doc, docs: Iterable[Doc]) -> Concat:
    """Return documents with a separator between them."""
    parts: list[Doc] = []
    for doc in docs:
        if parts:
            parts.append(separator)
        parts.append(doc)
    return Concat(parts)


_Item = tuple[int, bool, Doc]
"""Indentation in cells, whether on one line, and what."""


def printed(doc: Doc, width: int) -> str:
    """Return a document as text."""
    printer = _Printer(width)
    printer.print(doc)
    return printer.text()


class _Printer:
    def __init__(self, width: int) -> None:
        self.width = width
        self.out: list[str] = []
        self.column = 0
        self.waiting: list[tuple[str, int]] = []
        """Comments that come at the end of the line."""
        self.begins = True
        """Nothing is on the line yet."""

    def text(self) -> str:
        self._flush()
        return "".join(self.out)

    def print(self, doc: Doc) -> None:
        stack: list[_Item] = [(0, False, doc)]
        while stack:
            indent, flat, item = stack.pop()
            match item:
                case str():
                    self._write(item, indent)
                case Concat(parts=parts):
                    stack += [(indent, flat, part) for part in reversed(parts)]
                case Indent(content=content):
                    stack.append((indent + _TAB, flat, content))
                case Group(content=content, broken=broken):
                    whole = flat or (not broken and self._fits((indent, True, content), stack))
                    stack.append((indent, whole and not broken, content))
                case IfBroken(broken=broken_part, flat=flat_part):
                    stack.append((indent, flat, flat_part if flat else broken_part))
                case Line(kind=kind):
                    self._line(kind, indent, flat=flat)
                case Comment(text=text, ends_line=ends_line):
                    if ends_line:
                        if self.waiting:
                            self._newline(indent)
                        self.waiting.append((text, indent))
                    else:
                        self._write(text, indent)
                case Continued():
                    self._write(item.at(indent if self.begins or self.waiting else self.column), indent)
                case Choice(states=states):
                    chosen = next(
                        (state for state in states[:-1] if self._fits((indent, flat, state), stack)), states[-1]
                    )
                    stack.append((indent, flat, chosen))
                case Fill(parts=parts, start=start):
                    if start and not self._fits((indent, True, Concat([" ", parts[start]])), []):
                        self._newline(indent)
                    elif start:
                        self._write(" ", indent)
                    if start + 1 < len(parts):
                        stack.append((indent, flat, Fill(parts, start + 1)))
                    stack.append((indent, True, parts[start]))

    # ---------------------------------------------------------------------------------------- writing

    def _write(self, text: str, indent: int) -> None:
        if not text:
            return
        if self.waiting and text not in _PUNCTUATION:
            self._newline(indent)
            text = text.lstrip(" ")
        if self.begins:
            text = text.lstrip(" ")
            self.out.append(" " * indent)
            self.column = indent
            self.begins = False
        self.out.append(text)
        last = text.rpartition("\n")
        self.column = len(last[2]) if last[1] else self.column + len(text)

    def _line(self, kind: str, indent: int, *, flat: bool) -> None:
        if flat and kind in ("line", "soft") and not self.waiting:
            if kind == "line":
                self._write(" ", indent)
            return
        if kind == "fresh" and self.begins and not self.waiting:
            return
        self._newline(indent)

    def _newline(self, indent: int) -> None:
        self._flush()
        if self.out:
            self.out[-1] = self.out[-1].rstrip(" ")
        self.out.append("\n")
        self.column = indent
        self.begins = True

    def _flush(self) -> None:
        for text, indent in self.waiting:
            if self.begins:
                self.out.append(" " * indent + text)
            else:
                self.out[-1] = self.out[-1].rstrip(" ")
                self.out.append(f" {text}")
            self.begins = False
        self.waiting = []

    def _fits(self, first: _Item, behind: list[_Item]) -> bool:
        """Whether a document and what is behind it up to the next line fit."""
        room = self.width - self.column
        stack = [first]
        index = len(behind)
        is_behind = False
        while room >= 0:
            if not stack:
                if index == 0:
                    return True
                index -= 1
                is_behind = True
                stack.append(behind[index])
            indent, flat, item = stack.pop()
            match item:
                case str():
                    if "\n" in item:
                        return room >= len(item.partition("\n")[0])
                    room -= len(item)
                case Concat(parts=parts):
                    stack += [(indent, flat, part) for part in reversed(parts)]
                case Fill(parts=parts, start=start):
                    if not flat:
                        parts = parts[start : start + 1]
                    stack += [(indent, flat, Concat([part, " "])) for part in reversed(parts)]
                    room += 1  # there is no blank behind the last one
                case Indent(content=content):
                    stack.append((indent, flat, content))
                case Group(content=content, broken=broken):
                    # What is behind may break in its turn.
                    stack.append((indent, not broken and (flat or not is_behind), content))
                case IfBroken(broken=broken_part, flat=flat_part):
                    stack.append((indent, flat, flat_part if flat else broken_part))
                case Line(kind=kind):
                    if not flat or kind in ("hard", "fresh"):
                        return True
                    room -= kind == "line"
                case Comment(text=text, ends_line=ends_line):
                    room -= 0 if ends_line else len(text)
                case Continued(text=text):
                    return room >= len(text.partition("\n")[0])
                case Choice(states=states):
                    stack.append((indent, flat, states[0] if flat else states[-1]))
        return False
