"""Errors of the language: one Python exception for all of them, parse errors and errors of a run.

An error is a kind (Rust's name of it, as ``ErrorArrayBounds``), what the kind needs to be told (its payload) and a
position. The text is made from these when somebody asks for it. An error that passed through a call of a script
function is wrapped in ``ErrorInFunctionCall``, whose ``cause`` is the error within; so the chain of causes is the
call stack.

Positions are pairs (line, column), both from 1. A position is one of three things:

- a pair: the raiser knew the place;
- ``None``: the error has no place, and that is meant (Rust's built-in operators tell none);
- :data:`FILL`: the raiser didn't know. Whoever catches the error takes the place from the traceback: generated code
  carries Rhai's lines and columns as Python's, so this costs nothing until an error happens. Natives leave it at
  that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

Position = tuple[int, int]
"""Line and column, both from 1."""

FILL: Final = (-1, -1)
"""The place of an error that is yet to be taken from the traceback."""


class CallFrame:
    """One entry of a call stack: which function was called, and where."""

    __slots__ = ("column", "function", "line", "source")

    def __init__(self, function: str, source: str, position: Position | None) -> None:
        self.function = function
        """Name of the function; a closure's begins with ``anon$``."""
        self.source = source
        """Module that the function is of; empty for the script itself."""
        self.line, self.column = position or (0, 0)

    def __repr__(self) -> str:
        return f"CallFrame({self.function!r}, line {self.line}, column {self.column})"


class RhaiError(Exception):
    """What a script, or the compiler, complains of."""

    def __init__(
        self,
        kind: str,
        *payload: Any,
        position: Position | None = FILL,
        cause: RhaiError | None = None,
        stage: Literal["parse", "run"] = "run",
        detail: str = "",
    ) -> None:
        """``payload`` is what the text of ``kind`` is made of (see ``_TEXTS``); a parse error's is the text itself."""
        super().__init__(kind, *payload)
        self.kind = kind
        """Rust's name of the kind: ``ErrorArithmetic``, or ``MissingToken`` for a parse error."""
        self.payload = payload
        self.position = position
        self.cause = cause
        """The error within, for ``ErrorInFunctionCall`` and ``ErrorInModule``."""
        self.stage = stage
        """``parse`` when the script couldn't be compiled, ``run`` when it ran."""
        self.detail = detail
        """A parse error as Rust's debug format shows it."""

    @classmethod
    def parse(cls, kind: str, message: str, position: Position | None, detail: str = "") -> RhaiError:
        """Return a parse error."""
        return cls(kind, message, position=position, stage="parse", detail=detail)

    @property
    def line(self) -> int:
        """Line of the place, 0 when there is none."""
        return self.position[0] if self.position and self.position is not FILL else 0

    @property
    def column(self) -> int:
        """Column of the place, 0 when there is none."""
        return self.position[1] if self.position and self.position is not FILL else 0

    @property
    def innermost(self) -> RhaiError:
        """The error at the end of the chain of causes: what really happened."""
        error = self
        while error.cause is not None:
            error = error.cause
        return error

    @property
    def inner(self) -> str:
        """Kind of the innermost error."""
        return self.innermost.kind

    @property
    def value(self) -> Any:
        """What the script threw; None unless the innermost error is an ``ErrorRuntime``."""
        error = self.innermost
        return error.payload[0] if error.kind == "ErrorRuntime" and error.payload else None

    @property
    def call_stack(self) -> list[CallFrame]:
        """The calls that the error passed through, the innermost first."""
        frames = []
        error: RhaiError | None = self
        while error is not None:
            if error.kind == "ErrorInFunctionCall":
                name, source = error.payload
                frames.append(CallFrame(name, source, error.position))
            error = error.cause
        frames.reverse()
        return frames

    @property
    def text(self) -> str:
        """What happened, without the place and without the error within."""
        if self.stage == "parse":
            return str(self.payload[0])
        return _TEXTS[self.kind](*self.payload)

    @property
    def message(self) -> str:
        """The whole message as Rhai shows it: causes first, each with its place."""
        if self.stage == "parse":
            return self.text
        return "\n".join(self._lines(""))

    @property
    def is_catchable(self) -> bool:
        """Whether a script's ``catch`` takes it."""
        return self.stage == "run" and self.kind not in _NOT_CATCHABLE

    @property
    def is_system_exception(self) -> bool:
        """Whether it passes through calls as it is, only with the place of each call."""
        return self.kind in _NOT_CATCHABLE

    def located(self) -> RhaiError:
        """Return the error to be raised again further out: what it left so far is in it, so its traceback begins
        anew."""
        return RhaiError(
            self.kind, *self.payload, position=self.position, cause=self.cause, stage=self.stage, detail=self.detail
        )

    def fields(self) -> dict[str, Any]:
        """What a script's ``catch`` variable holds beside message and place."""
        names = _FIELDS.get(self.kind, ())
        return {"error": self.kind, **dict(zip(names, self.payload, strict=False))}

    def _lines(self, caller: str) -> list[str]:
        lines = []
        if self.cause is not None:
            lines = self.cause._lines(self.payload[1] if self.kind == "ErrorInFunctionCall" else "")
        text = self.text
        if caller:
            text += f" @ '{caller}'"
        if self.line:
            text += f" (line {self.line}, position {self.column})"
        lines.append(text)
        return lines

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        # Not what was thrown: it may nest deeper than Python can show.
        return f"RhaiError({self.kind!r}, {self.message!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.kind, self.payload, self.position, self.cause, self.stage, self.detail)


