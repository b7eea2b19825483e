"""What natives may cost: each pays for its size, and no value gets over a limit, not even for a moment."""

from __future__ import annotations

import time

import pytest

from picloud.rhai import Engine, Limits, RhaiError
from picloud.rhai.printing import LONGEST, display

LIMITS = Limits(max_operations=50_000, max_string_size=100_000, max_array_size=20_000, max_map_size=2_000)
SECONDS = 5


def failure(source: str, limits: Limits = LIMITS) -> RhaiError:
    began = time.monotonic()
    with pytest.raises(RhaiError) as caught:
        Engine(limits).compile(source).run()
    assert time.monotonic() - began < SECONDS, f"{source} took too long"
    return caught.value


@pytest.mark.parametrize(
    "source",
    [
        'let s = "x"; s.pad(1000000000, "y");',
        "let s = \"x\"; s.pad(9223372036854775807, 'y');",
        'let s = "xy"; loop { s += s; }',
        'let s = "xy"; loop { s = s + s; }',
        'let s = "a"; s.pad(9000, "b"); s.replace("b", s);',
        "let a = [1]; a.pad(1000000000, 1);",
        "let a = [1]; loop { a += a; }",
        "let a = [1]; loop { a.append(a); }",
        "let a = [1]; loop { a = a + a; }",
        "let a = [1]; loop { a = [a, a]; }",
        "let m = #{x: 1}; loop { m = #{x: m, y: m}; }",
        "blob(9223372036854775807)",
        "let b = blob(10); b.pad(1000000000, 1);",
        "let b = blob(10); loop { b += b; }",
        'let s = "a"; s.pad(30000, "b"); s.to_chars();',
        'let s = "a"; s.pad(30000, "b"); s.split("");',
    ],
)
def test_a_value_over_its_limit_is_an_error_before_it_is_made(source: str) -> None:
    assert failure(source).inner == "ErrorDataTooLarge"


@pytest.mark.parametrize(
    "source",
    [
        'let s = "a"; s.pad(90000, "b"); loop { s.replace("b", "c"); s.replace("c", "b"); }',
        'let s = "a"; s.pad(90000, "b"); loop { s.index_of("z"); }',
        'let s = "a"; s.pad(90000, "b"); loop { s.to_upper(); }',
        "let a = []; a.pad(20000, 1); loop { a.sort(); }",
        "let a = []; a.pad(20000, 1); loop { a.reverse(); }",
        "let a = []; a.pad(20000, 1); loop { a.index_of(2); }",
        "let a = []; a.pad(20000, 1); loop { a.extract(0); }",
        "let a = []; a.pad(20000, 1); loop { a == a; }",
        "let a = []; a.pad(20000, 1); loop { a.to_string(); }",
        "let m = #{}; for i in 0..2000 { m[`k${i}`] = i; } loop { m.keys(); }",
        "for i in range(0, 9223372036854775807, 1) {}",
        "for i in range(0.0, 1.0, 1e-300) {}",
        "[3, 1, 2].sort(|a, b| loop {});",
        "[1, 2].dedup(|a, b| loop {});",
    ],
)
def test_natives_in_a_loop_use_up_the_budget(source: str) -> None:
    assert failure(source).inner == "ErrorTooManyOperations"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("2 ** 64", "Exponential overflow: 2 ** 64"),
        ("let x = 9223372036854775807; x + 1", "Addition overflow: 9223372036854775807 + 1"),
        ("let x = 1; x / 0", "Division by zero: 1 / 0"),
        ("1e20.to_int()", "Integer overflow: to_int(100000000000000000000) (line 1, position 6)"),
        ("timestamp() + 9223372036854775807", "Timestamp overflow when adding 9223372036854775807 second(s)"),
        ("[1, 'a'].sort()", "Function not found: elements of different types cannot be sorted (line 1, position 10)"),
    ],
)
def test_arithmetic_that_python_would_refuse_or_do_anyway_is_an_error_of_the_language(
    source: str, message: str
) -> None:
    assert failure(source).message.startswith(message)


def test_a_value_that_holds_itself_many_times_is_shown_cut_off() -> None:
    value: list[object] = [1]
    for _ in range(60):
        value = [value, value]
    assert len(display(value)) == LONGEST + 1


def test_a_deeply_nested_value_is_shown_without_recursion() -> None:
    value: list[object] = []
    for _ in range(60_000):
        value = [value]
    assert display(value) == "[" * 60_001 + "]" * 60_001


def test_json_nested_too_deeply_is_an_error_of_the_language() -> None:
    error = failure('let s = ""; s.pad(40000, "["); parse_json(s)')
    assert (error.inner, error.text) == ("ErrorParsing", "Syntax error: Expression exceeds maximum complexity")


@pytest.mark.parametrize("operator", ["==", "!=", "<", "<=", ">", ">="])
@pytest.mark.parametrize("value", ["0.0", "-0.0", "1.5", "1e300"])
def test_zero_is_the_one_number_that_equals_what_is_none(operator: str, value: str) -> None:
    source = f"let z = {value}; let n = 0.0 / 0.0; [z {operator} n, n {operator} z, n {operator} n]"
    equal = float(value) == 0 and operator in ("==", "<=", ">=")
    assert Engine().compile(source).run() == [equal, equal, False]


@pytest.mark.parametrize("value", ["[1, 2, 3]", "blob(3, 1)", '"abc"'])
@pytest.mark.parametrize("method", ["truncate", "chop", "pad", "extract", "remove", "crop", "drain", "retain"])
@pytest.mark.parametrize("number", ["-1", "-9223372036854775808", "0"])
def test_a_negative_size_costs_nothing(value: str, method: str, number: str) -> None:
    program = Engine(LIMITS).compile(f"let n = {number}; let v = {value}; try {{ v.{method}(n); }} catch {{ }} v.len")
    program.run()
    assert program.operations < 100
