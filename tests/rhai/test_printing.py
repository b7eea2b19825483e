"""Values as text: the language's way, the engine's own, and what a host says of its types."""

from __future__ import annotations

import pytest

from picloud.rhai import Engine


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (
            "[1, 'c', \"s\", 2.5, (), 0..3, blob(2, 1), #{k: 'c'}].to_string()",
            '[1, c, "s", 2.5, (), 0..3, [0101], #{"k": c}]',
        ),
        ("'c'.to_debug()", "c"),
        ("1e20.to_string() + ' ' + 1.0 + ' ' + 0.0000001", "1e20 1.0 0.0000001"),
        ("[1e20, 0.0000001, -0.0].to_string()", "[1e20, 1e-7, -0.0]"),
        ('"abc".chars().to_string()', "range"),
        ("5.bits() + 'x'.to_string()", "rangex"),
        ('"" + (1..) + (0..=2)', "1..0..=2"),
        ('#{b: 1, a: ["x\\n"]}.to_json()', '{"a":["x\\n"],"b":1}'),
    ],
)
def test_a_value_is_shown_as_the_rust_engine_shows_it(source: str, shown: str) -> None:
    assert Engine().compile(source).run() == shown


class Money:
    rhai_type = "money"


def test_a_type_of_the_host_is_shown_by_its_name_or_as_the_host_says() -> None:
    engine = Engine()
    engine.register_type(Money, "money")
    engine.register_fn("money", Money)
    assert engine.compile("`${money()} ${[money()]}`").run() == "money [money]"
    engine.register_fn("to_string", lambda _: "three", "money")
    engine.register_fn("to_debug", lambda _: "money(3)", "money")
    assert engine.compile("`${money()} ${[money()]}`").run() == "three [money(3)]"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        # Right between two shortest texts, where Python takes the even digit.
        ("549755813888.03125", "549755813888.0313"),
        ("900719925474099.25", "9.007199254740993e14"),
        ("8796093022208.0625", "8796093022208.063"),
        ("8796093022208.1875", "8796093022208.188"),
        ("-549755813888.03125", "-549755813888.0313"),
        ("0.1 + 0.2", "0.30000000000000004"),
    ],
)
def test_a_float_between_two_texts_is_shown_as_the_larger(number: str, text: str) -> None:
    assert Engine().compile(f"let x = {number}; x.to_string()").run() == text
