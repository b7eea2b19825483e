"""What natives of the standard packages do to arrays and maps, and what they give.

The result of a native is what its Python function is annotated with. What it does to an array or map that it is
called on stands here, for the few that scripts use all the time; all others may do anything. A host that registers a
function under one of these names takes it out of this account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from picloud.rhai.codegen.shapes import UNKNOWN, Known, find
from picloud.rhai.codegen.types import ANY, ARRAY, BLOB, BOOL, CHAR, FLOAT, FN, INT, MAP, STRING, UNIT
from picloud.rhai.registry import ANY as ANY_TYPE

_NAMED: Final = {
    "()": UNIT,
    "bool": BOOL,
    "i64": INT,
    "f64": FLOAT,
    "string": STRING,
    "char": CHAR,
    "array": ARRAY,
    "map": MAP,
    "blob": BLOB,
    "Fn": FN,
}
_ANNOTATED: Final = {
    "None": UNIT,
    "bool": BOOL,
    "int": INT,
    "float": FLOAT,
    "str": STRING,
    "Char": CHAR,
    "_Array": ARRAY,
    "list[str]": ARRAY,
}
_MOST_FOUND: Final = 4096


def _annotation(native: Any) -> str:
    return str(getattr(native.function, "__annotations__", {}).get("return", ""))


def _fitting(options: Any, name: str, types: list[int]) -> Iterable[Any] | None:
    """Return the natives that may answer a call with arguments of these types; None if one of them isn't ours."""
    found = []
    for native in options.natives(name, len(types)):
        if not native.is_standard:
            return None
        if all(
            wanted == ANY_TYPE or given & _NAMED.get(wanted, ANY)
            for wanted, given in zip(native.parameters, types, strict=True)
        ):
            found.append(native)
    return found


def results(options: Any, name: str, types: list[int]) -> int:
    """Return the types of what a native gives for arguments of these types."""
    key = ("results", name, *types)
    result = options.found.get(key)
    if result is None:
        result = _keep(options, key, _results(options, name, types))
    return int(result)


def _keep(options: Any, key: tuple[Any, ...], value: Any) -> Any:
    if len(options.found) >= _MOST_FOUND:
        options.found.clear()  # scripts make up names
    options.found[key] = value
    return value


def _results(options: Any, name: str, types: list[int]) -> int:
    natives = _fitting(options, name, types)
    if not natives:
        return ANY
    result = 0
    for native in natives:
        if native.replaces:
            return ANY
        result |= _ANNOTATED.get(_annotation(native), ANY)
    return result


def of_native(inference: Any, node: Any, name: str, base: Known, arguments: list[Known]) -> Known | None:
    """Join what a native puts into what it is called on. Returns what it gives; None if that is not known."""
    types, shape = base
    model = _MODELS.get(types, {}).get(name)
    if (
        model is None
        or (shape is None and types != STRING)
        or not is_standard(inference.options, name, len(arguments) + 1)
    ):
        return None
    known: Known | None = model(inference, node, shape, arguments)
    return known


def is_standard(options: Any, name: str, count: int) -> bool:
    """Whether all natives of a name and number of arguments are those of the standard packages."""
    key = ("standard", name, count)
    known = options.found.get(key)
    if known is None:
        natives = options.natives(name, count)
        known = _keep(options, key, all(native.is_standard for native in natives))
    return bool(known)


_Model = Callable[[Any, Any, Any, list[Known]], "Known | None"]
_GIVES_UNIT: Final[Known] = (UNIT, None)


def _takes_last(inference: Any, node: Any, shape: Any, arguments: list[Known]) -> Known | None:
    """The last argument becomes an element."""
    if not arguments:
        return None
    inference.join(find(shape).rest, arguments[-1])
    return _GIVES_UNIT


def _takes_all(inference: Any, node: Any, shape: Any, arguments: list[Known]) -> Known | None:
    """The elements of the last argument become elements."""
    if not arguments or arguments[-1][0] not in (ARRAY, MAP) or arguments[-1][1] is None:
        return None
    inference.shapes.merge(shape, arguments[-1][1])
    return _GIVES_UNIT


def _keeps(inference: Any, node: Any, shape: Any, arguments: list[Known]) -> Known | None:
    """Elements change their places, or go."""
    return None if _has_function(arguments) else _GIVES_UNIT


def _gives_element(inference: Any, node: Any, shape: Any, arguments: list[Known]) -> Known | None:
    """It gives an element, or ()."""
    if _has_function(arguments):
        return None
    rest = find(shape).rest
    return rest.types | UNIT, rest.shape


def _gives_part(inference: Any, node: Any, shape: Any, arguments: list[Known]) -> Known | None:
    """It gives an array of the elements."""
    return None if _has_function(arguments) else (ARRAY, find(shape))


def _has_function(arguments: list[Known]) -> bool:
    """A function, or the name of one, may be among the arguments."""
    return any(types & (FN | STRING) for types, _ in arguments)


def _loses(inference: Any, node: Any, shape: Any, arguments: list[Known]) -> Known | None:
    """Members may go."""
    if _has_function(arguments) and arguments[0][0] != STRING:
        return None
    shape = find(shape)
    if shape.sure:
        shape.sure = frozenset()
        inference.shapes.changes += 1
    slot = inference.shapes.any_member(shape)
    return slot.types | UNIT, slot.shape


