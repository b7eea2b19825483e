"""An error as a person reads it: where, the language's own message, the lines it speaks of, and advice.

    shop.rhai:3:12: error: Variable not found: totl (line 3, position 12)
    in call to function 'sum' (line 8, position 5)
      3 |     return totl;
        |            ^
        = did you mean `total`?
      8 |     sum(basket)
        |     ^ `sum` is called here

The message is that of the language. The place in front of it is where it happened, that is, of the
innermost error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from picloud.rhai.errors import RhaiError
from picloud.rhai.tools.excerpt import excerpt, printable
from picloud.rhai.tools.mending import Advice
from picloud.rhai.tools.remark import Remark

MOST_CALLS: Final = 6
"""Calls of which the line is shown; of a deeper stack the innermost and the outermost ones."""
_EVALUATED: Final = "<eval>"
"""The source of a text that was handed to ``eval``; nobody has kept it."""
_RED: Final = "\x1b[1;31m"
_YELLOW: Final = "\x1b[1;33m"
_CYAN: Final = "\x1b[36m"
_PLAIN: Final = "\x1b[0m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A place in a source with something to say about it."""

    source: str
    """Name of the source as the error knows it: empty for the script itself, else the path of a module."""
    line: int
    column: int
    label: str = ""
    is_call: bool = False
    function: str = ""
    """Name of the function that it is in; empty outside of functions."""


def report(
    error: RhaiError,
    sources: Mapping[str, str],
    name: str,
    *,
    advice: Iterable[Advice] = (),
    colours: bool = False,
) -> str:
    """Return an error as text of several lines, without a newline at the end.

    ``sources`` are the texts by name, the script's own under ``""``; lines of sources that aren't there are not shown.
    What ``sources`` has under ``"fn NAME"`` is the text that defined the function of that name, if it is another one.
    ``name`` is what the script is called.
    """
    notes = _notes(error)
    told = next((note for note in notes if note.source != _EVALUATED), notes[-1])
    shown = [heading(told.source or name, told.line, told.column, error.message, colours=colours)]
    own, *calls = _counted(notes)
    lines = _excerpt(own, sources)
    shown += lines
    for piece in advice:
        shown += _advised(piece, own, sources, colours=colours)
    left_out = len(calls) - MOST_CALLS
    if left_out > 0:
        calls = calls[: MOST_CALLS // 2] + calls[-(MOST_CALLS // 2) :]
    for index, call in enumerate(calls):
        if left_out > 0 and index == MOST_CALLS // 2:
            shown.append(f"  … {left_out} more {'call' if left_out == 1 else 'calls'} …")
        shown += _excerpt(call, sources)
    return "\n".join(shown)


def report_remark(remark: Remark, source: str, name: str, *, colours: bool = False) -> str:
    """Return a warning as text of several lines, without a newline at the end."""
    message = f"{remark.text} [{remark.code}]"
    shown = [heading(name, remark.line, remark.column, message, severity="warning", colours=colours)]
    note = Note(source="", line=remark.line, column=remark.column)
    shown += _excerpt(note, {"": source})
    if remark.advice:
        shown += _advised(Advice(remark.advice), note, {"": source}, colours=colours)
    return "\n".join(shown)


def heading(name: str, line: int, column: int, message: str, *, severity: str = "error", colours: bool = False) -> str:
    """Return the first line of what is said about a place: ``file:line:column: error: message``."""
    place = ":".join([name, *(str(part) for part in (line, column) if part)])
    word = f"{severity}:"
    if colours:
        word = f"{_RED if severity == 'error' else _YELLOW}{word}{_PLAIN}"
    where = f"{printable(place)}: " if name else ""
    return f"{where}{word} {printable(message)}"


def _advised(advice: Advice, own: Note, sources: Mapping[str, str], *, colours: bool) -> list[str]:
    """Return a piece of advice: below the excerpt of the error, or with an excerpt of its own."""
    if advice.line:
        return _excerpt(Note(source=own.source, line=advice.line, column=advice.column, label=advice.text), sources)
    gap = " " * (len(str(own.line)) + 3 if own.line and own.source in sources else 2)
    return [f"{gap}{f'{_CYAN}={_PLAIN}' if colours else '='} {advice.text}"]


def place_of(error: RhaiError) -> Note:
    """Return the place of the innermost error."""
    return _notes(error)[0]


def _notes(error: RhaiError) -> list[Note]:
    """Return the place of the innermost error, and those of the calls that it passed through, innermost first."""
    notes: list[Note] = []
    source = inside = ""
    at: RhaiError = error
    while at.cause is not None:
        if at.kind == "ErrorInFunctionCall":
            function, module = at.payload
            what = "a closure" if function.startswith("anon$") else f"`{function}`"
            label = f"{what} is called here"
            notes.append(
                Note(source=source, line=at.line, column=at.column, label=label, is_call=True, function=inside)
            )
            inside = function
            source = _EVALUATED if function == "eval" else module
        else:
            notes.append(Note(source=source, line=at.line, column=at.column, label="in this module"))
            source = str(at.payload[0]) if at.payload else ""
        at = at.cause
    notes.append(Note(source=source, line=at.line, column=at.column, function=inside))
    return notes[::-1]


def _counted(notes: list[Note]) -> list[Note]:
    """Return the notes with one for each row of equal ones, as a recursion leaves them."""
    counted = []
    for note, group in groupby(notes):
        count = len(list(group))
        counted.append(note if count == 1 else replace(note, label=f"{note.label}, {count} times"))
    return counted


def _excerpt(note: Note, sources: Mapping[str, str]) -> list[str]:
    source = sources.get(f"fn {note.function}", sources.get(note.source))
    if source is None or not note.line:
        return []
    lines = excerpt(source, note.line, note.column, note.label)
    if lines and note.source and note.is_call:
        lines = f"  in {note.source}:\n{lines}"
    return [lines] if lines else []
