"""The language, chapter by chapter: every script of `chapters/*.rhai` answers what stands below it.

A blank line ends a script. `//>` are lines that it prints, or that `debug` gets with their place; `//=` is its value
as `debug` shows it; `//!` is its error: the innermost kind, line:column (0:0 is no place), and what a person is told.
Line ends within a value or message are written `\\n`, and names of closures are `anon$`. The answers are those of
Rhai 1.26.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from picloud.rhai import Engine
from picloud.rhai.scoreboard import LIMITS, answer

CHAPTERS = sorted((Path(__file__).parent / "chapters").glob("*.rhai"))
CLOSURE_NAME = re.compile(r"anon\$[0-9a-f]{16}")
ANSWER = ("//>", "//=", "//!")


def facts(chapter: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Yield the line, source and told answer of each script."""
    line = 1
    for paragraph in chapter.read_text(encoding="utf-8").split("\n\n"):
        rows = paragraph.rstrip("\n").split("\n")
        source = "\n".join(row for row in rows if not row.startswith(ANSWER))
        yield line, source, [row for row in rows if row.startswith(ANSWER)]
        line += len(rows) + 1


def told(source: str, engine: Engine) -> list[str]:
    """Return a script's answer as the chapters write it."""
    given = answer(source, engine)
    rows = [f"//> {row}" for text in (*given["printed"], *given["debugged"]) for row in text.split("\n")]
    if given["ok"]:
        last = f"//= {given['debug']}"
    else:
        last = f"//! {given.get('inner') or given['kind']} {given['line']}:{given['col']} {given['message']}"
    return [CLOSURE_NAME.sub("anon$", row) for row in (*rows, last.replace("\n", "\\n"))]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)
def test_every_script_of_the_chapter_answers_what_stands_below_it(chapter: Path) -> None:
    engine = Engine(LIMITS)
    wrong = []
    for line, source, expected in facts(chapter):
        assert expected, f"{chapter.name}:{line}: no answer stands below the script"
        given = told(source, engine)
        if given != expected:
            wrong.append("\n".join([f"{chapter.name}:{line}: {source}", "  expected", *expected, "  given", *given]))
    assert not wrong, "\n\n".join(wrong)


def test_there_is_a_chapter_for_each_part_of_the_language() -> None:
    assert len(CHAPTERS) >= 18
    for chapter in CHAPTERS:
        assert len(list(facts(chapter))) >= 8, chapter.name
