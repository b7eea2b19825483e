"""The caret stands under the place, whatever the line holds."""

from __future__ import annotations

import pytest

from picloud.rhai.tools.excerpt import WIDTH, excerpt


@pytest.mark.parametrize(
    ("source", "line", "column", "shown"),
    [
        ("let x = 1\nlet y 2", 2, 7, "  2 | let y 2\n    |       ^"),
        ("\tlet y 2", 1, 8, "  1 | \tlet y 2\n    | \t      ^"),
        ('let x = "日本" y', 1, 14, '  1 | let x = "日本" y\n    |                ^'),
        ('let x = "e\u0301" y', 1, 13, '  1 | let x = "e\u0301" y\n    |            ^'),
        ("let x =", 1, 8, "  1 | let x =\n    |        ^"),
        ("let x =\n", 2, 1, "  2 |\n    | ^"),
        ("x", 1, 5, "  1 | x\n    |     ^"),
        ("x", 1, 0, "  1 | x"),
        ("one\r\ntwo\r\n", 2, 1, "  2 | two\n    | ^"),
        ("a\x0cb\u2028c\nd", 2, 1, "  2 | d\n    | ^"),
        ("x", 2, 1, ""),
        ("x", 0, 0, ""),
    ],
)
def test_the_caret_stands_under_the_place(source: str, line: int, column: int, shown: str) -> None:
    assert excerpt(source, line, column) == shown


def test_the_caret_of_a_late_line_moves_with_its_number() -> None:
    assert excerpt("\n" * 99 + "oops", 100, 1) == "  100 | oops\n      | ^"


def test_a_label_stands_behind_the_caret() -> None:
    assert excerpt("f()", 1, 1, "called here") == "  1 | f()\n    | ^ called here"


@pytest.mark.parametrize("column", [1, 30, 61, 62, 500, 940, 999, 1000])
@pytest.mark.parametrize("wide", [False, True])
def test_of_a_long_line_the_part_around_the_place_is_shown(column: int, wide: bool) -> None:
    filler = "本" if wide else "."
    line = filler * (column - 1) + "X" + filler * (1000 - column)
    text, caret = (
        shown.removeprefix("  1 | ").removeprefix("    | ") for shown in excerpt(line, 1, column).split("\n")
    )
    cells = [2 if character == "本" else 1 for character in text]
    assert sum(cells) <= WIDTH
    assert caret.index("^") == sum(cells[: text.index("X")])
    assert text.startswith("…") == (not text.startswith(filler * (column - 1) + "X"))


def test_a_script_cannot_steer_the_terminal_of_its_reader() -> None:
    shown = excerpt('let x = "\x1b[2J\u202e" + y', 1, 16)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
