"""Options of commands that say how often a failed run is tried again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS: Final = (
    click.option("--attempts", type=click.IntRange(1, 100), help="Runs until it is dead."),
    click.option("--first-delay", metavar="DURATION", help="Before the second attempt, with jitter; then it grows."),
    click.option("--factor", type=float, help="By how much delays grow."),
    click.option("--max-delay", metavar="DURATION", help="How long a delay gets."),
    click.option("--delay", "delays", multiple=True, metavar="DURATION", help="Exact delays instead; may be repeated."),
    click.option("--retry-on", multiple=True, metavar="KIND", help="Try only these kinds of errors again."),
    click.option("--deadline", metavar="DURATION", help="No run starts later than this after the request."),
)


def with_retry_options(function: Function) -> Function:
    """Give a command these options; what was given is read by :func:`retry_asked`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def retry_asked(options: Mapping[str, Any]) -> dict[str, Any]:
    """What the API is told under ``retry``; empty if nothing was given."""
    retry = {
        "attempts": options["attempts"],
        "first": options["first_delay"],
        "factor": options["factor"],
        "max": options["max_delay"],
        "delays": list(options["delays"]) or None,
        "on": list(options["retry_on"]) or None,
        "deadline": options["deadline"],
    }
    return {name: value for name, value in retry.items() if value is not None}
