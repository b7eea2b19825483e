"""Errors of the language: one Python exception, whose kinds, texts and places are those of the Rust engine.

An error knows its own kind, text and place; each script function that it leaves adds a call (name and place of the call),
innermost first. Seen from outside, an error with calls is an ``ErrorInFunctionCall`` at the place of the outermost call,
as in Rust; ``inner`` is always the kind of the innermost error. Errors of the system (budget, stack, size) are not
wrapped: they take the place of the outermost call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

SYSTEM_KINDS: Final = frozenset(
    {"ErrorTooManyOperations", "ErrorTooManyModules", "ErrorStackOverflow", "ErrorDataTooLarge", "ErrorTerminated"}
)
"""Kinds that no ``catch`` of a script stops, and that calls don't wrap."""

NOT_CAUGHT: Final = SYSTEM_KINDS | {"ErrorParsing", "ErrorCustomSyntax"}


@dataclass(frozen=True, slots=True)
class Call:
    """A script function that an error left: its name, and the place of the call (0, 0 if unknown)."""

    function: str
    line: int
    column: int


class RhaiError(Exception):
    """An error of a script, while parsing (``stage`` "parse") or running ("run").

    ``text`` is the message without places; ``message`` the whole, as shown to a person. ``value`` is what was thrown
    (``ErrorRuntime``). ``detail`` is the name and arguments of a parse error as Rust's debug output gives them.
    """

    def __init__(
        self,
        kind: str,
        text: str,
        line: int = 0,
        column: int = 0,
        *,
        stage: Literal["parse", "run"] = "run",
        value: Any = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(kind, text)
        self.inner = kind
        self.text = text
        self.own_line = line
        self.own_column = column
        self.stage = stage
        self.value = value
        self.detail = detail
        self.calls: list[Call] = []
        self.located = stage == "parse"
        """Whether the places are final: they are taken from the traceback when the error is first looked at."""
        self.placeless = False
        """The error never gets a place of its own (built-in operators)."""

    @property
    def is_system(self) -> bool:
        """Whether calls don't wrap it."""
        return self.inner in SYSTEM_KINDS

    @property
    def kind(self) -> str:
        """The error's kind as seen from outside."""
        return "ErrorInFunctionCall" if self.calls and not self.is_system else self.inner

    @property
    def line(self) -> int:
        """The line, 0 if there is no place."""
        return self.calls[-1].line if self.calls else self.own_line

    @property
    def column(self) -> int:
        """The column, counted in characters from 1; 0 if there is no place."""
        return self.calls[-1].column if self.calls else self.own_column

    @property
    def call_stack(self) -> list[str]:
        """The script functions that the error left, innermost first, with the places of their calls."""
        return [f"{call.function} (line {call.line}, position {call.column})" for call in self.calls]

    @property
    def message(self) -> str:
        """The text with its places, as the Rust engine shows it."""
        if self.stage == "parse":
            return self.text
        if self.is_system:
            return self.text + place(self.line, self.column)
        lines = [self.text + place(self.own_line, self.own_column)]
        lines += [f"in call to function '{call.function}'{place(call.line, call.column)}" for call in self.calls]
        return "\n".join(lines)

    def __str__(self) -> str:
        if self.stage == "parse":
            return self.text + place(self.line, self.column)
        return self.message


def place(line: int, column: int) -> str:
    """`` (line 1, position 2)``, or nothing for line 0."""
    return f" (line {line}, position {column})" if line else ""


def parse_error(kind: str, text: str, line: int, column: int, detail: str | None = None) -> RhaiError:
    """An error of the parser."""
    return RhaiError(kind, text, line, column, stage="parse", detail=detail)
