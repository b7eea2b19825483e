"""Calls that generated code can't make by itself: by name at run time, through function pointers, as methods.

A name means, in this order: what the language itself answers (``type_of``, ``is_def_fn`` …), a function of the script
with that number of parameters (for methods first one of the value's type), a native with these types of arguments.

``level`` is the level of the caller; the called function runs one level deeper.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import getrefcount
from typing import Any, Final

from picloud.rhai.errors import FILL, Position, RhaiError, mismatch
from picloud.rhai.registry import Native, not_found, signature
from picloud.rhai.runtime.functions import UNBOUND, ConstantThis, ScriptFunction
from picloud.rhai.runtime.ownership import MUTABLE, copied
from picloud.rhai.runtime.places import Catchable, here, returned
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import FnPtr, Shared, class_name, type_name

_NEVER_BY_NAME: Final = frozenset({"is_def_var", "Fn", "eval", "call", "curry"})


def overflow() -> None:
    """Raise the error of calls nested too deeply."""
    raise RhaiError("ErrorStackOverflow")


def call_function(run: Run, level: int, name: str, *arguments: Any) -> Any:
    """Call what ``name`` means with arguments by value."""
    answer = _syntactic(run, name, arguments)
    if answer is not _NOT_SYNTACTIC:
        return answer
    function = run.script_function((name, len(arguments), None))
    if function is not None:
        return enter(run, function, level + 1, None, arguments)
    return call_native(run, level, name, *arguments)


def enter(run: Run, function: ScriptFunction, level: int, this: list[Any] | None, arguments: tuple[Any, ...]) -> Any:
    """Call a script function at a level."""
    if function.uses_this:
        code = function.frozen if type(this) is ConstantThis else function.code
        return code(level, UNBOUND if this is None else this, *arguments)
    return function.code(level, *arguments)


def call_native(run: Run, level: int, name: str, *arguments: Any) -> Any:
    """Call the native that ``name`` means with arguments by value."""
    types = tuple(map(type, arguments))
    native = run.find(name, types)
    if native is None:
        raise not_found(name, types)
    for _ in run.ticks:
        break
    run.depth = level + 1
    if native.changes and type(arguments[0]) in MUTABLE:
        first = copied(run, arguments[0])
        result = native.function(run, first, *arguments[1:]) if native.run else native.function(first, *arguments[1:])
    else:
        result = native.function(run, *arguments) if native.run else native.function(*arguments)
    if native.replaces:
        result = result[1]
    if name in _SINKS:
        return _tell(run, name, result)
    return result


def call_with_function(run: Run, level: int, native: Callable[..., Any], *arguments: Any) -> Any:
    """Call a native that may call back a function that is among its arguments."""
    run.depth = level + 1
    return native(run, *arguments)


def call_native_on(run: Run, level: int, name: str, first: Any, *arguments: Any) -> tuple[Any, Any]:
    """Call a native whose first argument is a variable that it may change. Returns result and new value of the
    variable."""
    types = (type(first), *map(type, arguments))
    native = run.find(name, types)
    if native is None:
        raise not_found(name, types)
    for _ in run.ticks:
        break
    run.depth = level + 1
    if native.changes:
        if type(first) in MUTABLE and getrefcount(first) > _VARIABLE:
            first = copied(run, first)
        result = native.function(run, first, *arguments) if native.run else native.function(first, *arguments)
        if native.replaces:
            return result[1], result[0]
        return result, first
    result = native.function(run, first, *arguments) if native.run else native.function(first, *arguments)
    if name in _SINKS:
        result = _tell(run, name, result)
    return result, first


_SINKS: Final = frozenset({"print", "debug"})


def _tell(run: Run, name: str, text: Any) -> Any:
    if type(text) is not str:
        raise RhaiError("ErrorMismatchOutputType", "string", type_name(text))
    if name == "print":
        run.host.on_print(text)
    else:
        run.host.on_debug(text, *_caller_place())


def _caller_place() -> Position:
    from sys import _getframe

    return here(_getframe(1))


_NOT_SYNTACTIC: Final = object()


def _syntactic(run: Run, name: str, arguments: tuple[Any, ...]) -> Any:
    """What the language itself answers to a call by name."""
    if name == "type_of" and len(arguments) == 1:
        return type_name(arguments[0])
    if name == "is_shared" and len(arguments) == 1:
        return False
    if name == "is_def_fn" and len(arguments) in (2, 3):
        return is_def_fn(run, *arguments)
    if name in _SYNTACTIC:
        raise not_found(name, tuple(map(type, arguments)))
    return _NOT_SYNTACTIC


_SYNTACTIC: Final = _NEVER_BY_NAME | {"type_of", "is_shared", "is_def_fn"}


def is_def_fn(run: Run, *arguments: Any) -> bool:
    """Whether a script function of that name, number of parameters and type of ``this`` is defined."""
    *names, count = arguments
    for name in names:
        if type(name) is not str:
            raise mismatch("string", type_name(name))
    if type(count) is not int:
        raise mismatch("i64", type_name(count))
    this_type, name = names if len(names) == 2 else (None, names[0])
    return run.script_function((name, count, this_type)) is not None


# ------------------------------------------------------------------------------------------------ function pointers


def call_pointer(
    run: Run, level: int, pointer: FnPtr, arguments: tuple[Any, ...], this: list[Any] | None = None
) -> Any:
    """Call a function pointer from generated code."""
    function = pointer.function
    curry = pointer.curry
    if function is not None and function.arity == len(curry) + len(arguments):
        if function.uses_this:
            return function.code(level + 1, UNBOUND if this is None else this, *curry, *arguments)
        return function.code(level + 1, *curry, *arguments)
    given = curry + arguments
    given = tuple([value.value if type(value) is Shared else value for value in given])
    name = pointer.name
    if this is None:
        return call_function(run, level, name, *given)
    result, this[0] = _call_as_method(run, level, name, this, given)
    return result


def call_back(run: Run, pointer: FnPtr, arguments: tuple[Any, ...], this: list[Any] | None) -> Any:
    """Call a function pointer from a native. What it raises has its place."""
    level = run.depth
    try:
        function = pointer.function
        given = pointer.curry + arguments
        if function is not None and function.arity == len(given):
            if function.uses_this:
                return function.code(level + 1, UNBOUND if this is None else this, *given)
            return function.code(level + 1, *given)
        return _call_back_by_name(run, level, pointer, arguments, this)
    except Catchable as error:
        raise returned(error) from None
    finally:
        run.depth = level


def _call_back_by_name(run: Run, level: int, pointer: FnPtr, arguments: tuple[Any, ...], this: list[Any] | None) -> Any:
    curry = tuple([value.value if type(value) is Shared else value for value in pointer.curry])
    name = pointer.name
    if this is None:
        return call_function(run, level, name, *curry, *arguments)
    if curry and run.script_function((name, len(curry) + len(arguments), None)) is None:
        # A native gets `this` after what was curried.
        return call_native(run, level, name, *curry, this[0], *arguments)
    result, this[0] = _call_as_method(run, level, name, this, curry + arguments)
    return result


# ------------------------------------------------------------------------------------------------ methods


def call_method(
    run: Run, level: int, name: str, this: list[Any], arguments: tuple[Any, ...], first: Position = FILL
) -> Any:
    """Call ``value.name(arguments)``; ``this`` is a list of one element, the value, and holds its new value afterwards.

    ``first`` is the place of the first argument.
    """
    value = this[0]
    kind = type(value)
    if name == "call":
        return _call_through(run, level, this, arguments, first)
    if name == "curry":
        if kind is not FnPtr:
            raise mismatch("Fn", type_name(value))
        return with_arguments(run, value, arguments)
    if name == "is_shared" and not arguments:
        return False
    if kind is dict:
        pointer = value.get(name)
        if type(pointer) is FnPtr:
            value = None
            return _call_property(run, level, pointer, this, arguments)
    value = None
    result, this[0] = _call_as_method(run, level, name, this, arguments)
    return result


def with_arguments(run: Run, pointer: FnPtr, arguments: tuple[Any, ...]) -> FnPtr:
    """Return a pointer with more curried arguments. It costs operations for those that it has."""
    run.pay(1 + len(pointer.curry) // 16)
    return pointer.curried(arguments)


def _call_property(run: Run, level: int, pointer: FnPtr, this: list[Any], arguments: tuple[Any, ...]) -> Any:
    """Call a function pointer that a map holds, on that map."""
    given = pointer.curry + arguments
    function = pointer.function
    if function is not None and function.arity == len(given):
        return enter(run, function, level + 1, this, given)
    given = tuple([item.value if type(item) is Shared else item for item in given])
    result, this[0] = _call_as_method(run, level, pointer.name, this, given)
    return result


def _call_through(run: Run, level: int, this: list[Any], arguments: tuple[Any, ...], first: Position) -> Any:
    """``pointer.call(…)`` or ``value.call(pointer, …)``."""
    value = this[0]
    if type(value) is FnPtr:
        return call_pointer(run, level, value, arguments)
    if not arguments:
        raise mismatch("Fn", type_name(value))
    pointer, *rest = arguments
    if type(pointer) is not FnPtr:
        raise mismatch("Fn", type_name(pointer), first)
    value = None
    for number, each in enumerate(pointer.curry, 1):
        if type(each) is Shared and each.is_lent:
            where = f"argument #{number} of function '{pointer.name}'"
            raise RhaiError("ErrorDataRace", where, position=None)
    return call_pointer(run, level, pointer, tuple(rest), this)


def _call_as_method(run: Run, level: int, name: str, this: list[Any], arguments: tuple[Any, ...]) -> tuple[Any, Any]:
    """Call what ``name`` means on a value. Returns result and new value."""
    answer = _syntactic(run, name, (this[0], *arguments))
    if answer is not _NOT_SYNTACTIC:
        return answer, this[0]
    count = len(arguments)
    function = run.script_function((name, count, class_name(type(this[0]))))
    if function is None:
        function = run.script_function((name, count, None))
    if function is not None:
        result = enter(run, function, level + 1, this, arguments)
        return result, this[0]
    types = (type(this[0]), *map(type, arguments))
    native = run.find(name, types)
    if native is None:
        raise not_found(name, types)
    run.depth = level + 1
    return run_native_on(run, native, name, this, arguments)


def run_native_on(run: Run, native: Native, name: str, this: list[Any], arguments: tuple[Any, ...]) -> tuple[Any, Any]:
    """Call a native on the value in ``this``. Returns result and new value."""
    for _ in run.ticks:
        break
    value = this[0]
    if native.changes:
        if type(value) in MUTABLE and getrefcount(value) > _BOXED:
            value = this[0] = copied(run, value)
        result = native.function(run, value, *arguments) if native.run else native.function(value, *arguments)
        if native.replaces:
            return result[1], result[0]
        return result, value
    result = native.function(run, value, *arguments) if native.run else native.function(value, *arguments)
    if name in _SINKS:
        result = _tell(run, name, result)
    return result, value


def call_method_of(run: Run, level: int, name: str, first: Position, value: Any, *arguments: Any) -> Any:
    """Call ``value.name(arguments)`` of a value that is in no variable, where no script function has that name."""
    kind = type(value)
    if kind in _PLAIN_RECEIVERS and not run.libraries:
        native = run.find(name, (kind, *map(type, arguments)))
        if native is not None and not native.changes and name not in _SINKS:
            run.depth = level + 1
            return native.function(run, value, *arguments) if native.run else native.function(value, *arguments)
    return call_method(run, level, name, [value], arguments, first)


def call_owned_method(run: Run, level: int, name: str, value: Any, *arguments: Any) -> Any:
    """Call a native on an array or map that nobody else may see, whoever holds it. Returns the result."""
    types = (type(value), *map(type, arguments))
    native = run.find(name, types)
    if native is None:
        raise not_found(name, types)
    run.depth = level + 1
    result = native.function(run, value, *arguments) if native.run else native.function(value, *arguments)
    return _tell(run, name, result) if name in _SINKS else result


def boxed(run: Run, code: Callable[..., Any]) -> Callable[..., Any]:
    """Return the code of a function that borrows ``this``, for calls that have it in a box."""

    def call(level: int, this: list[Any], *arguments: Any) -> Any:
        value = this[0]
        if type(value) in MUTABLE and getrefcount(value) > _BOXED:
            value = this[0] = copied(run, value)
        return code(level, value, *arguments)

    return call


def call_method_on(
    run: Run, level: int, name: str, value: Any, arguments: tuple[Any, ...], first: Position = FILL
) -> tuple[Any, Any]:
    """Call ``variable.name(arguments)`` while the variable keeps its value. Returns result and new value.

    This is for names that natives answer; a function of the script that changes ``this`` would copy it first.
    """
    kind = type(value)
    if (kind in _PLAIN_RECEIVERS or (kind is dict and type(value.get(name)) is not FnPtr)) and not run.libraries:
        types = (kind, *map(type, arguments))
        native = run.find(name, types)
        if native is not None:
            for _ in run.ticks:
                break
            run.depth = level + 1
            if not native.changes:
                result = native.function(run, value, *arguments) if native.run else native.function(value, *arguments)
                return (_tell(run, name, result) if name in _SINKS else result), value
            if kind in MUTABLE and getrefcount(value) > _VARIABLE:
                value = copied(run, value)
            result = native.function(run, value, *arguments) if native.run else native.function(value, *arguments)
            return (result[1], result[0]) if native.replaces else (result, value)
    this = [value]
    value = None
    result = call_method(run, level, name, this, arguments, first)
    return result, this[0]


_PLAIN_RECEIVERS: Final = frozenset({list, str, int, float, bool, bytearray, type(None)})


def _measure_variable(run: Any, level: Any, name: Any, first: Any, *arguments: Any) -> int:
    return getrefcount(first)


def _as_variable() -> int:
    variable: list[Any] = []
    return _measure_variable(None, 0, "", variable, 1)


def _measure_box(run: Any, native: Any, name: Any, this: list[Any], arguments: Any) -> int:
    value = this[0]
    return getrefcount(value)


_VARIABLE: Final = _as_variable()
_BOXED: Final = _measure_box(None, None, "", [[]], ())


def not_found_qualified(namespace: str, name: str, types: tuple[type, ...], position: Position = FILL) -> RhaiError:
    """Return the error that a module has no such function."""
    return RhaiError("ErrorFunctionNotFound", f"{namespace}::{signature(name, types)}", position=position)
