"""JSON Schemas of collections: which are taken, and whether a document fits one.

What anybody could be kept waiting by is refused: references to anything but a place in the schema itself, references
that lead back to where they stand, and schemas that come to too much when all references are written out. Patterns are
run by an engine whose time is linear in the text, which has no look-around and no back-references. What is left, a
large document and a schema that has much to say of it, is refused by what it could come to (:data:`MAX_WORK`).
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from picloud.domain.document import MAX_DEPTH, shortened
from picloud.domain.errors import Invalid

MAX_BYTES: Final = 64 * 1024
MAX_PARTS: Final = 10_000
"""Of a schema with all its references written out."""
MAX_FAULTS: Final = 5
MAX_PATTERNS: Final = 1_000
"""Of a schema, likewise."""
MAX_WORK: Final = 20_000_000
"""Parts of a schema times values in a document: a third of a second at worst."""
MAX_MATCHING: Final = 1_000_000
"""Patterns of a schema times bytes of a document: a second at worst, of patterns made to be slow."""
MAX_VALUES: Final = 131_072
"""More values no document has, by its bytes."""
REGEX_BYTES: Final = 32 * 1024
"""Of a pattern, compiled: a step of one that is made to be slow costs as much as it is large."""
KEPT: Final = 32
"""So many schemas are kept compiled."""

_UNKNOWN: Final = ("$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor")
_NO_SCHEMAS: Final = frozenset({"enum", "const", "default", "examples"})
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def check_schema(given: Any) -> str:
    """A schema as JSON text. Raises :class:`Invalid` with the place of what is wrong with it."""
    if not isinstance(given, dict):
        raise Invalid('a schema is a map, such as {"type": "object"}', field="schema")
    if given.get("$schema", _DIALECT) != _DIALECT:
        found = shortened(str(given["$schema"]))
        raise Invalid(
            f"$schema is {found}; schemas here are of {_DIALECT}",
            field="schema.$schema",
            remedy="Leave $schema out.",
        )
    try:
        text = json.dumps(given, allow_nan=False, separators=(",", ":"))
        cost = _Written(given).out(given, "schema", ())
    except RecursionError:
        raise Invalid("the schema nests too deep", field="schema") from None
    except ValueError as error:
        raise Invalid(f"the schema is no JSON: {error}", field="schema") from None
    if len(text) > MAX_BYTES:
        raise Invalid(f"a schema has {MAX_BYTES:,} bytes at most, this one has {len(text):,}", field="schema")
    for most, count, what in ((MAX_PARTS, cost.parts, "parts"), (MAX_PATTERNS, cost.patterns, "patterns")):
        if count > most:
            raise Invalid(
                f"with its references written out a schema has {most:,} {what} at most, this one has {count:,}",
                field="schema",
            )
    _compile(text)
    return text


class Schemas:
    """Schemas compiled, the last used ones kept."""

    def __init__(self) -> None:
        self._compiled: OrderedDict[str, tuple[Any, Cost]] = OrderedDict()

    def faults(self, schema: str, data: Any) -> list[tuple[str, str]]:
        """What of ``data`` doesn't fit the schema (JSON text): places and reasons, the first few; none if it fits."""
        validator, cost = self._validator(schema)
        if cost.is_too_much_for(data):
            return [("data", "it is too large to be checked by so large a schema")]
        found = []
        for fault in validator.iter_errors(data):
            place = "data" + "".join(_step(step) for step in fault.instance_path)
            found.append((place, fault.message if len(fault.message) <= 300 else fault.message[:299] + "…"))
            if len(found) == MAX_FAULTS:
                break
        return found

    def check(self, schema: str, data: Any, collection: str) -> None:
        """Raise :class:`Invalid` with the places in ``data`` that don't fit."""
        found = self.faults(schema, data)
        if found:
            told = "; ".join(f"{place}: {reason}" for place, reason in found)
            raise Invalid(
                f"the document doesn't fit the schema of {collection}: {told}",
                field=found[0][0],
                remedy=f"picloud docs schema show APP/{collection} prints it.",
            )

    def _validator(self, schema: str) -> tuple[Any, Cost]:
        compiled = self._compiled.get(schema)
        if compiled is None:
            root = json.loads(schema)
            compiled = self._compiled[schema] = _compile(schema), _Written(root).out(root, "schema", ())
            if len(self._compiled) > KEPT:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(schema)
        return compiled


