"""Source text to tokens."""

from __future__ import annotations

from typing import Any

import pytest

from picloud.rhai.lexer import tokens


def values(source: str) -> list[tuple[str, Any]]:
    return [(kind, value) for kind, value, _, _ in tokens(source) if kind != "end"]


@pytest.mark.parametrize(
    ("source", "kind", "value"),
    [
        ("42", "int", 42),
        ("1_000_000", "int", 1_000_000),
        ("0xFF", "int", 255),
        ("0xFFFFFFFFFFFFFFFF", "int", -1),
        ("0o17", "int", 15),
        ("0b1010_1010", "int", 170),
        ("9223372036854775807", "int", 2**63 - 1),
        ("9223372036854775808", "float", 2.0**63),
        ("-9223372036854775808", "int", -(2**63)),
        ("-5", "int", -5),
        ("5. ", "float", 5.0),
        ("1.5e-3", "float", 0.0015),
        ("1e3", "float", 1000.0),
        ('"a\\tb\\x41\\u0042\\U0001F600\\""', "str", 'a\tbAB\U0001f600"'),
        ('"a""b"', "str", 'a"b'),
        ('"one \\\n     two"', "str", "one     two"),
        ("'x'", "char", "x"),
        ("'\\''", "char", "'"),
        ("`\na\nb`", "str", "a\nb"),
        ("`a``b`", "str", "a`b"),
        ("`\\${x}`", "str", "${x}"),
        ('#"a\\n"#', "str", "a\\n"),
        ('##"a"#b"##', "str", 'a"#b'),
    ],
)
def test_a_literal_has_its_value(source: str, kind: str, value: object) -> None:
    assert values(source) == [(kind, value)]


def test_a_minus_belongs_to_the_number_where_an_operand_may_begin() -> None:
    assert [kind for kind, _ in values("x = -5 -5")] == ["name", "=", "int", "-", "int"]


def test_a_dot_behind_a_number_is_a_range_or_a_property_where_it_can_be() -> None:
    assert values("0..10") == [("int", 0), ("..", ".."), ("int", 10)]
    assert values("1.abs") == [("int", 1), (".", "."), ("name", "abs")]


def test_a_text_holds_the_tokens_between_its_braces() -> None:
    kinds = [kind for kind, _ in values("`a${#{b: `${c}`}}d`")]
    assert kinds == ["text", "{", "#{", "name", ":", "text", "{", "name", "}", "str", "}", "}", "str"]


def test_comments_nest_and_are_left_out() -> None:
    assert values("1 /* a /* b */ c */ + // d\n2") == [("int", 1), ("+", "+"), ("int", 2)]


def test_documentation_is_kept_for_the_token_behind_it() -> None:
    found = tokens("/// one\n/// two\nfn f() {}")
    assert found.documents == {found[0]: ["/// one", "/// two"]}


def test_places_count_characters_from_one() -> None:
    assert [(line, column) for _, _, line, column in tokens('"é✓" x\n\ty')][:3] == [(1, 1), (1, 6), (2, 2)]


def test_nothing_follows_what_is_no_token() -> None:
    assert [kind for kind, *_ in tokens("a ° b")] == ["name", "error", "end", "end"]


def test_places_stop_at_the_limit_of_rust() -> None:
    name, *_ = tokens(" " * 70_000 + "x")
    assert name[2:] == (1, 65_535)
