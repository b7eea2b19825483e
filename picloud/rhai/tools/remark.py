"""A warning."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Remark:
    """Something in a script that compiles and is most likely a mistake."""

    code: str
    """Which kind of mistake; see ``warnings.py``."""
    line: int
    column: int
    text: str
    advice: str = ""
    """How to mend it, if that isn't said by the text."""