def _compile(schema: str) -> Any:
    # Eight megabytes that most processes never need.
    import jsonschema_rs

    try:
        return jsonschema_rs.Draft202012Validator(
            json.loads(schema),
            pattern_options=jsonschema_rs.RegexOptions(size_limit=REGEX_BYTES, dfa_size_limit=REGEX_BYTES),
            offline=True,
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        place = "schema" + "".join(_step(step) for step in getattr(error, "instance_path", ()))
        reason = getattr(error, "message", None) or str(error)
        remedy = ""
        if 'is not a "regex"' in reason:
            remedy = "Patterns have no look-around and no back-references, and are of bearable size."
        raise Invalid(f"{place}: {reason[:300]}", field=place, remedy=remedy) from None


@dataclass(frozen=True, slots=True)
class Cost:
    """How many parts and patterns a schema has when its references are written out."""

    parts: int = 0
    patterns: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.parts + other.parts, self.patterns + other.patterns)

    def is_too_much_for(self, data: Any) -> bool:
        """Whether checking ``data`` could take so long that others would notice."""
        if self.parts * MAX_VALUES <= MAX_WORK and not self.patterns:
            return False
        values, characters = _measured(data)
        return self.parts * values > MAX_WORK or self.patterns * characters > MAX_MATCHING


class _Written:
    """A schema with its references written out: what that comes to."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._known: dict[str, Cost] = {}

    def out(self, part: Any, place: str, through: tuple[str, ...]) -> Cost:
        """The cost of ``part``. Raises :class:`Invalid` for a reference that isn't allowed."""
        cost = Cost(1)
        if isinstance(part, list):
            for index, each in enumerate(part):
                cost += self.out(each, f"{place}[{index}]", through)
        elif isinstance(part, dict):
            for name, value in part.items():
                cost += self._member(name, value, f"{place}.{name}", through)
        return cost

    def _member(self, name: str, value: Any, place: str, through: tuple[str, ...]) -> Cost:
        if name == "$ref" and isinstance(value, str):
            return self._referred(value, place, through)
        if name in _UNKNOWN and isinstance(value, str | bool):
            raise Invalid(
                f"{place}: {name} is not allowed here",
                field=place,
                remedy="Refer to parts of the schema by their places, such as #/$defs/address.",
            )
        if name == "$defs" and place == "schema.$defs":
            # They count where they are referred to; here they are only looked at.
            for inner, each in value.items() if isinstance(value, dict) else ():
                self.out(each, f"{place}.{inner}", through)
            return Cost()
        if name in _NO_SCHEMAS:
            return Cost(len(value) if isinstance(value, list) else 1)
        patterns = 1 if name == "pattern" else len(value) if name == "patternProperties" and value else 0
        return Cost(0, patterns) + self.out(value, place, through)

    def _referred(self, reference: str, place: str, through: tuple[str, ...]) -> Cost:
        if not reference.startswith("#/"):
            raise Invalid(
                f"{place}: {shortened(reference)} leads out of the schema, or to all of it",
                field=place,
                remedy="Refer to parts of the schema by their places, such as #/$defs/address.",
            )
        if reference in through:
            raise Invalid(
                f"{place}: {' → '.join((*through, reference))} leads back to itself",
                field=place,
                remedy="Write out as many levels as there are to be.",
            )
        if len(through) >= MAX_DEPTH:
            raise Invalid(f"{place}: references lead to references more than {MAX_DEPTH} times", field=place)
        cost = self._known.get(reference)
        if cost is None:
            cost = self._known[reference] = self.out(self._target(reference, place), place, (*through, reference))
        return cost

    def _target(self, reference: str, place: str) -> Any:
        part: Any = self._root
        for step in _steps(reference):
            if isinstance(part, dict) and step in part:
                part = part[step]
            elif isinstance(part, list) and step.isascii() and step.isdigit() and int(step) < len(part):
                part = part[int(step)]
            else:
                raise Invalid(f"{place}: there is nothing at {shortened(reference)}", field=place)
        return part


def _measured(data: Any) -> tuple[int, int]:
    """How many values are in ``data``, and the characters of its texts."""
    values = characters = 0
    left = [data]
    while left:
        value = left.pop()
        values += 1
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            left += value.values()
            characters += sum(map(len, value))
    return values, characters


def _steps(reference: str) -> Iterator[str]:
    """The steps of a JSON pointer in a fragment (RFC 6901, section 6)."""
    for step in reference.removeprefix("#/").split("/"):
        yield unquote(step).replace("~1", "/").replace("~0", "~")


def _step(step: Any) -> str:
    return f"[{step}]" if isinstance(step, int) else f".{step}"
