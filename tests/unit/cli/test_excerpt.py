"""The caret stands under the place, whatever the line holds."""

from __future__ import annotations

import pytest

from picloud.cli.excerpt import excerpt


@pytest.mark.parametrize(
    ("source", "line", "column", "shown"),
    [
        ("let x = 1\nlet y 2", 2, 7, "  2 | let y 2\n    |       ^"),
        ("\tlet y 2", 1, 8, "  1 | \tlet y 2\n    | \t      ^"),
        ('let x = "日本" y', 1, 14, '  1 | let x = "日本" y\n    |                ^'),
        ("let x =", 1, 8, "  1 | let x =\n    |        ^"),
        ("x", 1, 5, "  1 | x\n    |     ^"),
        ("x", 1, None, "  1 | x"),
        ("x", 2, 1, ""),
    ],
)
def test_the_caret_stands_under_the_place(source: str, line: int, column: int | None, shown: str) -> None:
    assert excerpt(source, line, column) == shown


def test_the_caret_of_a_late_line_moves_with_its_number() -> None:
    assert excerpt("\n" * 99 + "oops", 100, 1) == "  100 | oops\n      | ^"
