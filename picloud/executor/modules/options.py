"""The options that a script gives a function of the platform: a map, each of its type, none that isn't known."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from picloud.executor.faults import refusal
from picloud.executor.plain import with_article
from picloud.rhai.values import Char

_SAID: Final = {str: "a string", bool: "true or false", int: "an integer", list: "an array", dict: "a map"}

Known = Mapping[str, tuple[type, ...]]
"""The types that each option may have."""


def options_of(function: str, given: dict[str, Any], known: Known) -> dict[str, Any]:
    """The options given, characters as strings. Raises an error of the script's for what is unknown or of another
    type."""
    taken = {}
    for name, value in given.items():
        types = known.get(name)
        if types is None:
            near = get_close_matches(name[:40], known, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise refusal(function, f"there is no option {name[:40]!r}: {meant}")
        plain = value.text if type(value) is Char else value
        if type(plain) not in types:
            wanted = " or ".join(_SAID[each] for each in types)
            raise refusal(function, f"the option {name} is {wanted}, not {with_article(value)}")
        taken[name] = plain
    return taken


def strings_of(function: str, what: str, items: list[Any]) -> list[str]:
    """The strings of an array."""
    for item in items:
        if type(item) is not str:
            raise refusal(function, f"{what} are strings, not {with_article(item)}")
    return items
