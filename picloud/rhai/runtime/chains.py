"""Chains of indexes, properties and methods that begin at a variable: ``a.b[2].c = x``, ``a[0].push(x)``.

A chain walks down from the variable's value to the element that is changed or whose method is called. On the way each
container is made its holder's own (:mod:`picloud.rhai.runtime.ownership`), so that the change is seen through this
variable and no other. Elements that are not containers of the language (a getter's value, what an indexer of the host
gives, a character of a string) are changed as values and written back through the setter, as in Rust.

A step is a tuple: kind, name (None for an index), whether ``()`` ends the chain there, its own place, the place of
its dot or bracket, the place of a method's first argument. Indexes and arguments were evaluated before and come as a
list, one entry a step: the index, the tuple of arguments, or None for a property.
"""

from __future__ import annotations

from sys import getrefcount
from typing import Any, Final

from picloud.rhai.errors import Position, RhaiError, too_large
from picloud.rhai.packages.budget import PAGE
from picloud.rhai.packages.operators import assign
from picloud.rhai.printing import LONGEST
from picloud.rhai.registry import INDEX_GET, INDEX_SET, Native, getter, not_found, setter
from picloud.rhai.runtime.calls import call_method
from picloud.rhai.runtime.indexing import Absent, get_item, set_item
from picloud.rhai.runtime.ownership import MUTABLE, copied, own_item
from picloud.rhai.runtime.places import Catchable, returned
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import Shared, class_name

_SHOWN: Final = LONGEST // PAGE
INDEX: Final = 0
PROPERTY: Final = 1
METHOD: Final = 2

Step = tuple[int, str | None, bool, Position, Position, Position]


def _placed(error: BaseException, position: Position) -> RhaiError:
    return returned(error, position)


def _run_native(run: Run, native: Native, arguments: tuple[Any, ...]) -> Any:
    return native.function(run, *arguments) if native.run else native.function(*arguments)


# ------------------------------------------------------------------------------------------------ reading one step


def read_property(run: Run, level: int, value: Any, name: str, dot: Position) -> Any:
    """Return ``value.name``."""
    if type(value) is dict:
        return value.get(name)
    native = run.find(getter(name), (type(value),))
    if native is None:
        return _property_by_index(run, level, value, name, dot)
    run.depth = level + 1
    result = _run_native(run, native, (value,))
    return result[1] if native.replaces else result


def _property_by_index(run: Run, level: int, value: Any, name: str, dot: Position) -> Any:
    """A property that no getter gives may still be an index."""
    native = run.find(INDEX_GET, (type(value), str))
    if native is None:
        raise not_found(getter(name), (type(value),))
    run.depth = level + 1
    try:
        return _run_native(run, native, (value, name))
    except Catchable as error:
        raise _placed(error, dot) from None


