"""Elements that are held over several statements are looked up once, and nobody can tell."""

from __future__ import annotations

from typing import Any

import pytest

from picloud.rhai import Engine

MOVE = """
fn move(i, j) {
    for turn in 0..2 {
        this[i].x += this[j].v;
        this[i].y += this[j].v;
        this[j].v += 1;
        this[i].v -= this[i].x;
        this[j].x = this[i].y;
    }
}
"""
TWO = "let a = [#{x: 1, y: 2, v: 3}, #{x: 4, y: 5, v: 6}];"


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (f"{TWO} a.move(0, 1); [a[0].x, a[1].x]", [14, 15]),
        # Both indexes are of the same element.
        (f"{TWO} a.move(1, 1); [a[1].x, a[1].y, a[1].v]", [8, 8, -10]),
        # The same map lies in the array twice: who changes one changes no other.
        ("let b = #{x: 1, y: 2, v: 3}; let a = [b, b]; a.move(0, 1); [a[0].x, a[1].x, b.x]", [8, 9, 1]),
        (f"{TWO} let b = a; a.move(0, 1); [b[0].x, b[1].v]", [1, 6]),
        # What was done before an error stays done.
        (
            "let t = 0; let a = [#{x: 1, y: 2, v: 3}];"
            "try { for i in 0..3 { t += 1; a[i].x += 1; a[i].y += a[i].x; a[i].v = t; } } catch (e) { }"
            "[t, a[0].x, a[0].y, a[0].v]",
            [2, 2, 4, 1],
        ),
    ],
)
def test_changes_through_held_elements_are_changes_of_the_array(source: str, value: Any) -> None:
    assert Engine().compile(MOVE + source).run() == value
