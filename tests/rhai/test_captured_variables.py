"""Variables that closures captured: who asks whether they are shared, and who may see them while a method runs."""

from __future__ import annotations

import pytest

from picloud.rhai.scoreboard import answer


@pytest.mark.parametrize("question", ["x.is_shared()", "is_shared(x)", "x.is_shared() == true"])
def test_a_captured_variable_says_that_it_is_shared(question: str) -> None:
    assert answer(f"let x = 1; let f = |y| x + y; {question}")["value"] == ["bool", True]
    assert answer(f"let x = 1; let y = 2; let f = |y| y; {question}")["value"] == ["bool", False]


@pytest.mark.parametrize(
    "script",
    [
        "let x = [1, 2]; x.map(|v| x.len() + v)",
        "let x = [1, 2]; x.for_each(|v| { x.push(v); })",
        "let x = #{a: 1}; x.f = || x.a; x.f()",
        "let x = #{a: 1}; x.f = || { x.a += 1; }; x.f()",
        "let x = #{a: #{}}; x.a.f = || x.a; x.a.f()",
        "fn run(f) { f.call() } let x = 1; let f = || x; x.run(f)",
        "let f = (); f = |n| if n == 0 { 0 } else { f.call(n - 1) }; f.call(3)",
    ],
)
def test_a_closure_that_uses_a_variable_while_a_method_runs_on_it_is_a_data_race(script: str) -> None:
    given = answer(script)
    assert (given.get("kind"), given.get("inner")) == ("ErrorInFunctionCall", "ErrorDataRace"), given


def test_a_locked_variable_among_the_curried_arguments_is_named_by_its_number() -> None:
    given = answer("let y = 1; let x = 5; let f = || y + x; x.call(f)")
    assert given["kind"] == "ErrorDataRace"
    assert "'argument #2 of function 'anon$" in given["message"]
    assert (given["line"], given["col"]) == (0, 0)


def test_the_variable_has_its_value_again_after_a_data_race() -> None:
    script = "let x = [1]; let f = || x; try { x.map(|v| x.len()) } catch (e) { x.push(2); } [x, f.call()]"
    assert answer(script)["display"] == "[[1, 2], [1, 2]]"


def test_an_error_that_no_script_may_catch_has_the_place_of_the_outermost_call() -> None:
    given = answer("fn f(n) { try { f(n + 1) } catch (e) { e } }\ntry { f(0) } catch (e) { 7 }")
    assert (given["kind"], given["line"], given["col"]) == ("ErrorStackOverflow", 2, 7)


def test_a_comparison_that_fails_within_a_sort_counts_for_nothing() -> None:
    given = answer("let x = [3, 2, 1]; x.sort(|a, b| [][0]); x")
    assert given["display"] == "[3, 2, 1]"


def test_an_unknown_variable_that_is_exported_is_told_where_its_name_stands() -> None:
    given = answer("export nobody as somebody;")
    assert (given["kind"], given["line"], given["col"]) == ("ErrorVariableNotFound", 1, 8)
