"""What a suspended run waits for: a message of some topics, whose data has some members."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from picloud.domain.errors import Invalid

MAX_MEMBERS: Final = 16
MAX_BYTES: Final = 4_096
"""Of a filter as JSON."""


def check_filter(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filter if messages can be compared with it; raise :class:`Invalid` otherwise."""
    if len(wanted) > MAX_MEMBERS:
        raise Invalid(
            f"a filter has {MAX_MEMBERS} members at most, this one has {len(wanted)}",
            field="filter",
            remedy="Wait for one member that tells the message from others, such as its id.",
        )
    try:
        size = len(json.dumps(wanted, allow_nan=False, separators=(",", ":")))
    except (TypeError, ValueError):
        raise Invalid(
            "a filter's values are what JSON has, without blobs",
            field="filter",
            remedy='For example: #{order: 7, "customer.id": "ada"}.',
        ) from None
    if size > MAX_BYTES:
        raise Invalid(f"a filter has {MAX_BYTES:,} bytes at most as JSON, this one has {size:,}", field="filter")
    return dict(wanted)


def fits(wanted: Mapping[str, Any], data: Any) -> bool:
    """Whether ``data`` has all that is ``wanted``: by dotted paths, values that are equal as JSON is."""
    return all(_same(value, _at(path, data)) for path, value in wanted.items())


_NOTHING: Final = object()


def _at(path: str, data: Any) -> Any:
    for step in path.split("."):
        if isinstance(data, dict):
            data = data.get(step, _NOTHING)
        elif isinstance(data, list) and step.isascii() and step.isdigit() and int(step) < len(data):
            data = data[int(step)]
        else:
            return _NOTHING
    return data


def _same(wanted: Any, found: Any) -> bool:
    """1 is 1.0, as in JSON, but true is not 1."""
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(_same, wanted, found))
    if isinstance(wanted, dict) and isinstance(found, dict):
        return wanted.keys() == found.keys() and all(_same(value, found[key]) for key, value in wanted.items())
    return bool(wanted == found)
