"""What is found out about a whole script before it runs is true when it runs.

Each script does something that would give a wrong answer, or an error of Python's, if the types, members or bounds that
generated code relies on were taken for granted too early.
"""

from __future__ import annotations

from typing import Any

import pytest

from picloud.rhai import Engine
from picloud.rhai.errors import RhaiError
from picloud.rhai.limits import Limits
from picloud.rhai.printing import display


def _run(source: str) -> Any:
    return Engine(Limits(max_operations=1_000_000)).compile(source).run()


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        # A block in an operand has statements, and temporaries, of its own.
        ("let v = 1.0 % 2 + { try { nothing(1); } catch {} 5 }; v", "6.0"),
        (
            "let v = [1][0]; if v >= switch #{a: 3}.a { 2 | 3 => [#{a: 3}][-1].a, _ => 1 } { `more` } else { `less` }",
            "less",
        ),
        # A function in a map comes before the script's function of that name.
        (
            "fn g() { `script` } let r = []; for i in 0..2 { let m = #{g: || `member`}; r.push(m.g()); m.g = 5; "
            "r.push(m.g()); } r",
            '["member", "script", "member", "script"]',
        ),
        (
            "fn g(x) { 1 } let m = #{a: 1, g: |x| { this.a = x; x }}; for i in 0..2 { m.g(`s`); } m.a + 1",
            "s1",
        ),
        # Aliases go their own ways.
        (
            "let a = [[1], [2]]; let b = a[0]; for i in 0..2 { b.push(`x`); } let t = 0; for x in a { t += x[0]; } t",
            "3",
        ),
        ("let a = [1]; a.push(a); a[1][0] = `s`; let t = 0; for i in 0..2 { t += a[0]; } t", "2"),
        # Indexes and arguments of a chain are evaluated before it is gone down, whatever goes wrong there.
        (
            "fn t() { throw `t` } fn f(a) { let r = ``; for i in 0..1 { try { a[5][t()]; } catch (e) { r = e; } } r } "
            "f([1])",
            "t",
        ),
        ("let r = (); try { nothing([][2]); } catch (e) { r = [e.index, e.length]; } r", "[2, 0]"),
        ("fn len() { 2.5 } let t = 0; for i in 0..2 { t += [1].len(); } t", "5.0"),
        ("[1].filter(|x| x || 1 == true)", "[]"),
        # Members come and go.
        ("let m = #{a: 1, b: 2}; let r = []; for i in 0..2 { r.push(m.a); m.remove(`a`); } r", "[1, ()]"),
        (
            "fn del(k) { this.remove(k); } let m = #{a: 1}; m.del(`a`); let r = []; for i in 0..1 { r.push(m.a); } r",
            "[()]",
        ),
        ("let m = #{a: 1}; m += #{a: `x`}; let t = 0; for i in 0..2 { t += m.a; } t", "0xx"),
        ("let m = #{a: 1}; let k = `a`; m[k] = 0.5; let t = 0; for i in 0..2 { t += m.a; } t", "1.0"),
        # Functions are called by name, through pointers and from eval.
        (
            "fn twice(x) { let r = x; for i in 0..1 { r += x; } r } let g = Fn(`twice`); "
            "[twice(1), g.call(2.5), [`a`].map(twice), eval(`twice('c')`)]",
            '[2, 5.0, ["aa"], "cc"]',
        ),
        (
            "fn ch() { this = `s`; } let a = [1, 2]; for i in 0..2 { a[i].ch(); } let t = 0; for x in a { t += x; } t",
            "0ss",
        ),
        (
            "let a = [1]; let f = |x| a.push(x); for i in 0..2 { f.call(`q`); } let t = 0; for x in a { t += x; } t",
            "1qq",
        ),
    ],
)
def test_what_flows_through_a_script_is_what_arrives(source: str, shown: str) -> None:
    assert display(_run(source)) == shown


@pytest.mark.parametrize(
    "source",
    [
        "fn f(n) { let i = 0; while i < n && { i = 9223372036854775807; true } { i += 1; } i } f(10)",
        "fn f() { let i = 0; if i < { i = 9223372036854775807; 10 } { i += 1; } i } for k in 0..3 { f() }",
        "fn f() { let x = -9223372036854775808; for i in 0..2 { x = -x; } } f()",
        "fn f() { let i = 5; for k in 0..3 { if i < 10 { (|| i = 9223372036854775807).call(); i += 1; } } } f()",
        "fn f() { let r = 0; for i in 9223372036854775800..9223372036854775807 { i += 5; r = i; } r } f()",
    ],
)
def test_no_condition_hides_an_overflow(source: str) -> None:
    with pytest.raises(RhaiError) as raised:
        _run(source)
    assert raised.value.inner == "ErrorArithmetic"
