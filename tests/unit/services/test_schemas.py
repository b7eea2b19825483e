"""JSON Schemas: which are refused, because they are wrong or could keep everybody waiting."""

from __future__ import annotations

import time
from typing import Any

import pytest

from picloud.domain.errors import Invalid
from picloud.services.schemas import MAX_PATTERNS, Schemas, check_schema

BRANCHING = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(25)} | {"a25": {"type": "string"}}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ([], "a schema is a map"),
        ({"type": "text"}, 'schema.type: "text" is not valid'),
        (
            {"properties": {"a": {"$ref": "http://127.0.0.1/x"}}},
            "schema.properties.a.$ref: 'http://127.0.0.1/x' leads out",
        ),
        ({"$ref": "file:///etc/passwd"}, "leads out of the schema"),
        ({"$defs": {"unused": {"$ref": "//example.com"}}}, "leads out of the schema"),
        ({"$id": "http://example.com/x", "$ref": "y"}, "schema.$id: $id is not allowed here"),
        ({"$dynamicRef": "#x"}, "$dynamicRef is not allowed"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "schemas here are of"),
        ({"$ref": "#"}, "leads out of the schema, or to all of it"),
        ({"$ref": "#/$defs/x"}, "there is nothing at '#/$defs/x'"),
        ({"$defs": {"n": {"items": {"$ref": "#/$defs/n"}}}, "$ref": "#/$defs/n"}, "leads back to itself"),
        ({"properties": {"a": {"$ref": "#/properties"}}}, "leads back to itself"),
        ({"$defs": BRANCHING, "$ref": "#/$defs/a0"}, "parts at most"),
        ({"pattern": "(?=x)"}, 'schema.pattern: "(?=x)" is not a "regex"'),
        ({"pattern": r"(x)\1"}, 'is not a "regex"'),
        ({"pattern": "((x{500}){500}){500}"}, 'is not a "regex"'),
        ({"allOf": [{"pattern": "x"}] * (MAX_PATTERNS + 1)}, "1,000 patterns at most, this one has 1,001"),
        ({"description": "x" * 70_000}, "65,536 bytes at most"),
    ],
)
def test_a_schema_is_refused_with_what_is_wrong(schema: Any, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_schema(schema)
    assert told in refused.value.message


def test_a_schema_that_nests_beyond_measure_is_refused() -> None:
    schema: Any = {}
    for _ in range(5_000):
        schema = {"not": schema}
    with pytest.raises(Invalid):
        check_schema(schema)


def test_what_does_not_fit_is_told_with_its_place() -> None:
    schema = check_schema(
        {
            "type": "object",
            "required": ["customer"],
            "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/item"}}},
            "$defs": {"item": {"properties": {"price": {"type": "number", "minimum": 0}}}},
        }
    )
    schemas = Schemas()
    schemas.check(schema, {"customer": "Anna", "items": [{"price": 1.5}]}, "orders")
    with pytest.raises(Invalid) as refused:
        schemas.check(schema, {"items": [{}, {"price": -1}]}, "orders")
    assert refused.value.message.startswith("the document doesn't fit the schema of orders: ")
    assert "data.items[1].price: -1 is less than the minimum of 0" in refused.value.message
    assert '"customer" is a required property' in refused.value.message


def test_a_pattern_takes_no_time_whatever_the_text() -> None:
    schema = check_schema({"properties": {"a": {"pattern": "^(a+)+$"}}})
    began = time.monotonic()
    assert Schemas().faults(schema, {"a": "a" * 200_000 + "!"})
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("schema", "document"),
    [
        ({"items": {"allOf": [{"minimum": 0}] * 4_000}}, [1] * 130_000),
        ({"items": {"enum": list(range(9_000))}}, [1] * 130_000),
        ({"pattern": "[ab]*a[ab]{250}c"}, "ab" * 130_000),
        ({"items": {"allOf": [{"pattern": "[ab]*a[ab]{250}c"}] * 50}}, ["ab" * 12_000]),
        ({"uniqueItems": True}, [{"a": number} for number in range(20_000)]),
    ],
    ids=["parts", "enum", "slow pattern", "slow patterns", "unique"],
)
def test_nothing_that_is_taken_keeps_others_waiting_for_long(schema: Any, document: Any) -> None:
    text = check_schema({"properties": {"a": schema}})
    schemas = Schemas()
    schemas.faults(text, {})
    began = time.process_time()
    schemas.faults(text, {"a": document})
    assert time.process_time() - began < 3


def test_a_document_that_is_too_much_for_its_schema_is_refused() -> None:
    text = check_schema({"properties": {"a": {"items": {"allOf": [{"minimum": 0}] * 4_000}}}})
    with pytest.raises(Invalid, match="it is too large to be checked by so large a schema"):
        Schemas().check(text, {"a": [1] * 130_000}, "orders")
    assert not Schemas().faults(text, {"a": [1] * 1_000})


def test_members_may_be_called_as_keywords_are() -> None:
    check_schema({"properties": {"$ref": {"type": "string"}, "$id": {"type": "string"}}, "enum": [{"$ref": "x"}, {}]})
