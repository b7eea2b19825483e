"""Output for people: tables, times, durations. Without a terminal, plain text that scripts can cut."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import click

STATE_COLOURS: Final = {
    "succeeded": "green",
    "dead": "red",
    "failed": "red",
    "cancelled": "yellow",
    "retrying": "yellow",
    "suspended": "blue",
    "running": "cyan",
    "live": "green",
    "finished": "green",
    "finishing": "cyan",
    "paused": "yellow",
    "aborted": "red",
    "saved": "green",
    "sent": "green",
    "queued": "cyan",
    "kept": "green",
}


def as_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=2 if sys.stdout.isatty() else None, ensure_ascii=False))


def as_json_lines(values: Iterable[Any]) -> None:
    """Print each value as a line of JSON."""
    for value in values:
        click.echo(json.dumps(value, ensure_ascii=False))


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Print a table; without rows the sentence ``empty``. On a terminal long cells are folded."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        click.echo(empty, err=True)
        return
    if not sys.stdout.isatty():
        for row in [list(headings), *cells]:
            click.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        shown.add_column(heading, overflow="fold")
    for row in cells:
        shown.add_row(*(Text(cell, style=STATE_COLOURS.get(cell, "")) for cell in row))
    Console().print(shown)


def when(text: str | None) -> str:
    """A time of the API in local time, to the millisecond."""
    if text is None:
        return ""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def duration(microseconds: int | None) -> str:
    """Microseconds in a unit that suits."""
    if microseconds is None:
        return ""
    if microseconds < 1_000:
        return f"{microseconds} µs"
    if microseconds < 1_000_000:
        return f"{microseconds / 1_000:.1f} ms"
    return f"{microseconds / 1_000_000:.2f} s"


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
