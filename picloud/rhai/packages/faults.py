"""The errors that native functions raise, by name. None knows its place: the call that failed gives it."""

from __future__ import annotations

from picloud.rhai.errors import RhaiError


def bit_out_of_bounds(position: int) -> RhaiError:
    """Return the error for a bit that an integer does not have."""
    return RhaiError("ErrorBitFieldBounds", 64, position)


def function_not_found(signature: str) -> RhaiError:
    """Return the error for a call that no function answers; `signature` is `name (type, …)` or what else is to be
    said."""
    return RhaiError("ErrorFunctionNotFound", signature)


def mismatched_output(expected: str, actual: str) -> RhaiError:
    """Return the error for a result of the wrong type."""
    return RhaiError("ErrorMismatchOutputType", expected, actual)


def in_function_call(name: str, cause: RhaiError) -> RhaiError:
    """Return `cause` as an error that left the function `name`."""
    return RhaiError("ErrorInFunctionCall", name, "", cause=cause)