def read_index(run: Run, level: int, value: Any, index: Any, place: Position, bracket: Position) -> Any:
    """Return ``value[index]``; ``place`` is the index's."""
    if type(value) is str and len(value) >= PAGE:
        run.pay(len(value) // PAGE if type(index) is not int else 1)
    try:
        return get_item(value, index, place)
    except Absent:
        pass
    native = run.find(INDEX_GET, (type(value), type(index)))
    if native is None:
        raise not_found(INDEX_GET, (type(value), type(index)), bracket)
    run.depth = level + 1
    try:
        return _run_native(run, native, (value, index))
    except Catchable as error:
        raise _placed(error, bracket) from None


# ------------------------------------------------------------------------------------------------ writing one step


def write_property(run: Run, level: int, value: Any, name: str, item: Any, step: Step) -> Any:
    """Do ``value.name = item``. Returns the value, which is a new one where it can't be changed in place."""
    if type(value) is dict:
        _check_room(run, value, name)
        value[name] = item
        return value
    native = run.find(setter(name), (type(value), type(item)))
    run.depth = level + 1
    try:
        if native is not None:
            return _changed(_run_native(run, native, (value, item)), native, value)
        if run.find(INDEX_SET, (type(value), str, type(item))) is not None:
            return write_index(run, level, value, name, item, (INDEX, None, False, step[4], step[4], step[4]))
    except Catchable as error:
        raise _placed(error, step[3]) from None
    raise not_found(setter(name), (type(value), type(item)), step[3])


def _changed(result: Any, native: Native, value: Any) -> Any:
    return result[0] if native.replaces else value


def write_index(
    run: Run, level: int, value: Any, index: Any, item: Any, step: Step, operator: Position = (0, 0)
) -> Any:
    """Do ``value[index] = item``. Returns the value, which is a new one where it can't be changed in place."""
    if type(value) is str:
        # A new text is made, perhaps with what a big value looks like in it.
        run.pay(1 + len(value) // PAGE + (_SHOWN if type(item) in MUTABLE else 0))
    try:
        return set_item(value, index, item, step[3], operator)
    except Absent:
        pass
    types = (type(value), type(index), type(item))
    native = run.find(INDEX_SET, types)
    if native is None:
        raise not_found(INDEX_SET, types, step[4])
    run.depth = level + 1
    try:
        return _changed(_run_native(run, native, (value, index, item)), native, value)
    except Catchable as error:
        raise _placed(error, step[4]) from None


# ------------------------------------------------------------------------------------------------ assignment


class Assignment:
    """``… = value``, or ``… op= value``, where the operation makes the new value of the old one."""

    __slots__ = ("operation", "operator", "value")

    def __init__(self, value: Any, operator: Position, operation: str) -> None:
        self.value = value
        self.operator = operator
        self.operation = operation


def assign_chain(
    run: Run,
    level: int,
    root: Any,
    steps: tuple[Step, ...],
    keys: tuple[Any, ...],
    value: Any,
    operator: str,
    place: Position,
) -> Any:
    """Assign through a chain that begins at a variable, which keeps its value ``root`` meanwhile. Returns the new
    value.

    ``operator`` is ``=`` or that of an assignment with an operation; ``place`` is its own.
    """
    for _ in run.ticks:
        break
    if type(root) in MUTABLE and getrefcount(root) > _ROOT:
        root = copied(run, root)
    return _assign(run, level, root, steps, keys, 0, Assignment(value, place, operator))


def assign_owned(
    run: Run,
    level: int,
    root: Any,
    steps: tuple[Step, ...],
    keys: tuple[Any, ...],
    value: Any,
    operator: str,
    place: Position,
) -> None:
    """Assign through a chain that begins at an array or map that nobody else may see, whoever holds it."""
    _assign(run, level, root, steps, keys, 0, Assignment(value, place, operator))


def assign_constant(
    run: Run,
    level: int,
    root: Any,
    steps: tuple[Step, ...],
    keys: tuple[Any, ...],
    value: Any,
    operator: str,
    place: Position,
) -> None:
    """Fail to assign through a chain that begins at a constant: with the error of the way down, if it has one."""
    kind, name, _, at, dot, _ = steps[0]
    if type(root) is list or type(root) is dict:
        if kind == INDEX:
            read_index(run, level, root, keys[0], at, dot)
        return
    if type(root) in _SCALARS:
        assign_chain(run, level, root, steps, keys, value, operator, place)
        return
    setting = INDEX_SET if kind == INDEX else setter(str(name))
    raise RhaiError("ErrorNonPureMethodCallOnConstant", setting, position=at)


_SCALARS: Final = frozenset({type(None), bool, int, float, str, bytearray})


def _measure_root(run: Any, level: Any, root: Any, a: Any, b: Any, c: Any, d: Any, e: Any) -> int:
    return getrefcount(root)


def _as_root() -> int:
    variable: list[Any] = []
    return _measure_root(None, None, variable, None, None, None, None, None)


_ROOT: Final = _as_root()


def _assign(
    run: Run, level: int, value: Any, steps: tuple[Step, ...], keys: tuple[Any, ...], at: int, assignment: Assignment
) -> Any:
    """Assign below ``value``, which is the holder's own. Returns its new self."""
    step = steps[at]
    kind, name, optional, place, dot, _ = step
    if optional and value is None:
        return value
    if at == len(steps) - 1:
        return _assign_last(run, level, value, step, keys[at], assignment)
    key = name if kind == PROPERTY else keys[at]
    if kind == METHOD:
        item = _method(run, level, [value], step, keys[at])
        _assign(run, level, item, steps, keys, at + 1, assignment)
        return value
    child = _child(run, level, value, kind, key, step)
    if child is not _BY_VALUE:
        new = _assign(run, level, child, steps, keys, at + 1, assignment)
        if new is not child:
            value[key] = new
        return value
    item = (
        read_property_placed(run, level, value, str(key), step)
        if kind == PROPERTY
        else read_index(run, level, value, key, place, dot)
    )
    if type(item) in MUTABLE:
        item = copied(run, item)
    new = _assign(run, level, item, steps, keys, at + 1, assignment)
    return _put_back(run, level, value, kind, key, new, step)


_BY_VALUE: Final = object()


def _child(run: Run, level: int, value: Any, kind: int, key: Any, step: Step) -> Any:
    """Return an element of an array or map as the container's own; _BY_VALUE where there is no such thing."""
    if kind == PROPERTY:
        if type(value) is dict:
            return own_item(run, value, key) if key in value else None
        return _BY_VALUE
    if type(value) is list:
        read_index(run, level, value, key, step[3], step[4])
        return own_item(run, value, key)
    if type(value) is dict:
        item = read_index(run, level, value, key, step[3], step[4])
        return own_item(run, value, key) if item is not None else None
    return _BY_VALUE


def read_property_placed(run: Run, level: int, value: Any, name: str, step: Step) -> Any:
    """Return ``value.name``; an error has the place of the step."""
    try:
        return read_property(run, level, value, name, step[4])
    except Catchable as error:
        raise _placed(error, step[3]) from None


def _put_back(run: Run, level: int, value: Any, kind: int, key: Any, item: Any, step: Step) -> Any:
    """Write a changed element back through setter or indexer; one that has none is read-only and stays as it is."""
    try:
        if kind == PROPERTY:
            return write_property(run, level, value, key, item, step)
        return write_index(run, level, value, key, item, step, step[3])
    except RhaiError as error:
        if error.kind in ("ErrorIndexingType", "ErrorDotExpr") and error.cause is None:
            return value
        raise


def _assign_last(run: Run, level: int, value: Any, step: Step, key: Any, assignment: Assignment) -> Any:
    kind, name, _, place, dot, _ = step
    if assignment.operation == "=":
        item = assignment.value
        if kind == PROPERTY:
            assert name is not None
            return write_property(run, level, value, name, item, step)
        if type(value) is dict and type(key) is str:
            _check_room(run, value, key)
            value[key] = item
            return value
        return write_index(run, level, value, key, item, step, assignment.operator)
    if kind == PROPERTY:
        assert name is not None
        if type(value) is dict:
            _check_room(run, value, name)
            value[name] = _combined(run, level, _taken(run, value, name), assignment)
            return value
        old = read_property_placed(run, level, value, name, step)
        return write_property(run, level, value, name, _combined(run, level, old, assignment), step)
    if type(value) is dict or type(value) is list:
        read_index(run, level, value, key, place, dot)
        if type(value) is dict:
            _check_room(run, value, key)
        value[key] = _combined(run, level, _taken(run, value, key), assignment)
        return value
    return _combined_by_index(run, level, value, key, step, assignment)


def _check_room(run: Run, members: dict[str, Any], key: str) -> None:
    """Raise ErrorDataTooLarge if a map that is full would get a new member."""
    most = run.limits.max_map_size
    if most and len(members) >= most and key not in members:
        raise too_large("Size of object map")


def _taken(run: Run, container: Any, key: Any) -> Any:
    """Take an element out for a change; () stands in its place meanwhile."""
    if type(container) is dict and key not in container:
        container[key] = None
        return None
    item = container[key]
    if type(item) in MUTABLE:
        item = None
        item = own_item(run, container, key)
    return item


def _combined(run: Run, level: int, old: Any, assignment: Assignment) -> Any:
    run.depth = level + 1
    try:
        return assign(run, assignment.operation, old, assignment.value)
    except Catchable as error:
        raise _placed(error, assignment.operator) from None


def _combined_by_index(run: Run, level: int, value: Any, key: Any, step: Step, assignment: Assignment) -> Any:
    try:
        old = get_item(value, key, step[3])
    except Absent:
        native = run.find(INDEX_GET, (type(value), type(key)))
        if native is None:
            return write_index(run, level, value, key, assignment.value, step, assignment.operator)
        old = read_index(run, level, value, key, step[3], step[4])
    return write_index(run, level, value, key, _combined(run, level, old, assignment), step, assignment.operator)


# ------------------------------------------------------------------------------------------------ methods


def call_chain(
    run: Run, level: int, root: Any, steps: tuple[Step, ...], keys: tuple[Any, ...], a: Any = None, b: Any = None
) -> tuple[Any, Any]:
    """Evaluate a chain with a method that may change what it is called on, which is not the root itself.

    The chain begins at a variable, which keeps its value ``root`` meanwhile. Returns result and new value.
    """
    if type(root) in MUTABLE and getrefcount(root) > _ROOT:
        root = copied(run, root)
    this = [root]
    root = None
    return _walk(run, level, this, steps, keys, 0)


def call_owned_chain(run: Run, level: int, root: Any, steps: tuple[Step, ...], keys: tuple[Any, ...]) -> Any:
    """Evaluate a chain like :func:`call_chain` that begins at an array or map that nobody else may see, whoever holds
    it. Returns the result."""
    return _walk(run, level, [root], steps, keys, 0)[0]


def _walk(
    run: Run, level: int, this: list[Any], steps: tuple[Step, ...], keys: tuple[Any, ...], at: int
) -> tuple[Any, Any]:
    """Go on with step ``at`` from the value in ``this``. Returns the chain's result and the value's new self."""
    step = steps[at]
    kind, name, optional, place, dot, _ = step
    value = this[0]
    if optional and value is None:
        return None, None
    last = at == len(steps) - 1
    if kind == METHOD:
        value = None
        result = _method(run, level, this, step, keys[at])
        if not last:
            result, _ = _walk(run, level, [result], steps, keys, at + 1)
        return result, this[0]
    key = name if kind == PROPERTY else keys[at]
    if last:
        if kind == PROPERTY:
            return read_property_placed(run, level, value, str(key), step), value
        return read_index(run, level, value, key, place, dot), value
    child = _child(run, level, value, kind, key, step)
    if child is not _BY_VALUE:
        box = [child]
        child = None
        return _walk_into(run, level, value, key, box, steps, keys, at)
    item = (
        read_property_placed(run, level, value, str(key), step)
        if kind == PROPERTY
        else read_index(run, level, value, key, place, dot)
    )
    box = [item]
    result, new = _walk(run, level, box, steps, keys, at + 1)
    if new is not item and _changes(steps, at + 1):
        value = _put_back(run, level, value, kind, key, new, step)
    return result, value


def _changes(steps: tuple[Step, ...], at: int) -> bool:
    return any(step[0] == METHOD for step in steps[at:])


def _walk_into(
    run: Run,
    level: int,
    value: Any,
    key: Any,
    box: list[Any],
    steps: tuple[Step, ...],
    keys: tuple[Any, ...],
    at: int,
) -> tuple[Any, Any]:
    """Go on from an element in ``box``, which leaves its container meanwhile, so that nobody else holds it."""
    absent = type(value) is dict and key not in value
    if not absent:
        value[key] = None
    try:
        result, box[0] = _walk(run, level, box, steps, keys, at + 1)
    finally:
        if not absent or box[0] is not None:
            value[key] = box[0]
    return result, value


def _method(run: Run, level: int, this: list[Any], step: Step, arguments: tuple[Any, ...]) -> Any:
    name = step[1]
    assert name is not None
    try:
        return call_method(run, level, name, this, arguments, step[5])
    except Catchable as error:
        raise _placed(error, step[3]) from None


def unshared(value: Any) -> Any:
    """Return the value of a variable that may be a cell."""
    return value.value if type(value) is Shared else value


def describe(value: Any) -> str:
    """Return the name of a value's type."""
    return class_name(type(value))