def _restored(
    kind: str, payload: tuple[Any, ...], position: Position | None, cause: RhaiError | None, stage: Any, detail: str
) -> RhaiError:
    filled = FILL if position == FILL else position
    return RhaiError(kind, *payload, position=filled, cause=cause, stage=stage, detail=detail)


def parsing(error: RhaiError) -> RhaiError:
    """Return the parse error as an error of the run that asked for the parse (``eval``, ``import``, ``parse_json``)."""
    return RhaiError("ErrorParsing", error.text, position=error.position, detail=error.detail)


def arithmetic(message: str) -> RhaiError:
    """Return an arithmetic error whose place is that of the call."""
    return RhaiError("ErrorArithmetic", message)


def mismatch(expected: str, actual: str, position: Position | None = FILL) -> RhaiError:
    """Return the error that data isn't of the ``expected`` type; both are names of types."""
    return RhaiError("ErrorMismatchDataType", expected, actual, position=position)


def too_large(what: str) -> RhaiError:
    """Return the error that ``what`` (``Length of string``, ``Size of array/BLOB``, ``Size of object map``) is over
    its limit."""
    return RhaiError("ErrorDataTooLarge", what)


def thrown(value: Any, position: Position | None = FILL) -> RhaiError:
    """Return the error that carries a thrown value."""
    return RhaiError("ErrorRuntime", value, position=position)


def _counted(what: str, bounds: str, unit: str) -> Callable[[int, int], str]:
    def text(length: int, index: int) -> str:
        if length == 0:
            return f"{what} index {index} out of bounds: {bounds} is empty"
        units = unit if length == 1 else f"{unit}s"
        return f"{what} index {index} out of bounds: only {length} {units} in {bounds}"

    return text


def _incorrect(what: str) -> Callable[[str, str], str]:
    def text(expected: str, actual: str) -> str:
        if not actual:
            return f"{what} type incorrect, expecting {expected}"
        if not expected:
            return f"{what} type incorrect: {actual}"
        return f"{what} type incorrect: {actual} (expecting {expected})"

    return text


def _after(prefix: str) -> Callable[..., str]:
    def text(subject: Any, *_: Any) -> str:
        return f"{prefix}{subject}"

    return text


def _always(text: str) -> Callable[..., str]:
    return lambda *_: text


def _runtime(value: Any = None, *_: Any) -> str:
    from picloud.rhai.printing import display  # printing knows the values, and they the errors

    if value is None or value == "":
        return "Runtime error"
    return f"Runtime error: {display(value)}"


def _in_function(name: str, source: str) -> str:
    text = "in closure call" if name.startswith("anon$") else f"in call to function '{name}'"
    return f"{text} (from '{source}')" if source else text


def _not_pure(name: str) -> str:
    if name.startswith("get$"):
        return f"Non-pure property {name[4:]} cannot be accessed on constant"
    if name.startswith("set$"):
        return f"Cannot modify property '{name[4:]}' of constant"
    if name == "index$get$":
        return "Non-pure indexer cannot be accessed on constant"
    if name == "index$set$":
        return "Cannot assign to indexer of constant"
    return f"Non-pure method '{name}' cannot be called on constant"


