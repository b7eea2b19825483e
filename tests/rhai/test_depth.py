"""However deep values nest and calls go, there is a value or an error of the language, and nothing of Python's."""

from __future__ import annotations

import pytest

from picloud.rhai import DefaultHost, Engine, Limits, RhaiError
from picloud.rhai.printing import debug, display

DEPTH = 20_000
VALUES = {
    "arrays": f"let a = []; for i in 0..{DEPTH} {{ a = [a]; }}",
    "maps": f"let a = #{{}}; for i in 0..{DEPTH} {{ a = #{{a: a}}; }}",
    "curried pointers": f"let a = |x| x; for i in 0..{DEPTH} {{ a = (|x| x).curry(a); }}",
    "closures that capture closures": (
        f"let a = || 1; for i in 0..{DEPTH} {{ let before = a; a = || before.call(); }}"
    ),
}
USES = [
    "print(a); debug(a);", "a == a", "let b = a; b == [a]", "a in [a]", "[a, a].dedup()", "[a].index_of(a)",
    "[a, a].sort(|x, y| 1)", "[a].map(|x| x)", "fn f(x) { x } f(a)", "throw a", "try { throw a } catch (e) { e }",
    "let f = |x| x; f.call(a)", "let f = || a; f.call()", "a = (); 1", "eval(`a`)", "let q = [a]; q[0] = 1; q",
    "switch a { 1 => 2, _ => 3 }", "a < a", "a.foo()", "foo(a)", "a[1]", "a.call()", "let m = #{a: a}; m.clear(); a",
    "while type_of(a) == `array` && a.len > 0 { a = a[0]; } a", "exit(a)", "let b = a; b.x = 1; b",
]  # fmt: skip
RECURSION = [
    "fn f(n) { [n].map(|x| f(x + 1)) } f(0)",
    "fn f(n) { [n].filter(|x| f(x + 1)) } f(0)",
    "fn f(n) { [n].reduce(|s, x| f(x + 1)) } f(0)",
    "fn f(n) { [n].for_each(|| f(this + 1)) } f(0)",
    "fn f(n) { [n].zip([n], |x, y| f(x + 1)) } f(0)",
    "fn f(n) { #{a: n}.filter(|k, v| f(v + 1)) } f(0)",
    'fn f(x) { [x].map("f") } f(1)',
    "fn f() { this += 1; this.f() } let x = 1; x.f()",
    "let o = #{n: 0}; o.f = || { this.n += 1; this.f() }; o.f()",
    "fn int.f() { this.f() } 1.f()",
    'fn f(n) { Fn("f").call(n + 1) } f(0)',
    "let f = |g, n| g.call(g, n + 1); f.call(f, 0)",
    "let f = |g| g.curry(g).call(); f.call(f)",
    "fn f(n) { `${f(n + 1)}` } f(0)",
    "fn f(n) { f(f(n + 1)) } f(0)",
    "fn f(n) { try { throw n } catch (e) { f(e + 1) } } f(0)",
    "fn f(a) { f([a]) } f([])",
    'import "self" as s; s::f(0)',
]


class _Modules(DefaultHost):
    def resolve(self, path: str) -> str:
        return 'import "self" as s; fn f(n) { s::f(n + 1) }'


def outcome(source: str, levels: int) -> str:
    engine = Engine(Limits(max_operations=500_000, max_call_levels=levels, max_modules=20))
    try:
        value = engine.compile(source).run(host=_Modules())
    except RhaiError as error:
        ending, value = error.inner, [str(error), repr(error), error.value]
    else:
        ending = "value"
    display(value)
    debug(value)
    return ending


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("nested", VALUES)
def test_values_may_nest_deeper_than_python_could_recurse(nested: str, use: str) -> None:
    outcome(f"{VALUES[nested]} {use}", 64)


@pytest.mark.parametrize("source", RECURSION)
@pytest.mark.parametrize("levels", [64, 1_000_000])
def test_calls_through_natives_end_at_the_limit(source: str, levels: int) -> None:
    assert outcome(source, levels) in ("ErrorStackOverflow", "ErrorTooManyOperations", "ErrorModuleNotFound")
