"""Functions on object maps. Whatever goes through a map does so in the order of its keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from picloud.rhai.packages.budget import charge, check_array, check_map, ordered, paid
from picloud.rhai.packages.callbacks import Callback
from picloud.rhai.packages.declare import ANY, Package
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import FnPtr

PACKAGE: Final = Package("map")

_Map = dict[str, Any]


@PACKAGE.reader("len", "map")
def length(entries: _Map) -> int:
    """Return the number of entries."""
    return len(entries)


@PACKAGE.reader("is_empty", "map")
def is_empty(entries: _Map) -> bool:
    """Is there no entry?"""
    return not entries


@PACKAGE.reader("contains", "map", "string")
def contains(entries: _Map, key: str) -> bool:
    """Is there an entry of that name?"""
    return key in entries


@PACKAGE.reader("get", "map", "string")
def get(entries: _Map, key: str) -> Any:
    """Return the value of an entry, `()` when there is none."""
    return entries.get(key)


@PACKAGE.method("set", "map", "string", ANY, run=True)
def set_entry(run: Run, entries: _Map, key: str, value: Any) -> None:
    """Set the value of an entry."""
    check_map(run, len(entries) + 1, 1)
    entries[key] = value


@PACKAGE.method("clear", "map", run=True)
def clear(run: Run, entries: _Map) -> None:
    """Make it empty."""
    charge(run, 4 * len(entries))
    entries.clear()


@PACKAGE.method("remove", "map", "string")
def remove(entries: _Map, key: str) -> Any:
    """Take an entry out and return its value, `()` when there is none."""
    return entries.pop(key, None)


@PACKAGE.method("mixin +=", "map", "map", run=True)
def mixin(run: Run, entries: _Map, others: _Map) -> None:
    """Take in the entries of another map, in place of those of the same names."""
    check_map(run, max(len(entries), len(others)), 0)
    for key, value in paid(run, others.items()):
        entries[key] = value


@PACKAGE.method("fill_with", "map", "map", run=True)
def fill_with(run: Run, entries: _Map, others: _Map) -> None:
    """Take in those entries of another map whose names are new."""
    check_map(run, max(len(entries), len(others)), 0)
    for key, value in paid(run, others.items()):
        entries.setdefault(key, value)


@PACKAGE.reader("keys", "map", run=True)
def keys(run: Run, entries: _Map) -> list[str]:
    """Return the names of all entries."""
    check_array(run, len(entries))
    return ordered(run, entries)


@PACKAGE.reader("values", "map", run=True)
def values(run: Run, entries: _Map) -> list[Any]:
    """Return the values of all entries."""
    check_array(run, len(entries))
    return [entries[key] for key in paid(run, ordered(run, entries))]


def _answers(run: Run, entries: _Map, pointer: FnPtr, caller: str) -> Iterator[tuple[str, Any, Any]]:
    """Go through the entries: name, a function's answer, and the value after the call, which may have changed it."""
    callback = Callback(run, pointer, caller, place=1)
    for key in ordered(run, entries):
        value = entries[key]
        answer = callback(value, (key,), ())
        yield key, answer, callback.this[0] if callback.this else value


@PACKAGE.reader("map", "map", "Fn", run=True)
def mapped(run: Run, entries: _Map, pointer: FnPtr) -> _Map:
    """Return a map of what a function makes of each name and value. (Errors call it `filter`, as the engine does.)"""
    return {key: answer for key, answer, _ in _answers(run, entries, pointer, "filter")}


@PACKAGE.reader("filter", "map", "Fn", run=True)
def filtered(run: Run, entries: _Map, pointer: FnPtr) -> _Map:
    """Return the entries for which a function says true."""
    return {key: entries[key] for key, answer, _ in _answers(run, entries, pointer, "filter") if answer is True}


@PACKAGE.method("drain", "map", "Fn", run=True)
def drain(run: Run, entries: _Map, pointer: FnPtr) -> _Map:
    """Take the entries out for which a function says true, and return them."""
    return _partition(run, entries, pointer, "drain", keep=False)


@PACKAGE.method("retain", "map", "Fn", run=True)
def retain(run: Run, entries: _Map, pointer: FnPtr) -> _Map:
    """Keep the entries for which a function says true; take the others out and return them."""
    return _partition(run, entries, pointer, "retain", keep=True)


def _partition(run: Run, entries: _Map, pointer: FnPtr, caller: str, *, keep: bool) -> _Map:
    taken: _Map = {}
    try:
        for key, answer, value in _answers(run, entries, pointer, caller):
            if (answer is True) is keep:
                entries[key] = value
            else:
                taken[key] = value
    finally:
        for key in taken:
            del entries[key]
    return taken
