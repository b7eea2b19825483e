"""Methods that change what they are called on: in place, and nobody else's."""

from __future__ import annotations

import pytest

from picloud.rhai import Engine

METHODS = """
fn bump(n) { this.count += n; this.tags.push(n); this.inner.x += 1; }
fn rename(s) { this.name = s; if s == "boom" { throw s; } this.bump(5); }
fn absorb(o) { this.count += 1; this.tags.push(o.count); this.count += 1; this.tags.push(o.count); }
fn set_at(i, v) { this[i] = v; this.push(v); this.insert(0, -v); this.len }
fn item(n) { #{count: n, tags: [], inner: #{x: 1}, name: "a"} }
"""

CASES = [
    ("let a = item(0); let b = a; for i in 0..2 { a.bump(3); } [a.count, b.count, b.tags, b.inner.x]", [6, 0, [], 1]),
    ("let a = item(0); let l = [a, a]; for i in 0..2 { l[0].bump(1); } [a.count, l[0].count, l[1].count]", [0, 2, 0]),
    ("let l = [item(7)]; for i in 0..2 { l[0].absorb(l[0]); } [l[0].count, l[0].tags]", [11, [7, 7, 9, 9]]),
    ("let l = [item(7)]; let k = l; for i in 0..2 { l[0].bump(1); } [l[0].count, k[0].count]", [9, 7]),
    ("let l = [item(7)]; for i in 0..2 { let old = l[0]; l[0].bump(1); l.push(old); } l.map(|e| e.count)", [9, 7, 8]),
    ("let m = #{l: [item(1)]}; let c = m.l; for i in 0..2 { m.l[0].bump(1); } [m.l[0].count, c[0].count]", [3, 1]),
    (
        "let n = [1, 2, 3]; let k = n; for i in 0..2 { n.set_at(1, 9 + i); } [n, k]",
        [[-10, -9, 10, 9, 3, 9, 10], [1, 2, 3]],
    ),
    ('let l = [item(1)]; try { l[0].rename("boom"); } catch {} l[0].name', "boom"),
    ("let o = #{v: 1, add: |n| { this.v += n; this.v }, twice: |n| { this.add(n); this.add(n) }}; "
     "let p = o; for i in 0..2 { o.twice(4); p.add(1); } [o.v, p.v]", [17, 3]),
    ("let l = [item(1)]; let f = || l[0].bump(1); for i in 0..3 { f.call(); } l[0].count", 4),
]  # fmt: skip


@pytest.mark.parametrize(("source", "expected"), CASES)
def test_only_the_value_itself_is_changed(source: str, expected: object) -> None:
    assert Engine().compile(METHODS + source).run() == expected
