"""The helpers that generated code sees, by the names under which it sees them. It sees nothing else.

Most are the runtime's own functions; the few that stand here are too small for a module of their own. ``R`` is the
run, ``T`` its ticks, ``P`` pays for some operations, ``M`` is the deepest level of calls, ``U`` the ``this`` of a
function that was not called as a method; those are put in per run.
"""

from __future__ import annotations

from itertools import count
from sys import getrefcount
from typing import Any, Final, NoReturn

from picloud.rhai.errors import FILL, Position, RhaiError, mismatch, parsing, thrown, too_large
from picloud.rhai.packages import comparison, operators
from picloud.rhai.packages.budget import CEILING, charge, utf8_length
from picloud.rhai.packages.pointers import named
from picloud.rhai.printing import display, to_string
from picloud.rhai.registry import not_found
from picloud.rhai.runtime import calls, chains, functions, iteration, modules, ownership, scopes, sizes
from picloud.rhai.runtime.places import Catchable, distance, returned, settled
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import CHARS, FnPtr, InclusiveRange, Range, Shared, raw_type_name, type_name


def boolean(value: Any) -> bool:
    """Return a condition's value. Raises ErrorMismatchDataType if it is no boolean."""
    if type(value) is bool:
        return value
    raise mismatch("bool", raw_type_name(value))


def unary(run: Run, level: int, operator: str, operand: Any) -> Any:
    """Return ``operator operand``."""
    if operator == "!" and type(operand) is bool:
        return not operand
    return calls.call_native(run, level, operator, operand)


def assign_variable(run: Run, level: int, operator: str, old: Any, value: Any) -> Any:
    """Return what ``variable operator value`` makes of a variable, which keeps its value meanwhile."""
    run.depth = level + 1
    if type(old) in ownership.MUTABLE and getrefcount(old) > _OLD:
        old = ownership.copied(run, old)
    return operators.assign(run, operator, old, value)


def _measure_old(run: Any, level: Any, operator: Any, old: Any, value: Any) -> int:
    return getrefcount(old)


def _as_old() -> int:
    variable: list[Any] = []
    return _measure_old(None, None, None, variable, None)


_OLD: Final = _as_old()


def shown(run: Run, value: Any) -> str:
    """Return a value as it stands in an interpolated text."""
    return value if type(value) is str else to_string(run, value)


def shown_constant(run: Run, value: Any) -> str:
    """Return a constant as it stands in a text of constants."""
    return display(value)


def long_text(run: Run, text: str) -> None:
    """Pay for a long text. Raises ErrorDataTooLarge if it is too long."""
    if utf8_length(text) > (run.limits.max_string_size or CEILING):
        raise RhaiError("ErrorDataTooLarge", "Length of string")
    charge(run, len(text))


def throw(value: Any) -> NoReturn:
    """Raise what a script throws."""
    raise thrown(value)


_CAUGHT: Final = 8
"""Operations for an error that is caught: its place is looked for."""
_BYTES: Final = 64
"""Bytes of code that are gone through for one more, to find the place."""


