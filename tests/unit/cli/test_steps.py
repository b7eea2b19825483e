"""How the steps of a traced run are shown, and stepped through."""

from __future__ import annotations

import io
from typing import Any

import pytest

from picloud.cli.steps import play

SOURCE = "let n = 1;\nn = twice(n);\nprint(n);"


def step(kind: str, line: int, *changes: tuple[str, str | None, str | None], **more: Any) -> dict[str, Any]:
    told = [{"name": name, "old": old, "new": new} for name, old, new in changes]
    return {"kind": kind, "part": "", "function": "", "line": line, "depth": 0, "text": "", "changes": told, **more}


STEPS = [
    step("line", 1, ("n", None, "1")),
    step("line", 2),
    step("enter", 5, ("a", None, "1"), depth=1, function="twice"),
    step("line", 5, depth=1, function="twice", part="tools"),
    step("leave", 5, depth=1, function="twice", text="2"),
    step("after", 2, ("n", "1", "2")),
    step("line", 3),
    step("log", 3, text="2"),
]
TRACE = {"steps": STEPS, "count": 20, "skipped": 10, "sources": {"": SOURCE, "tools": "\n\n\n\n    a * 2 \x1b[2J"}}


def shown(capsys: pytest.CaptureFixture[str], **options: Any) -> list[str]:
    play(TRACE, options.pop("variables", ()), stepwise=options.pop("stepwise", False))
    return [line for line in capsys.readouterr().out.splitlines() if line]


def test_a_trace_shows_lines_calls_values_and_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [" ".join(line.split()) for line in shown(capsys)]
    assert lines == [
        "… 10 steps before these (--from 0 begins with the first)",
        "1 let n = 1; n = 1",
        "2 n = twice(n);",
        "→ twice(a = 1)",
        "tools:5 a * 2 \N{REPLACEMENT CHARACTER}[2J",
        "← twice = 2",
        "2 … n: 1 → 2",
        "3 print(n);",
        "» 2",
        "… 3 steps behind these (--steps shows more)",
        "20 steps in all",
    ]


def test_only_the_steps_of_a_variable_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [" ".join(line.split()) for line in shown(capsys, variables=("n",))]
    assert lines[1:3] == ["1 let n = 1; n = 1", "2 … n: 1 → 2"]


@pytest.mark.parametrize(
    ("answers", "count"),
    [
        ("\n\n\nq\n", 4),  # a step for each line
        ("\nn\nq\n", 6),  # over the call: the next one is behind it
        ("\n\nu\nq\n", 6),  # out of it
        ("c\n", 8),  # to the end
        ("", 8),  # nobody answers any more
        ("what?\n\nq\n", 2),
    ],
)
def test_one_steps_through_by_answers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, answers: str, count: int
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answers))
    lines = [line for line in shown(capsys, stepwise=True) if not line.startswith(("…", "20 steps"))]
    assert len(lines) == count, lines


def test_variables_can_be_asked_for(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n\nv\nu\nv\nq\n"))
    lines = [line.strip() for line in shown(capsys, stepwise=True)]
    assert "a = 1" in lines
    assert "n = 2" in lines
