"""What a variable held at a moment, as texts, to tell later what of it has changed.

A snapshot holds none of the values themselves, for who holds an array makes the next change copy it. Of large values it
holds the first :data:`MOST_PARTS` parts and how many there are in all: a change beyond those is told if it changes the
number.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from picloud.rhai.printing import debug
from picloud.rhai.steps import Change
from picloud.rhai.values import FnPtr, Shared

MOST_PARTS: Final = 200
DEEPEST: Final = 16
LONGEST: Final = 80
"""Characters of a value's text."""
_MOST_CHANGES: Final = 4
"""If more parts of a value than these have changed, the whole is told."""


class Leaf(NamedTuple):
    """A value without parts. ``mark`` tells texts apart that are shortened to the same."""

    text: str
    mark: int = 0


class Parts(NamedTuple):
    """An array (its parts by index) or a map (by name). ``size`` is how many there are in all."""

    is_map: bool
    size: int
    parts: dict[Any, Any]


Snapshot = Leaf | Parts


def snapshot(value: Any) -> Snapshot:
    """What ``value`` is now; of a cell, what is in it."""
    if type(value) is Shared:
        if value.is_lent:
            return Leaf("(lent to a method)")
        value = value.value
    return _of(value, [MOST_PARTS], DEEPEST)


def _of(value: Any, left: list[int], depth: int) -> Snapshot:
    kind = type(value)
    if kind is int:
        return Leaf(int.__repr__(value))
    if kind is str:
        return Leaf(_text_of(value), hash(value) if len(value) > LONGEST else 0)
    if kind is bytearray:
        return Leaf(_blob(value), crc32(value[: 1 << 16]))
    if kind is FnPtr:
        return Leaf("a closure" if value.name.startswith("anon$") else f"Fn({value.name})")
    if kind is not list and kind is not dict:
        return Leaf(_shortened(debug(value)))
    if depth == 0:
        return Leaf("…")
    items = value.items() if kind is dict else enumerate(value)
    parts = {}
    for key, item in islice(items, left[0]):
        if left[0] <= 0:
            break
        left[0] -= 1
        parts[key] = _of(item, left, depth - 1)
    return Parts(kind is dict, len(value), parts)


def _text_of(value: str) -> str:
    quoted = debug(value[:LONGEST])
    return quoted if len(value) <= LONGEST else f'{quoted[:-1]}…" ({len(value)} characters)'


def _blob(value: bytearray) -> str:
    shown = debug(value[:16])
    return shown if len(value) <= 16 else f"{shown[:-1]} …] ({len(value)} bytes)"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def text_of(what: Snapshot) -> str:
    """A snapshot as a text of about :data:`LONGEST` characters."""
    return "".join(_written(what, [LONGEST]))


def _written(what: Snapshot, room: list[int]) -> Iterator[str]:
    if isinstance(what, Leaf):
        room[0] -= len(what.text)
        yield what.text
        return
    yield "#{" if what.is_map else "["
    shown = 0
    for key, part in sorted(what.parts.items()) if what.is_map else what.parts.items():
        if room[0] <= 0:
            break
        if shown:
            yield ", "
        shown += 1
        if what.is_map:
            room[0] -= len(key) + 2
            yield f"{key}: "
        room[0] -= 2
        yield from _written(part, room)
    if shown < what.size:
        yield f"{', ' if shown else ''}… {what.size - shown} more"
    yield "}" if what.is_map else "]"


def changes(name: str, old: Snapshot | None, new: Snapshot) -> list[Change]:
    """What has changed in a variable, told by its parts if these are few; nothing if it is the same."""
    if old is None:
        return [Change(name, None, text_of(new))]
    if old == new:
        return []
    found = list(islice(_differences(name, old, new), _MOST_CHANGES + 1))
    if not found or len(found) > _MOST_CHANGES:
        return [Change(name, text_of(old), text_of(new))]
    return found


def _differences(name: str, old: Snapshot, new: Snapshot) -> Iterator[Change]:
    if isinstance(old, Leaf) or isinstance(new, Leaf) or old.is_map != new.is_map:
        yield Change(name, text_of(old), text_of(new))
        return
    for key in dict.fromkeys([*old.parts, *new.parts]):
        before, after = old.parts.get(key), new.parts.get(key)
        if before == after:
            continue
        path = f"{name}.{key}" if new.is_map else f"{name}[{key}]"
        if before is not None and after is not None:
            yield from _differences(path, before, after)
        else:
            yield Change(path, text_of(before) if before else None, text_of(after) if after else None)