def caught(run: Run, error: BaseException) -> Any:
    """Return what a script's ``catch`` variable gets; raise the error again if no script may catch it."""
    run.pay(_CAUGHT + distance(error) // _BYTES)
    rhai = settled(error)
    if not rhai.is_catchable or rhai.kind == "Exit":
        raise rhai.located() from None
    return error_value(rhai)


def error_value(error: RhaiError) -> Any:
    """Return an error as a value of the language."""
    inner = error.innermost
    if inner.kind == "ErrorRuntime":
        return inner.payload[0]
    position = error.position if error.position != FILL else None
    error.position = None
    entries: dict[str, Any] = {"message": error.message}
    error.position = position
    if position is not None:
        entries["line"], entries["position"] = position
    entries.update(error.fields())
    return entries


def rethrow(run: Run, first: BaseException, second: BaseException) -> NoReturn:
    """Raise an error that came out of a ``catch`` block: the caught one again if it is an empty ``throw``."""
    again = settled(second)
    if again.kind == "ErrorRuntime" and again.payload[0] is None and isinstance(first, RhaiError):
        original = settled(first)
        original.position = again.position
        raise original.located() from None
    raise again.located() from None


def curry(run: Run, place: Position, pointer: Any, *arguments: Any) -> FnPtr:
    """Return a function pointer with arguments."""
    if type(pointer) is not FnPtr:
        raise mismatch("Fn", type_name(pointer), place)
    return calls.with_arguments(run, pointer, arguments)


def pointer(run: Run, name: Any) -> FnPtr:
    """Return a pointer to the function of a name."""
    if type(name) is not str:
        raise mismatch("string", type_name(name))
    charge(run, len(name))
    made = named(name, has_environment=True)
    made.home = run
    return made


def must_be_pointer(value: Any) -> FnPtr:
    """Return a function pointer. Raises ErrorMismatchDataType for anything else."""
    if type(value) is not FnPtr:
        raise mismatch("Fn", type_name(value))
    return value


def call_value(run: Run, level: int, place: Position, value: Any, *arguments: Any) -> Any:
    """Call what must be a function pointer."""
    if type(value) is not FnPtr:
        raise mismatch("Fn", type_name(value), place)
    return calls.call_pointer(run, level, value, arguments)


def call_constant(run: Run, level: int, name: str, value: Any, arguments: tuple[Any, ...], first: Position) -> Any:
    """Call a method of a constant: none that changes it."""
    types = (type(value), *map(type, arguments))
    if run.script_function((name, len(arguments), None)) is None and not (
        type(value) is dict and type(value.get(name)) is FnPtr
    ):
        native = run.find(name, types)
        if native is not None and native.changes:
            raise RhaiError("ErrorNonPureMethodCallOnConstant", name)
    return calls.call_method(run, level, name, functions.ConstantThis([value]), arguments, first)


_MOST_COMPILED: Final = 4 * 1024
"""Characters, for nothing can interrupt Python's compiler."""
_COMPILED: Final = 50
_PER_CHARACTER: Final = 2
"""Operations for compiling a text, and for each of its characters."""


def evaluate(run: Run, level: int, scope: scopes.Scope, text: Any) -> Any:
    """Run a text in a scope: ``eval``."""
    if type(text) is not str:
        raise mismatch("string", raw_type_name(text))
    assert run.compile_text is not None
    if run.limits.max_operations and len(text) > _MOST_COMPILED:
        raise too_large("Length of string")
    run.pay(_COMPILED + len(text) * _PER_CHARACTER)
    text = text.strip()
    if not text:
        return None
    try:
        try:
            code = run.compile_text(run, text)
        except RhaiError as error:
            if error.stage != "parse":
                raise
            raise parsing(error) from None
        return code(run, level + 1, scope)
    except Catchable as error:
        rhai = returned_here(error)
        if rhai.kind == "Exit":
            raise
        raise RhaiError("ErrorInFunctionCall", "eval", "", cause=rhai) from None


def returned_here(error: BaseException) -> RhaiError:
    """Return an error of a text that was run by ``eval``, with its place in that text."""
    return returned(error, None)


def is_captured(cell: Shared) -> bool:
    """Whether a closure shares a variable."""
    if cell.is_lent:
        raise RhaiError("ErrorDataRace", position=None)
    return cell.captured


def is_constant(cell: Shared) -> bool:
    """Whether a variable is a constant."""
    return cell.constant


def give_back(cell: Shared, value: Any) -> None:
    """Set the value that a cell lent; raise ErrorDataRace if somebody assigned to the variable meanwhile."""
    was_assigned = not cell.is_lent
    cell.value = value
    if was_assigned:
        raise RhaiError("ErrorDataRace", position=None)


def constant_cell(value: Any) -> Shared:
    """Return the cell of a captured constant."""
    return Shared(value, constant=True)


def same(value: Any, literal: Any) -> bool:
    """Whether a value is the literal of a ``switch`` case: of the same type and equal, without any tolerance."""
    if type(value) is not type(literal):
        return False
    if type(value) is list:
        return len(value) == len(literal) and all(map(same, value, literal))
    if type(value) is dict:
        return value.keys() == literal.keys() and all(same(value[key], literal[key]) for key in value)
    return bool(value == literal)


def in_span(span: Any, value: Any) -> bool:
    """Whether a number lies in the range of a ``switch`` case."""
    if type(value) is not int and type(value) is not float:
        return False
    if type(span) is InclusiveRange:
        return bool(span.start <= value <= span.end)
    return bool(span.start <= value < span.end)


def too_many_variables() -> NoReturn:
    """Raise the error of a variable too many."""
    raise RhaiError("ErrorTooManyVariables")


def keep_constant(run: Run, name: str, value: Any) -> None:
    """Keep a constant of the script's top level for ``global::``."""
    run.constants[name] = value


_NOT_FOUND = not_found

HELPERS: Final[dict[str, Any]] = {
    "__builtins__": {},
    "type": type,
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "list": list,
    "dict": dict,
    "len": len,
    "zip": zip,
    "range": range,
    "count": count,
    "references": getrefcount,
    "append": list.append,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "float_equal": comparison.float_equal,
    "float_unequal": comparison.float_unequal,
    "float_less": comparison.float_less,
    "float_less_or_equal": comparison.float_less_or_equal,
    "float_greater": comparison.float_greater,
    "float_greater_or_equal": comparison.float_greater_or_equal,
    "CHARS": CHARS,
    "NUMBERS": frozenset({int, float}),
    "U": functions.UNBOUND,
    "Catchable": Catchable,
    "open_range": Range,
    "closed_range": InclusiveRange,
    "cell": Shared,
    "constant_cell": constant_cell,
    "type_name": type_name,
    "binary": operators.binary,
    "unary": unary,
    "assign_variable": assign_variable,
    "boolean": boolean,
    "shown": shown,
    "shown_constant": shown_constant,
    "long_text": long_text,
    "within_limits": sizes.within_limits,
    "throw": throw,
    "caught": caught,
    "rethrow": rethrow,
    "curry": curry,
    "pointer": pointer,
    "close": scopes.close,
    "call_value": call_value,
    "must_be_pointer": must_be_pointer,
    "call_pointer": calls.call_pointer,
    "FnPtr": FnPtr,
    "call_constant": call_constant,
    "call_function": calls.call_function,
    "call_with_function": calls.call_with_function,
    "call_native": calls.call_native,
    "call_native_on": calls.call_native_on,
    "call_method": calls.call_method,
    "call_method_of": calls.call_method_of,
    "call_method_on": calls.call_method_on,
    "call_chain": chains.call_chain,
    "assign_chain": chains.assign_chain,
    "assign_constant": chains.assign_constant,
    "assign_owned": chains.assign_owned,
    "call_owned_chain": chains.call_owned_chain,
    "call_owned_method": calls.call_owned_method,
    "own": ownership.own,
    "own_item": ownership.own_item,
    "read_property": chains.read_property,
    "read_index": chains.read_index,
    "call_module": modules.call_module,
    "call_module_on": modules.call_module_on,
    "module_variable": modules.module_variable,
    "import_module": modules.import_module,
    "imported": modules.imported,
    "forget_imports": modules.forget_imports,
    "export": modules.export,
    "keep_constant": keep_constant,
    "overflow": calls.overflow,
    "evaluate": evaluate,
    "is_defined": scopes.is_defined,
    "is_captured": is_captured,
    "is_constant": is_constant,
    "lend": Shared.lend,
    "give_back": give_back,
    "find": scopes.find,
    "named": scopes.named,
    "writable": scopes.writable,
    "variable": scopes.variable,
    "constant": scopes.constant,
    "missing": scopes.missing,
    "declare": scopes.declare,
    "declare_cell": scopes.declare_cell,
    "rewind": scopes.rewind,
    "too_many_variables": too_many_variables,
    "same": same,
    "in_span": in_span,
    "elements": iteration.elements,
    "open_turns": iteration.open_turns,
    "closed_turns": iteration.closed_turns,
}
"""Everything that generated code may name, beside its own variables and functions."""
