"""Where an error happened, read off the Python traceback.

Generated code carries Rhai's line and column as Python's, so nothing is kept up to date while a script runs. When an
error is looked at (by ``catch``, by a native that called back, at the end of the run), :func:`settled` goes through
the traceback: the place in the innermost generated frame is the error's own, and each generated function that the
error left wraps it in an ``ErrorInFunctionCall`` with the place of the call. What has its place is settled: a second
look, further out, wraps only what is still outside.

Three kinds of Python's own errors are part of the bargain: generated code takes an element without a look at the
bounds, so ``IndexError`` is Rhai's ``ErrorArrayBounds``; a recursion that is too deep for Python is
``ErrorStackOverflow``; and a cell whose value is lent has none, so ``AttributeError`` is ``ErrorDataRace``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from types import CodeType, FrameType, TracebackType
from typing import Any, Final

from picloud.rhai.errors import FILL, Position, RhaiError
from picloud.rhai.values import Shared

FILENAME: Final = "<rhai>"
"""The file name of generated code."""

Catchable: Final = (RhaiError, IndexError, RecursionError, AttributeError)
"""What may come out of generated code besides what a host's hook raises."""


class FunctionInfo:
    """What a generated function is in the script."""

    __slots__ = ("name", "source")

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.source = source


def settled(error: BaseException) -> RhaiError:
    """Return the error with its place, wrapped in the calls that it left.

    For generated code, which caught it: the outermost generated frame of the traceback is the one that asks.
    """
    frames = _generated(error.__traceback__)
    rhai = error if type(error) is RhaiError else _translated(error)
    if not frames:
        return rhai
    _fill(rhai, frames[-1][1])
    return _wrapped(rhai, [place for _, place in frames[:-1]], [info for info, _ in frames[1:]])


def returned(error: BaseException, place: Position | None = FILL) -> RhaiError:
    """Return the error of a function that the runtime called at ``place``, wrapped in the calls that it left.

    Every generated frame of the traceback is one of a function that was called. Without a place it is left open, for
    whoever knows where the runtime was called from.
    """
    frames = _generated(error.__traceback__)
    rhai = error if type(error) is RhaiError else _translated(error)
    places: list[Position | None] = [place, *(at for _, at in frames)]
    _fill(rhai, places[-1])
    return _wrapped(rhai, places[:-1], [info for info, _ in frames])


def _wrapped(error: RhaiError, places: Sequence[Position | None], callees: list[FunctionInfo | None]) -> RhaiError:
    for place, info in zip(reversed(places), reversed(callees), strict=True):
        if info is None:
            continue
        if error.is_system_exception:
            # A fresh one: its traceback would be gone through again at every level.
            error = error.located()
            error.position = place
        else:
            error = RhaiError("ErrorInFunctionCall", info.name, info.source, position=place, cause=error)
    return error


def _fill(error: RhaiError, place: Position | None) -> None:
    while True:
        if error.position is FILL or error.position == FILL:
            error.position = place
        if error.cause is None:
            return
        error = error.cause


def _translated(error: BaseException) -> RhaiError:
    if isinstance(error, RecursionError):
        return RhaiError("ErrorStackOverflow")
    if isinstance(error, IndexError):
        found = _bounds(error)
        if found is not None:
            return found
    if isinstance(error, AttributeError) and type(error.obj) is Shared:
        return RhaiError("ErrorDataRace", position=None)
    raise error


def _bounds(error: IndexError) -> RhaiError | None:
    """The error of an element that isn't there; its array and index are still in the frame that asked for it."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None or traceback.tb_frame.f_code.co_filename != FILENAME:
        return None
    frame = traceback.tb_frame
    sites = frame.f_globals["SITES"]
    site = sites.get(_place(frame.f_code, traceback.tb_lasti))
    if site is None:
        return None
    array, index = (_operand(frame, operand) for operand in site)
    return RhaiError("ErrorArrayBounds", len(array), index)


def _operand(frame: FrameType, operand: Any) -> Any:
    """Return what the code generator's ``chains.operand`` describes."""
    if isinstance(operand, str):
        return frame.f_locals[operand]
    kind, first, *rest = operand
    if kind == "literal":
        return first
    value = _operand(frame, first)
    return value.value if kind == "cell" else value[_operand(frame, rest[0])]


def _generated(traceback: TracebackType | None) -> list[tuple[FunctionInfo | None, Position]]:
    """The generated frames of a traceback, outermost first: what each is, and where it was.

    A function that only hands over to its special code does so in column 0, which no script has: it doesn't count.
    """
    frames = []
    while traceback is not None:
        frame = traceback.tb_frame
        code = frame.f_code
        if code.co_filename == FILENAME:
            place = _place(code, traceback.tb_lasti)
            if place[1] or traceback.tb_next is None:
                frames.append((frame.f_globals["INFOS"].get(code.co_name), place))
        traceback = traceback.tb_next
    return frames


def _place(code: CodeType, instruction: int) -> Position:
    line, _, column, _ = next(islice(code.co_positions(), instruction // 2, None))
    return line or 0, column or 0


def distance(error: BaseException) -> int:
    """Return how many bytes of code stand before the places that an error came through, for that is how long it takes
    to find them."""
    found = 0
    traceback = error.__traceback__
    while traceback is not None:
        found += traceback.tb_lasti
        traceback = traceback.tb_next
    return found


def here(frame: FrameType | None) -> Position:
    """The place where generated code is at: in ``frame`` or the nearest one that called it."""
    while frame is not None:
        if frame.f_code.co_filename == FILENAME:
            return _place(frame.f_code, frame.f_lasti)
        frame = frame.f_back
    return 0, 0
