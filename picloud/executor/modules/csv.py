"""``csv::``: tables as text (RFC 4180).

    csv::parse(text)            an array of maps, by the names in the first row      csv::parse(text, options)
    csv::rows(text)             an array of arrays                                   csv::rows(text, options)
    csv::format(rows)           the text of an array of arrays, or of maps           csv::format(rows, options)

Options are ``delimiter`` and ``quote`` (one character each), to format also ``columns`` (which fields of maps, in which
order; otherwise all, in the order of their names), ``header`` (false leaves the names out) and ``newline``.
Every value that is read is a string. An empty line is no row.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from io import StringIO
from typing import Any, Final

from picloud.executor.faults import refusal
from picloud.executor.modules.options import Known, options_of, strings_of
from picloud.executor.plain import with_article
from picloud.rhai.errors import too_large
from picloud.rhai.packages.budget import CEILING, charge, check_array, check_map, check_string, utf8_length
from picloud.rhai.packages.declare import Package
from picloud.rhai.printing import to_string
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import Char

PACKAGE: Final = Package("csv")

_READING: Final[Known] = {"delimiter": (str,), "quote": (str,)}
_WRITING: Final[Known] = {**_READING, "columns": (list,), "header": (bool,), "newline": (str,)}
_PER_ROW: Final = 2
_PER_FIELD: Final = 8

# There is a limit of the string's size already.
csv.field_size_limit(CEILING)


@PACKAGE.function("parse", "string", run=True)
@PACKAGE.function("parse", "string", "map", run=True)
def parse(run: Run, text: str, options: dict[str, Any] | None = None) -> list[dict[str, str]]:
    """Return a map for each row but the first, which has the names."""
    walk = _rows(run, "csv::parse", text, options or {})
    _, names = next(walk, (0, []))
    twice = next((name for at, name in enumerate(names) if name in names[:at]), None) if len(names) <= 10_000 else None
    if twice is not None:
        raise refusal("csv::parse", f"two columns are called {twice[:40]!r}; csv::rows reads a table by position")
    check_map(run, len(names))
    found: list[dict[str, str]] = []
    for line, row in walk:
        if len(row) != len(names):
            raise refusal("csv::parse", f"the row in line {line} has {len(row)} fields, the first row {len(names)}")
        found.append(dict(zip(names, row, strict=True)))
        check_array(run, len(found), 1)
    return found


@PACKAGE.function("rows", "string", run=True)
@PACKAGE.function("rows", "string", "map", run=True)
def rows(run: Run, text: str, options: dict[str, Any] | None = None) -> list[list[str]]:
    """Return an array for each row."""
    found: list[list[str]] = []
    for _, row in _rows(run, "csv::rows", text, options or {}):
        found.append(row)
        check_array(run, len(found), 1)
    return found


def _rows(run: Run, function: str, text: str, given: dict[str, Any]) -> Iterator[tuple[int, list[str]]]:
    """The rows that aren't empty, with the number of the line that each ends in."""
    delimiter, quote = _signs(function, options_of(function, given, _READING))
    reader = csv.reader(_lines(run, text, delimiter), delimiter=delimiter, quotechar=quote, strict=True)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise refusal(function, f"line {reader.line_num}: {_said(str(error), quote)}") from None
        if row is None:
            return
        run.pay(_PER_ROW + sum(map(len, row)) // 16 + len(row) // _PER_FIELD)
        check_array(run, len(row), 0)
        if row:
            yield reader.line_num, row


def _lines(run: Run, text: str, delimiter: str) -> Iterator[str]:
    """The lines of a text, without the mark of the order of bytes that is no part of the first name."""
    most = run.limits.max_array_size or CEILING
    for line in StringIO(text.removeprefix("\ufeff"), newline=""):
        charge(run, len(line) * 4)
        # The reader makes a whole row before anybody can say that it is too long.
        if len(line) > most and line.count(delimiter) >= most:
            raise too_large("Size of array/BLOB")
        yield line


def _said(error: str, quote: str) -> str:
    if error.startswith("unexpected end"):
        return f"a {quote} is never closed"
    if "expected after" in error:
        return f"behind a closing {quote} the field doesn't end; within a field it is written twice"
    return error


def _signs(function: str, options: dict[str, Any]) -> tuple[str, str]:
    signs = options.get("delimiter", ","), options.get("quote", '"')
    for name, sign in zip(("delimiter", "quote"), signs, strict=True):
        if len(sign) != 1 or sign in "\r\n\0 ":
            raise refusal(function, f"the {name} is one character, and no space, not {sign[:20]!r}")
    if signs[0] == signs[1]:
        raise refusal(function, f"delimiter and quote are both {signs[0]!r}")
    return signs


@PACKAGE.function("format", "array", run=True)
@PACKAGE.function("format", "array", "map", run=True)
def format_(run: Run, given: list[Any], options: dict[str, Any] | None = None) -> str:
    """Return a table as text: of arrays as they are, of maps with their names in the first row."""
    chosen = options_of("csv::format", options or {}, _WRITING)
    delimiter, quote = _signs("csv::format", chosen)
    newline = chosen.get("newline", "\r\n")
    if newline not in ("\r\n", "\n"):
        raise refusal("csv::format", f'the newline is "\\r\\n" or "\\n", not {newline[:20]!r}')
    text = StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quotechar=quote, lineterminator=newline)
    most = run.limits.max_string_size or CEILING
    size = 0
    for row in _texts(run, given, chosen):
        size += sum(map(utf8_length, row)) + len(row) + len(newline) - 1
        if size > most:
            raise too_large("Length of string")
        run.pay(_PER_ROW + sum(map(len, row)) // 16 + len(row) // _PER_FIELD)
        writer.writerow(row)
    made = text.getvalue()
    check_string(run, utf8_length(made))
    return made


def _texts(run: Run, given: list[Any], chosen: dict[str, Any]) -> Iterable[list[str]]:
    columns = strings_of("csv::format", "columns", chosen["columns"]) if "columns" in chosen else None
    if given and all(type(row) is dict for row in given):
        names: set[str] = set()
        if columns is None:
            for row in given:
                names.update(row)
                run.pay(1 + len(row) // 16)
            columns = sorted(names)
        if chosen.get("header", True):
            yield columns
        for number, row in enumerate(given, 1):
            yield [_field(run, row.get(name), number, name) for name in columns]
        return
    if columns is not None:
        yield columns
    for number, row in enumerate(given, 1):
        if type(row) is not list:
            raise refusal("csv::format", f"row {number} is {with_article(row)}; rows are all arrays or all maps")
        yield [_field(run, value, number, at) for at, value in enumerate(row, 1)]


def _field(run: Run, value: Any, row: int, column: str | int) -> str:
    if type(value) is str:
        return value
    if value is None:
        return ""
    if type(value) in (bool, int, float, Char):
        return to_string(run, value)
    raise refusal("csv::format", f"row {row}, column {str(column)[:40]} is {with_article(value)}, which is no field")
