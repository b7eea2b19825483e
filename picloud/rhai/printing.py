"""Values as text.

There are two ways, as in the Rust engine, and each has a form for reading (*display*) and one for looking closely
(*debug*):

- the engine's own (`display`, `debug`): error messages and what a host shows. Within arrays and maps a character
  stands in quotes and a function pointer with all that it carries: `['c', Fn*+("anon$…", 1)]`;
- the language's (`to_string`, `to_debug`): `print`, `debug`, `+` with a string, interpolation and the functions of
  that name. Within arrays and maps a character stands bare and a function pointer by its name: `[c, Fn(abs)]`. A host
  may register `to_string` and `to_debug` for its own types.

Nothing here recurses, so depth is no matter. A value may look far bigger than it is in memory (an array that holds
one array a thousand times holds it once), so the language's way pays as it goes and stops at the limit on strings,
and the engine's own is cut at `LONGEST` characters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from picloud.rhai.errors import too_large
from picloud.rhai.packages.budget import PIECE, ordered, pieces
from picloud.rhai.packages.escapes import char_debug, string_debug
from picloud.rhai.packages.numerals import float_debug, float_display
from picloud.rhai.registry import ANY
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import I64_MAX, Char, FnPtr, InclusiveRange, Range, Shared, Timestamp, raw_type_name, type_name

LONGEST: Final = 2**17
_CEILING: Final = 2**30
_PAGE: Final = 8
"""So many elements are written for one operation."""
_OPENED: Final = 6
"""So many more elements it counts to begin one that holds others."""
_CHARACTERS: Final = 16
"""So many characters of a text are."""
_MOST_CUT: Final = 4096
"""So many members of a map are looked at where a text will be cut anyway."""
_NESTING: Final = frozenset({list, dict, FnPtr})
_BUILT_IN: Final = frozenset(
    {type(None), bool, int, float, str, Char, bytearray, Range, InclusiveRange, FnPtr, Timestamp}
)

_Leaf = Callable[[Any], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How arrays and maps are written, and what is in them."""

    leaf: _Leaf
    """Writes what is neither array nor map."""
    map_opening: str = "#{"
    separator: str = ", "
    key_separator: str = ": "
    pointers: bool = False
    """Whether function pointers show what they carry."""
    tells_shared: bool = True
    """Whether a captured variable is marked as shared."""


def display(value: Any) -> str:
    """Return a value as the engine shows it in messages, cut after `LONGEST` characters."""
    kind = type(value)
    if kind is bytearray:
        return _debug_leaf(value[:LONGEST])
    return render(None, value, _DEBUG) if kind is list or kind is dict else _display_leaf(value)


def debug(value: Any) -> str:
    """Return a value as the engine shows it to someone who looks closely, cut after `LONGEST` characters."""
    return render(None, value, _DEBUG)