_TEXTS: Final[dict[str, Callable[..., str]]] = {
    "ErrorSystem": lambda text, *_: str(text),
    "ErrorParsing": _after("Syntax error: "),
    "ErrorInFunctionCall": _in_function,
    "ErrorInModule": lambda name, *_: f"in module '{name}'" if name else "in module",
    "ErrorVariableExists": _after("Variable already defined: "),
    "ErrorForbiddenVariable": _after("Forbidden variable name: "),
    "ErrorVariableNotFound": _after("Variable not found: "),
    "ErrorPropertyNotFound": _after("Property not found: "),
    "ErrorIndexNotFound": _after("Invalid index: "),
    "ErrorFunctionNotFound": _after("Function not found: "),
    "ErrorModuleNotFound": _after("Module not found: "),
    "ErrorDataRace": lambda name="": f"Data race detected on variable '{name}'" if name else "Data race detected",
    "ErrorDotExpr": lambda text="": text or "Malformed dot expression",
    "ErrorIndexingType": _after("Indexer unavailable: "),
    "ErrorUnboundThis": _always("'this' not bound"),
    "ErrorFor": _always("For loop expects iterable type"),
    "ErrorTooManyOperations": _always("Too many operations"),
    "ErrorTooManyVariables": _always("Too many variables defined"),
    "ErrorTooManyModules": _always("Too many modules imported"),
    "ErrorStackOverflow": _always("Stack overflow"),
    "ErrorTerminated": _always("Script terminated"),
    "ErrorRuntime": _runtime,
    "ErrorNonPureMethodCallOnConstant": _not_pure,
    "ErrorAssignmentToConstant": _after("Cannot modify constant "),
    "ErrorMismatchOutputType": _incorrect("Output"),
    "ErrorMismatchDataType": _incorrect("Data"),
    "ErrorArithmetic": lambda text="": text or "Arithmetic error",
    "ErrorArrayBounds": _counted("Array", "array", "element"),
    "ErrorStringBounds": _counted("String", "string", "character"),
    "ErrorBitFieldBounds": lambda length, index: (
        f"Bit-field index {index} out of bounds: only {length} bits in bit-field"
    ),
    "ErrorDataTooLarge": lambda what: f"{what} too large",
    "Exit": _always("NOT AN ERROR - exit value"),
}

KINDS: Final = frozenset(_TEXTS)
"""All kinds of errors of a run."""

_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "ErrorFunctionNotFound": ("function",),
    "ErrorInFunctionCall": ("function", "source"),
    "ErrorNonPureMethodCallOnConstant": ("function",),
    "ErrorMismatchDataType": ("requested", "actual"),
    "ErrorMismatchOutputType": ("requested", "actual"),
    "ErrorArrayBounds": ("length", "index"),
    "ErrorStringBounds": ("length", "index"),
    "ErrorBitFieldBounds": ("length", "index"),
    "ErrorVariableExists": ("variable",),
    "ErrorForbiddenVariable": ("variable",),
    "ErrorVariableNotFound": ("variable",),
    "ErrorPropertyNotFound": ("variable",),
    "ErrorDataRace": ("variable",),
    "ErrorAssignmentToConstant": ("variable",),
    "ErrorIndexNotFound": ("index",),
    "ErrorModuleNotFound": ("module",),
    "ErrorDotExpr": ("property",),
    "ErrorIndexingType": ("type",),
    "ErrorDataTooLarge": ("type",),
    "ErrorTerminated": ("token",),
}
"""The names under which a ``catch`` variable shows each kind's payload."""

_NOT_CATCHABLE: Final = frozenset(
    {
        "ErrorSystem",
        "ErrorParsing",
        "ErrorTooManyOperations",
        "ErrorTooManyVariables",
        "ErrorTooManyModules",
        "ErrorStackOverflow",
        "ErrorDataTooLarge",
        "ErrorTerminated",
        "Exit",
    }
)


def parse_error(kind: str, text: str, line: int, column: int, detail: str = "") -> RhaiError:
    """Return an error of the parser; line 0 is no place."""
    return RhaiError.parse(kind, text, (line, column) if line else None, detail)
