"""Function pointers that natives call for the elements of an array or map.

A function may take more or fewer parameters than the native has to give: the element may be bound to `this` instead
of a parameter, and the index may be left out. A closure tells how many it takes; a function by name is tried with one
form after the other, until one is found. That last attempt's error is what the caller hears, as an error in the
native's own name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from picloud.rhai.errors import RhaiError
from picloud.rhai.packages.faults import in_function_call
from picloud.rhai.runtime.places import Catchable, returned
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import FnPtr

_Values = tuple[Any, ...]

_FAILED: Final = 16
"""Operations for a call that fails."""
UNMOVED: Final = -1
"""The element is never a parameter, only `this`."""


class Callback:
    """A function pointer as a native calls it: with an element, fixed arguments and extra ones."""

    __slots__ = ("_caller", "_free", "_place", "_pointer", "_run", "this")

    def __init__(self, run: Run, pointer: FnPtr, caller: str, *, place: int = 0) -> None:
        """`caller` is the native's name in errors; `place` is where among the fixed arguments the element goes as a
        parameter."""
        self._run = run
        self._pointer = pointer
        self._caller = caller
        self._place = place
        function = pointer.function
        self._free: int | None = None if function is None else function.arity - len(pointer.curry)
        self.this: list[Any] = []
        """What `this` was bound to in the last call: one element, which the function may have changed; empty if it
        was not bound."""

    def __call__(self, element: Any, fixed: _Values, extra: _Values) -> Any:
        """Return the function's result; raise what it raises."""
        free = self._free
        if free is None:
            return self._tried(element, fixed, extra)
        if self._place != UNMOVED and free == len(fixed) + 1:
            return self._free_standing(self._moved(element, fixed))
        if free == len(fixed):
            return self._bound(element, fixed)
        if self._place != UNMOVED and free == len(fixed) + 1 + len(extra):
            return self._free_standing(self._moved(element, fixed + extra))
        if free == len(fixed) + len(extra):
            return self._bound(element, fixed + extra)
        return self._tried(element, fixed, extra)

    def unbound(self, fixed: _Values, extra: _Values) -> Any:
        """Return the function's result without an element: only arguments."""
        if self._free == len(fixed):
            return self._run.call(self._pointer, fixed)
        if self._free == len(fixed) + len(extra):
            return self._run.call(self._pointer, fixed + extra)
        return self._first_found(
            lambda: self._run.call(self._pointer, fixed), lambda: self._run.call(self._pointer, fixed + extra)
        )

    def _moved(self, element: Any, arguments: _Values) -> _Values:
        return (*arguments[: self._place], element, *arguments[self._place :])

    def _bound(self, element: Any, arguments: _Values) -> Any:
        self.this = [element]
        return self._run.call(self._pointer, arguments, self.this)

    def _tried(self, element: Any, fixed: _Values, extra: _Values) -> Any:
        if self._place == UNMOVED:
            return self._first_found(lambda: self._bound(element, fixed), lambda: self._bound(element, fixed + extra))
        return self._first_found(
            lambda: self._bound(element, fixed),
            lambda: self._free_standing(self._moved(element, fixed)),
            lambda: self._free_standing(self._moved(element, fixed + extra)),
        )

    def _free_standing(self, arguments: _Values) -> Any:
        self.this = []
        return self._run.call(self._pointer, arguments)

    def _first_found(self, *attempts: Callable[[], Any]) -> Any:
        for attempt in attempts[:-1]:
            try:
                return attempt()
            except RhaiError as error:
                if not self._is_missing(error):
                    raise self._as_ours(error) from None
                failed(self._run, self._pointer)
        try:
            return attempts[-1]()
        except RhaiError as error:
            raise self._as_ours(error) from None

    def _is_missing(self, error: RhaiError) -> bool:
        return error.kind == "ErrorFunctionNotFound" and str(error.payload[0]).startswith(self._pointer.name)

    def _as_ours(self, error: RhaiError) -> RhaiError:
        return error if error.is_system_exception else in_function_call(self._caller, error)


def failed(run: Run, pointer: FnPtr) -> None:
    """Pay for a call that failed: its error may tell the name, which may be long."""
    run.pay(_FAILED + len(pointer.name) // 16)


def per_element(run: Run, pointer: FnPtr, caller: str) -> Callable[[Any, int], Any]:
    """Return a function of element and index that calls the pointer with what it takes of them."""
    quick = run.direct(pointer, 1)
    if quick is not None:
        return lambda element, _: quick(element)
    callback = Callback(run, pointer, caller)
    return lambda element, index: callback(element, (), (index,))


def comparer(run: Run, pointer: FnPtr) -> Callable[[Any, Any], Any]:
    """Return a function that calls the pointer with two elements; None where it fails."""

    quick = run.direct(pointer, 2)
    if quick is not None:
        return _compared(run, pointer, quick)

    def compare(first: Any, second: Any) -> Any:
        try:
            return run.call(pointer, (first, second))
        except RhaiError as error:
            if error.is_system_exception:
                raise
            failed(run, pointer)
            return None

    return compare


def _compared(run: Run, pointer: FnPtr, quick: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def compare(first: Any, second: Any) -> Any:
        try:
            return quick(first, second)
        except Catchable as error:
            if returned(error).is_system_exception:
                raise
        failed(run, pointer)
        return None

    return compare
