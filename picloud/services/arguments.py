"""What scripts hand to services: read, checked, and refused in the words of scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, Final

from picloud.domain.errors import DomainError
from picloud.services.work import ServiceError

Options = Mapping[str, tuple[type, str]]
"""The options that a function takes: of each the type, ``object`` for any, and what is said of it."""

OF_ORDER: Final[Options] = {
    "delay": (str, 'a string such as "5m"'),
    "due": (str, 'a string such as "2030-01-31T08:00:00Z"'),
    "ordering_key": (str, "a string"),
    "priority": (int, "an integer from 0 to 9"),
}
"""When something is due, what it comes behind, how urgent it is."""


@contextmanager
def refused_as(function: str) -> Iterator[None]:
    """Tell the script what the domain refuses, and how to mend it."""
    try:
        yield
    except DomainError as error:
        raise ServiceError(f"{function}: {error.message}" + (f". {error.remedy}" if error.remedy else "")) from None


def name_of(value: Any, function: str, what: str) -> str:
    """``value`` if it is a string, as the name of ``what`` is."""
    if not isinstance(value, str):
        raise ServiceError(f"{function} takes the {what} as a string, not {kind_of(value)}")
    return value


def kind_of(value: Any) -> str:
    """The type of a value as scripts know it."""
    names = {type(None): "()", bool: "bool", int: "i64", float: "f64", bytes: "blob", list: "array", dict: "map"}
    return names.get(type(value), "string")


def options_of(function: str, given: Any, known: Options) -> dict[str, Any]:
    """The options that a script gives, each of its type; none if it gives none."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        example = next(iter(known))
        raise ServiceError(f'{function} takes its options as a map, such as #{{{example}: "5m"}}, not {kind_of(given)}')
    for name, value in given.items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(known)}"
            raise ServiceError(f"{function} has no option {name[:40]!r}: {meant}")
        wanted, said = known[name]
        if wanted is not object and type(value) is not wanted:
            raise ServiceError(f"{function}: {name} is {said}, not {kind_of(value)}")
    return dict(given)


def json_of(function: str, value: Any) -> bytes:
    """The data that a script sends, as JSON; no bytes for ``()``."""
    if value is None:
        return b""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise ServiceError(f"{function}: the data can't be sent as JSON: {error}") from None
