"""The steps of a traced run, and what the code of a traced program agrees on with those that take them down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

SCOPE: Final = ""
"""Stands among the names in sight for a scope in which variables live by name."""
THIS: Final = "this"
LENT_THIS: Final = ".this"
"""``this`` in a function that has it as it is, not in a box."""
EVAL: Final = "eval"
"""What steps in a text that was given to ``eval`` call it."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a step made of a variable, or of a part of it (``order.items[2]``): texts, shortened.

    ``old`` is None if it wasn't there before, ``new`` if it isn't any more.
    """

    name: str
    old: str | None
    new: str | None


@dataclass(slots=True, kw_only=True)
class Step:
    """Something that a script did.

    ``kind`` is ``line`` (it was begun), ``after`` (a line was done whose calls have steps of their own), ``enter`` and
    ``leave`` of a function, or what the host adds. ``part`` is the module that the line is in, empty for the script
    itself, ``eval`` for a text; ``function`` is empty at the top level of it. ``depth`` counts calls. ``text`` is the
    value that a function leaves with. ``changes`` are what variables were given by the step, of ``enter`` the
    parameters.
    """

    kind: str
    part: str
    function: str
    line: int
    depth: int
    text: str = ""
    changes: list[Change] = field(default_factory=list)


class Sink(Protocol):
    """Takes steps, in order, each when it is complete."""

    def __call__(self, step: Step) -> None:
        """Take a step."""