def _gives_member(inference: Any, node: Any, shape: Any, arguments: list[Known]) -> Known | None:
    """It gives a member, or ()."""
    slot = inference.shapes.any_member(shape)
    return slot.types | UNIT, slot.shape


def _gives_keys(inference: Any, node: Any, shape: Any, arguments: list[Known]) -> Known | None:
    """It gives the names of all members."""
    made = inference.shape_of(node)
    inference.join(made.rest, (STRING, None))
    return ARRAY, made


def _gives_members(inference: Any, node: Any, shape: Any, arguments: list[Known]) -> Known | None:
    """It gives all members."""
    slot = inference.shapes.any_member(shape)
    made = inference.shape_of(node)
    inference.join(made.rest, (slot.types, slot.shape))
    return ARRAY, made


def _callback(inference: Any, arguments: list[Known], given: list[Known]) -> Known | None:
    """Join what a native passes to a closure, which takes all of it or all but the index at the end.

    Returns what the closure gives; None if it isn't known, or isn't a closure that takes the element as a parameter.
    """
    plans = inference.pointed(arguments[0]) if arguments else None
    if not plans:
        return None
    result: Known = (0, None)
    for plan in plans:
        count = len(plan.parameters)
        if count not in (len(given), len(given) - 1) or plan.uses_this:
            return None
    for plan in plans:
        plan.passed = True
        result = inference.shapes.either(result, inference.passed(plan, given[: len(plan.parameters)]))
    return result


def _element(shape: Any) -> Known:
    rest = find(shape).rest
    return rest.types, rest.shape


def _maps(inference: Any, node: Any, shape: Any, arguments: list[Known]) -> Known | None:
    """``map``: an array of what a function gives."""
    result = _callback(inference, arguments, [_element(shape), (INT, None)])
    if result is None or len(arguments) != 1:
        return None
    made = inference.shape_of(node)
    inference.join(made.rest, result)
    return ARRAY, made


def _filters(inference: Any, node: Any, shape: Any, arguments: list[Known]) -> Known | None:
    """``filter``: some of the elements."""
    if len(arguments) != 1 or _callback(inference, arguments, [_element(shape), (INT, None)]) is None:
        return None
    return ARRAY, find(shape)


def _tests(inference: Any, node: Any, shape: Any, arguments: list[Known]) -> Known | None:
    """``all`` and ``some``."""
    if len(arguments) != 1 or _callback(inference, arguments, [_element(shape), (INT, None)]) is None:
        return None
    return BOOL, None


def _sorts(inference: Any, node: Any, shape: Any, arguments: list[Known]) -> Known | None:
    """``sort``: in place, perhaps by a function of two elements."""
    if not arguments:
        return _GIVES_UNIT
    element = _element(shape)
    plans = inference.pointed(arguments[0])
    if len(arguments) != 1 or not plans or any(len(plan.parameters) != 2 or plan.uses_this for plan in plans):
        return None
    return None if _callback(inference, arguments, [element, element]) is None else _GIVES_UNIT


def _folds(inference: Any, node: Any, shape: Any, arguments: list[Known]) -> Known | None:
    """``reduce``: a function of what was made so far and an element."""
    if not 1 <= len(arguments) <= 2:
        return None
    slot = inference.slot_of(node)
    if len(arguments) == 1:
        inference.join(slot, (UNIT, None))
    elif arguments[1][0] & FN:
        return None
    else:
        inference.join(slot, arguments[1])
    given = [(slot.types, slot.shape), _element(shape), (INT, None)]
    result = _callback(inference, arguments, given)
    if result is None:
        return None
    inference.join(slot, result)
    return slot.types, slot.shape


def _gives_texts(inference: Any, node: Any, shape: Any, arguments: list[Known]) -> Known | None:
    """``split`` of a text."""
    made = inference.shape_of(node)
    inference.join(made.rest, (STRING, None))
    return ARRAY, made


_ON_ARRAYS: Final[dict[str, _Model]] = {
    "push": _takes_last,
    "insert": _takes_last,
    "pad": _takes_last,
    "set": _takes_last,
    "append": _takes_all,
    "reverse": _keeps,
    "clear": _keeps,
    "truncate": _keeps,
    "chop": _keeps,
    "sort_desc": _keeps,
    "sort": _sorts,
    "pop": _gives_element,
    "shift": _gives_element,
    "remove": _gives_element,
    "get": _gives_element,
    "extract": _gives_part,
    "split": _gives_part,
    "drain": _gives_part,
    "retain": _gives_part,
    "map": _maps,
    "filter": _filters,
    "all": _tests,
    "some": _tests,
    "reduce": _folds,
}
_ON_MAPS: Final[dict[str, _Model]] = {
    "clear": _loses,
    "remove": _loses,
    "get": _gives_member,
    "keys": _gives_keys,
    "values": _gives_members,
}
_ON_STRINGS: Final[dict[str, _Model]] = {"split": _gives_texts, "split_rev": _gives_texts}
_MODELS: Final = {ARRAY: _ON_ARRAYS, MAP: _ON_MAPS, STRING: _ON_STRINGS}

__all__ = ["UNKNOWN", "of_native", "results"]
