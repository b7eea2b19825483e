"""Values copy on assignment, and copying costs nothing until somebody writes."""

from __future__ import annotations

from itertools import pairwise
from time import process_time
from typing import Any

import pytest

from picloud.rhai import Engine


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("let a = [1, 2]; let b = a; b[0] = 9; [a, b]", [[1, 2], [9, 2]]),
        ("let a = [[1], [2]]; let b = a; b[0][0] = 9; a[1].push(3); [a, b]", [[[1], [2, 3]], [[9], [2]]]),
        ("let a = [1]; a.push(a); a.push(a); a", [1, [1], [1, [1]]]),
        ("let m = #{a: [1]}; let n = m; n.a.push(2); m.b = n; m.a += 5; [m, n]", None),
        ("fn f(x) { x.push(1); x } let a = [0]; [f(a), a]", [[0, 1], [0]]),
        ("let a = [1, 2, 3]; for x in a { a.push(x); } a", [1, 2, 3, 1, 2, 3]),
        ("let a = [[1]]; for x in a { x.push(2); } a", [[1]]),
        ("let a = [1]; let f = || a; let b = f.call(); b.push(2); [a, b]", [[1], [1, 2]]),
        ("let o = #{v: [1]}; fn get() { this.v } let l = o.get(); l.push(2); [o.v, l]", [[1], [1, 2]]),
        (
            "fn add(x) { this.v.push(x); this } let o = #{v: []}; let p = o.add(1); p.v.push(2); [o.v, p.v]",
            [[1], [1, 2]],
        ),
        ("let a = [#{v: 1}]; fn up() { this.v += 1; } let b = a; a[0].up(); [a[0].v, b[0].v]", [2, 1]),
        ("let b = blob(2); let c = b; c[0] = 7; [b[0], c[0]]", [0, 7]),
        ("let a = [1]; let t = [a, a]; t[0].push(2); [a, t]", [[1], [[1, 2], [1]]]),
        # Who else holds a variable's array may have got it later in the same loop, in an earlier turn.
        ("let a = []; let b = []; for i in 0..3 { a.push(i); b.push(a); } b", [[0], [0, 1], [0, 1, 2]]),
        ("let b = []; for i in 0..2 { let a = [i]; a.push(7); b.push(a); a.push(8); } b", [[0, 7], [1, 7]]),
        ("let m = #{}; let n = (); for k in ['x', 'y'] { m[k.to_string()] = 1; n = m; } m.z = 2; n.len()", 2),
        ("fn made() { let a = [1]; a.push(2); a } let a = made(); let b = made(); a.push(3); [a, b]", None),
        ("fn given(x) { x } let a = [1]; let b = given(a); b.push(2); [a, b]", [[1], [1, 2]]),
        ("fn kept(x) { let a = [x]; a.push(x); a } let x = [1]; let a = kept(x); a[0].push(2); x", [1]),
        ("let a = [1]; let b = [2]; a = b; a.push(3); [a, b]", [[2, 3], [2]]),
        ("let a = [1, 2]; for x in a { if x == 1 { a.push(3); } } for x in a { a[0] = x; } a", [3, 2, 3]),
        (
            "let a = [1]; let i = 0; let b = (); while i < 2 { a[0] += 1; if i == 0 { b = a; } i += 1; } [a, b]",
            [[3], [2]],
        ),
        # An element may be held by who took it out, by who put it in, or by a loop over the array.
        ("let a = [#{v: 1}]; let e = a[0]; for i in 0..2 { a[0].v += 1; } [a[0].v, e.v]", [3, 1]),
        ("let e = #{v: 1}; let a = []; a.push(e); for i in 0..2 { a[0].v += 1; } [a[0].v, e.v]", [3, 1]),
        ("let a = [#{v: 1}]; let l = []; for i in 0..2 { a[0].v += 1; for e in a { l.push(e); } } l[0].v", 2),
        ("let a = [#{v: 1}]; for e in a { a[0].v += 1; e.v += 10; } a[0].v", 2),
        ("let a = [#{v: 1}]; let k = a.filter(|e| true); for i in 0..2 { a[0].v += 1; } [a[0].v, k[0].v]", [3, 1]),
        ("fn me() { this } let a = [#{v: 1}]; let k = a[0].me(); for i in 0..2 { a[0].v += 1; } k.v", 1),
        ("let m = #{a: #{v: 1}}; let k = m.a; for i in 0..2 { m.a.v += 1; } [m.a.v, k.v]", [3, 1]),
        ("let a = [1]; try { let b = [a]; throw b; } catch (e) { a.push(2); print(e); } a", [1, 2]),
    ],
)
def test_a_copy_is_a_copy(source: str, value: Any) -> None:
    result = Engine().compile(source).run()
    if value is not None:
        assert result == value


GROWING = {
    "an element of an array": ("let a = []; a.pad(N, 0); let i = 0; while i < N { a[i] = i; a[i] += 1; i += 1; }"),
    "an element within an element": (
        "let a = [[]]; a[0].pad(N, 0); for i in 0..N { a[0][i] = i; a[0][i] += a[0][0]; }"
    ),
    "a property within a property": (
        "let o = #{p: #{q: []}}; o.p.q.pad(N, 0); for i in 0..N { o.p.q[i] = i; o.p.q.push(i); }"
    ),
    "this": ("fn set(i) { this.big[i] = i; } let o = #{big: []}; o.big.pad(N, 0); for i in 0..N { o.set(i); }"),
    "this of an element": (
        "fn set(i) { this.big[i] = i; } let a = [#{big: []}]; a[0].big.pad(N, 0); for i in 0..N { a[0].set(i); }"
    ),
    "this of a closure": (
        "let o = #{big: [], set: |i| { this.big[i] = i; }}; o.big.pad(N, 0); for i in 0..N { o.set(i); }"
    ),
    "a captured variable": (
        "let a = []; a.pad(N, 0); let f = |i| { a[i] = i; a.push(i); }; for i in 0..N { f.call(i); }"
    ),
    "a parameter": (
        "fn fill(a, n) { for i in 0..n { a[i] = i; a.push(i); } a } let a = []; a.pad(N, 0); a = fill(a, N);"
    ),
    "an array that functions only read": (
        "fn first(a) { a[0] } let a = []; a.pad(N, 0); for i in 0..N { a[i] = first(a); }"
    ),
    "a map that natives change": (
        "let m = #{}; for i in 0..N { m[`k${i}`] = i; } for i in 0..N { m.remove(`k${i}`); }"
    ),
}


@pytest.mark.parametrize("name", GROWING)
def test_changing_what_nobody_else_holds_copies_nothing(name: str) -> None:
    engine = Engine()
    seconds = []
    for size in (2_000, 32_000):
        program = engine.compile(GROWING[name].replace("N", str(size)))
        best = min(_seconds(program) for _ in range(3))
        seconds.append(best)
    for small, large in pairwise(seconds):
        assert large < small * 80, f"16 times the work took {large / small:.0f} times as long: something is copied"


def _seconds(program: Any) -> float:
    begun = process_time()
    program.run()
    return process_time() - begun
