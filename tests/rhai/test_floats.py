"""Integers and floats together, where nothing is known of them beforehand."""

from __future__ import annotations

import pytest

from picloud.rhai import Engine

NAN = "0.0 / 0.0"


@pytest.mark.parametrize(
    ("first", "operator", "second", "answer"),
    [
        ("2", "*", "1.5", "3.0"),
        ("1.5", "-", "2", "-0.5"),
        ("9007199254740993", "+", "0.0", "9007199254740992.0"),
        ("1", "/", "-0.0", "-inf"),
        ("3", "<", "3.5", "true"),
        ("3.5", "<=", "3", "false"),
        ("0.1 + 0.2", "==", "0.3", "true"),  # floats are compared with a tolerance
        ("1.0 / 0.0", ">", "0", "false"),  # which infinity is not made for
        (NAN, "==", NAN, "false"),
        (NAN, "==", "0", "true"),  # a quirk of the engine
        (NAN, "!=", "0.0", "false"),
        (NAN, ">=", "0", "true"),
        (NAN, "<", "0", "false"),
    ],
)
def test_numbers_of_both_kinds_go_together(first: str, operator: str, second: str, answer: str) -> None:
    mixed = f"let r = (); for x in [1, {first}] {{ for y in [1, {second}] {{ r = x {operator} y; }} }} r.to_debug()"
    assert Engine().compile(mixed).run() == answer
    member = (
        f"let m = #{{x: 0}}; for x in [1, {first}] {{ m.x = x; m.x = m.x {operator} [{second}][0]; }} m.x.to_debug()"
    )
    assert Engine().compile(member).run() == answer
