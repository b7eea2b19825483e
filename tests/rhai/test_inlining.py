"""Small functions are written out where they are called, and nobody can tell."""

from __future__ import annotations

from typing import Any

import pytest

from picloud.rhai import Engine, Limits, RhaiError


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("fn double(n) { n * 2 } let t = 0; for i in 0..4 { t += double(i); } t", 12),
        ("fn sign(n) { if n < 0 { -1 } else if n > 0 { 1 } else { 0 } } [-1, 0, 1].map(|i| sign(i))", [-1, 0, 1]),
        ("fn is_odd(n) { n % 2 == 1 } let a = []; for i in -3..4 { a.push(is_odd(i)); } a", None),
        ("fn half(n) { n / 2 } let a = []; for i in -3..4 { a.push(half(i)); } a", [-1, -1, 0, 0, 0, 1, 1]),
        ("fn sum(n) { if n == 0 { return 0; } n + sum(n - 1) } let t = 0; for i in 0..5 { t += sum(i); } t", 20),
        ("fn first(a, b) { a } let t = 0; for i in 0..3 { t += first({ t += 10; 1 }, { t *= 2; 2 }); } t", None),
        ("let n = 0; let next = || { n += 1; n }; let t = 0; for i in 0..3 { t += next.call() * 10; } [n, t]", [3, 60]),
        # Functions and closures that call others are written out together with them.
        ("fn a(n) { n + 1 } fn b(n) { a(n) * a(n + 1) } let t = 0; for i in 0..3 { t += b(i); } t", 20),
        ("let k = 1; let f = |x| x + k; let g = |x| f.call(x) * 2; let t = 0; for i in 0..3 { t += g.call(i); } t", 12),
        ("let k = 5; let add = |x| x + k; let t = 0; for i in 0..3 { k += 1; t += add.call(i); } t", 24),
    ],
)
def test_a_small_function_gives_what_it_gave(source: str, value: Any) -> None:
    if value is None:
        value = Engine().compile(source.replace("for i in", "eval(``); for i in")).run()  # which nothing is certain in
    assert Engine().compile(source).run() == value


@pytest.mark.parametrize(
    ("source", "message", "line", "column"),
    [
        (
            "fn big(n) {\n n * 9223372036854775807 }\nlet t = 0;\nfor i in 0..4 { t = big(i); }",
            "Multiplication overflow",
            0,  # operators have no place
            0,
        ),
        (
            "let n = 9223372036854775806;\nlet next = || { n += 1; n };\nfor i in 0..2 { next.call(); }",
            "Addition overflow",
            2,
            19,
        ),
    ],
)
def test_what_does_not_fit_is_an_error_of_the_function(source: str, message: str, line: int, column: int) -> None:
    with pytest.raises(RhaiError, match=message) as caught:
        Engine().compile(source).run()
    assert caught.value.kind == "ErrorInFunctionCall"
    assert (caught.value.innermost.line, caught.value.innermost.column) == (line, column)


def test_a_function_that_is_written_out_counts_as_a_level_of_calls() -> None:
    source = (
        "fn leaf(n) { n + 1 } "
        "fn deep(n) { if n == 0 { let t = 0; for i in 0..2 { t = leaf(i); } t } else { deep(n - 1) } } deep(N)"
    )
    _is_within(source, "6", "7")
    _is_within("fn both(n) { leaf(leaf(n)) }" + source.replace("leaf(i)", "both(i)"), "5", "6")


def _is_within(source: str, fits: str, too_deep: str) -> None:
    engine = Engine(Limits(max_call_levels=8))
    engine.compile(source.replace("N", fits)).run()
    with pytest.raises(RhaiError) as caught:
        engine.compile(source.replace("N", too_deep)).run()
    assert caught.value.innermost.kind == "ErrorStackOverflow"