def to_string(run: Run, value: Any) -> str:
    """Return a value as `print` shows it; raise ErrorDataTooLarge when that is over the limit on strings."""
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is int:
        return int.__repr__(value)
    if kind is list or kind is dict:
        return to_debug(run, value)
    if kind is bytearray:
        run.pay(len(value) // _CHARACTERS)
    return _registered(run, "to_string", value, _display_leaf)


def to_debug(run: Run, value: Any) -> str:
    """Return a value as `debug` shows it; raise ErrorDataTooLarge when that is over the limit on strings."""
    return render(run, value, Style(leaf=_inner_leaf(run)))


def _inner_leaf(run: Run) -> Callable[[Any], str]:
    def text(leaf: Any) -> str:
        kind = type(leaf)
        if kind is Char:
            return str(leaf.text)
        if kind is FnPtr:
            return f"Fn({leaf.name})"
        return _registered(run, "to_debug", leaf, _debug_leaf)

    return text


def _registered(run: Run, name: str, leaf: Any, standard: Callable[[Any], str]) -> str:
    """Return the text that a host's own function gives for a value of the host's types, else the standard one."""
    kind = type(leaf)
    if kind in _BUILT_IN:
        return standard(leaf)
    native = run.find(name, (kind,))
    if native is None or native.parameters == (ANY,):
        return type_name(leaf)
    text = run.native(name, (leaf,))
    return text if type(text) is str else type_name(text)


def _range(span: Range) -> str:
    dots = "..=" if type(span) is InclusiveRange else ".."
    return f"{span.start}{dots}" if span.end == I64_MAX else f"{span.start}{dots}{span.end}"


def _display_leaf(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is float:
        return float_display(value)
    if value is None:
        return ""
    if kind is Char:
        return str(value.text)
    if kind is FnPtr:
        return f"Fn({value.name})"
    return _debug_leaf(value)


def _debug_leaf(value: Any) -> str:
    kind = type(value)
    if kind is int:
        return int.__repr__(value)
    if kind is str:
        return string_debug(value)
    if kind is float:
        return float_debug(value)
    if value is None:
        return "()"
    if kind is bool:
        return "true" if value else "false"
    if kind is Char:
        return char_debug(value.text)
    if kind is bytearray:
        return f"[{value.hex(' ', -8)}]" if value else "[]"
    if kind is Range or kind is InclusiveRange:
        return _range(value)
    if kind is Timestamp:
        return "<timestamp>"
    return raw_type_name(value)


def _json_leaf(value: Any) -> str:
    if value is None:
        return "null"
    if type(value) is bytearray:
        return f"[{','.join(map(str, value))}]"
    return _debug_leaf(value)


_DEBUG: Final = Style(leaf=_debug_leaf, pointers=True)
JSON: Final = Style(
    leaf=_json_leaf, map_opening="{", separator=",", key_separator=":", pointers=True, tells_shared=False
)
"""The engine's JSON."""


def render(run: Run | None, value: Any, style: Style) -> str:
    """Return a value in a style.

    In a run it pays, and raises ErrorDataTooLarge over the limit on strings; else it is cut.
    """
    kind = type(value)
    leaf = style.leaf
    if kind not in _NESTING or (kind is FnPtr and not style.pointers):
        return _leaf(run, value, leaf)
    meter = _Meter(run)
    out: list[str] = []
    frames: list[_Frame] = []
    frame = _opened(meter, value, None, out, style)
    shown: set[int] = set()
    separator = "" if frame.fresh else style.separator
    while True:
        for entry in frame.items:
            if separator:
                out.append(separator)
            separator = style.separator
            item = entry
            if frame.is_map:
                key, item = entry
                out.append(_leaf(run, key, string_debug))
                out.append(style.key_separator)
                if meter.full(len(key)):
                    return "".join(out)[:LONGEST] + "…"
            cell = None
            if type(item) is Shared:
                cell, item = item, item.value
            kind = type(item)
            if cell is not None and id(cell) in shown:
                text = "<shared>"
            elif kind in _NESTING and (kind is not FnPtr or style.pointers):
                frames.append(frame)
                frame = _opened(meter, item, cell, out, style)
                if cell is not None:
                    shown.add(id(cell))
                separator = "" if frame.fresh else style.separator
                break
            else:
                text = _leaf(run, item, leaf)
                if cell is not None and style.tells_shared:
                    text += " (shared)"
            out.append(text)
            if meter.full(len(text) + 2):
                return "".join(out)[:LONGEST] + "…"
        else:
            out.append(frame.closing)
            if frame.cell is not None:
                shown.discard(id(frame.cell))
            if meter.full(2):
                return "".join(out)[:LONGEST] + "…"
            if not frames:
                return "".join(out)
            frame = frames.pop()
            separator = style.separator


def _leaf(run: Run | None, value: Any, leaf: _Leaf) -> str:
    """Return the text of what is neither array nor map, paid for in a run, and written in pieces if it is long."""
    kind = type(value)
    if run is None or (kind is not str and kind is not bytearray):
        return leaf(value)
    if kind is str and len(value) > PIECE:
        return '"' + "".join([string_debug(piece)[1:-1] for piece in pieces(run, value)]) + '"'
    if len(value) >= _CHARACTERS:
        run.pay(len(value) // _CHARACTERS)
    return leaf(value)


class _Frame:
    """A container that is being written."""

    __slots__ = ("cell", "closing", "fresh", "is_map", "items")

    def __init__(self, items: Iterator[Any], closing: str, cell: Shared | None, *, is_map: bool, fresh: bool) -> None:
        self.items = items
        self.closing = closing
        self.cell = cell
        """The captured variable whose value it is."""
        self.is_map = is_map
        self.fresh = fresh
        """Whether nothing of it was written but what opens it."""


def _opened(meter: _Meter, container: Any, cell: Shared | None, out: list[str], style: Style) -> _Frame:
    told = " (shared)" if cell is not None and style.tells_shared else ""
    meter.count(_OPENED)
    if type(container) is dict:
        out.append(style.map_opening)
        return _Frame(meter.in_order(container), "}" + told, cell, is_map=True, fresh=True)
    if type(container) is list:
        out.append("[")
        return _Frame(iter(container), "]" + told, cell, is_map=False, fresh=True)
    name = string_debug(container.name)
    if style is JSON:
        out.append(f"[{name}" if container.curry else name)
        return _Frame(iter(container.curry), "]" if container.curry else "", cell, is_map=False, fresh=False)
    form = "Fn*" if container.function is not None else "Fn"
    out.append(f"{form}+({name}" if container.has_environment else f"{form}({name}")
    return _Frame(iter(container.curry), ")" + told, cell, is_map=False, fresh=False)


def _key(entry: tuple[str, Any]) -> str:
    return entry[0]


class _Meter:
    """What a rendering has made so far: it pays for it, and says when it is enough."""

    __slots__ = ("elements", "limit", "run", "size")

    def __init__(self, run: Run | None) -> None:
        self.run = run
        self.limit = LONGEST if run is None else run.limits.max_string_size or _CEILING
        self.size = 0
        self.elements = 0

    def in_order(self, members: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        """Return the members of a map by their names; not all of them where the text will be cut anyway."""
        if self.run is not None:
            return ((name, members[name]) for name in ordered(self.run, members))
        return iter(sorted(islice(members.items(), _MOST_CUT), key=_key))

    def count(self, elements: int) -> None:
        """Pay for elements."""
        self.elements += elements
        if self.run is not None and self.elements >= _PAGE:
            self.run.pay(self.elements // _PAGE)
            self.elements = 0

    def full(self, characters: int) -> bool:
        """Count one more element.

        Return true when the engine's own text is to be cut; raise ErrorDataTooLarge in a run.
        """
        self.size += characters
        self.count(1)
        if self.size - 2 <= self.limit:
            return False
        if self.run is not None:
            raise too_large("Length of string")
        return True
