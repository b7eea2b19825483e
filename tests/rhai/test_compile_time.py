"""The time to compile a script grows with its length, whatever is in it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from picloud.rhai import Engine, Limits, RhaiError

CHAINS = {
    "methods": lambda steps: "let x = #{}; x" + ".a.f()" * steps,
    "natives": lambda steps: "let x = #{}; x" + ".a.push(1)" * steps,
    "elements": lambda steps: "let x = []; x" + "[0].remove(0)" * steps,
    "calls of members": lambda steps: "let x = #{}; x" + ".a.call()" * steps,
    "script functions": lambda steps: "fn f() { this.a = 1; this } let x = #{}; x" + ".a.f()" * steps,
    "assignments in indexes": lambda steps: "let a = #{}; " + "a[{ " * steps + "0" + " }].b.c += 1; 0" * steps,
}
SCRIPTS: dict[str, Callable[[int], str]] = {
    "functions": lambda size: "fn f0(x) { x }" + "".join(f"fn f{i}(x) {{ f{i - 1}(x) + 1 }}" for i in range(1, size)),
    "a large map": lambda size: (
        f"let m = #{{ {','.join(f'a{i}: [{i}]' for i in range(size))} }}; let k = 'a';" + "print(m); m[k];" * size
    ),
    "arrays in an array": lambda size: (
        "let all = [];" + "".join(f"let a{i} = #{{ m{i}: 1 }}; all.push(a{i});" for i in range(size))
    ),
    "closures in an array": lambda size: (
        "let all = [];" + "".join(f"all.push(|x| x + {i}); all[0].call(1);" for i in range(size))
    ),
    "closures": lambda size: "let f = 1;" + "f = |x| x + 1;" * size,
    "captures": lambda size: "let f = 1; let y = 1;" + "f = || y;" * size,
    "parameters": lambda size: "fn f(" + ",".join(f"p{i}" for i in range(8 * size)) + ") { 1 }",
    "cases": lambda size: "let x = 1; switch x {" + "".join(f"{i} => {i}," for i in range(size)) + "}",
    "functions that know each other": lambda size: "".join(
        f"fn f{i}(x) {{ if x {{ f{(i * 7) % size}(x) }} else {{ [x] }} }} f{i}({i}.5);" for i in range(size)
    ),
}


def seconds(source: str, rounds: int = 3) -> float:
    engine = Engine(Limits(max_expr_depth=0, max_function_expr_depth=0))
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        engine.compile(source)
        best = min(best, time.process_time() - began)
    return best


@pytest.mark.parametrize("name", CHAINS)
def test_a_step_more_does_not_double_the_time(name: str) -> None:
    assert seconds(CHAINS[name](18), rounds=1) < 1


@pytest.mark.parametrize("name", SCRIPTS)
def test_four_times_the_length_takes_about_four_times_as_long(name: str) -> None:
    short, long = seconds(SCRIPTS[name](100)), seconds(SCRIPTS[name](400))
    assert long < 9 * short, f"{long / short:.1f} times as long"


@pytest.mark.parametrize("guard", ["", " if x >= 0"])
@pytest.mark.parametrize("case", [0, 31, 32, 33, 64, 1999, 2000])
def test_a_switch_has_any_number_of_cases(case: int, guard: str) -> None:
    cases = "".join(f"{i}{guard} => {{ n += 1; {i} }}" for i in range(2000))
    source = f"let n = 0; let x = {case}; let found = switch x {{ {cases} 3..5000 => -1 }}; [n, found]"
    assert Engine().compile(source).run() == ([1, case] if case < 2000 else [0, -1])


def test_more_catches_in_each_other_than_python_takes_are_an_error_of_the_language() -> None:
    source = "try { " * 40 + "nope();" + " } catch { }" * 40
    with pytest.raises(RhaiError) as caught:
        Engine(Limits(max_expr_depth=0)).compile(source)
    assert caught.value.kind == "ExprTooDeep"
