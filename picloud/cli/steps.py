"""The steps of a traced run, shown beside the lines of the script: all at once, or one after the other."""

from __future__ import annotations

import sys
from typing import Any, Final, TextIO

import click

CODE_CELLS: Final = 48
HELP: Final = (
    "Enter: next step   n: next line of this call   u: until it returns   v: variables   c: to the end   q: stop"
)
_MARKS: Final = {"enter": "→", "leave": "←", "call": "·", "log": "»"}
_SPACES: Final = "  "


def play(trace: dict[str, Any], variables: tuple[str, ...], *, stepwise: bool) -> None:
    """Show a trace; if ``stepwise``, ask on standard input after each step. ``variables`` are those of interest."""
    steps = [step for step in trace["steps"] if _is_wanted(step, variables)]
    # What a line did after its calls is shown apart, and isn't counted.
    behind = trace["count"] - trace["skipped"] - sum(step["kind"] != "after" for step in trace["steps"])
    if trace["skipped"]:
        click.echo(click.style(f"… {trace['skipped']} steps before these (--from 0 begins with the first)", dim=True))
    lines = {part: source.split("\n") for part, source in trace["sources"].items()}
    if stepwise:
        _step_through(steps, lines, sys.stdin)
    else:
        for step in steps:
            click.echo(_shown(step, lines))
    if behind:
        click.echo(click.style(f"… {behind} steps behind these (--steps shows more)", dim=True))
    click.echo(click.style(f"{trace['count']} steps in all\n", dim=True))


def _step_through(steps: list[dict[str, Any]], lines: dict[str, list[str]], answers: TextIO) -> None:
    """Show steps until ``answers``, a line for each, say otherwise."""
    click.echo(HELP, err=True)
    calls: dict[int, dict[str, str]] = {}
    deepest: int | None = None
    asks = True
    for step in steps:
        depth = step["depth"]
        for level in [level for level in calls if level > depth]:
            del calls[level]
        if step["kind"] == "enter":
            calls[depth] = {}
        for change in step["changes"]:
            _remember(calls.setdefault(depth, {}), change)
        click.echo(_shown(step, lines))
        if not asks or (deepest is not None and depth > deepest):
            continue
        deepest = None
        while True:
            click.echo("> ", nl=False, err=True)
            answer = answers.readline()
            word = answer.strip().lower()[:1]
            if word == "v":
                for name, value in calls.get(depth, {}).items():
                    click.echo(f"      {name} = {value}")
            elif word in ("", "s", "n", "u", "c", "q"):
                break
            else:
                click.echo(HELP, err=True)
        if word == "q":
            return
        asks = word != "c" and answer != ""
        if word == "n":
            deepest = depth
        elif word == "u":
            deepest = depth - 1


def _remember(known: dict[str, str], change: dict[str, Any]) -> None:
    """Keep what a variable holds. Of a part only that part is known: the whole was told before."""
    if change["new"] is None:
        known.pop(change["name"], None)
        return
    known[change["name"]] = change["new"]
    if "." not in change["name"] and "[" not in change["name"]:
        for part in [name for name in known if _is_part(name, change["name"])]:
            del known[part]


def _is_part(name: str, variable: str) -> bool:
    return name.startswith((f"{variable}.", f"{variable}["))


def _is_wanted(step: dict[str, Any], variables: tuple[str, ...]) -> bool:
    return not variables or any(
        change["name"] == variable or _is_part(change["name"], variable)
        for change in step["changes"]
        for variable in variables
    )


def _shown(step: dict[str, Any], lines: dict[str, list[str]]) -> str:
    kind, indent = step["kind"], _SPACES * step["depth"]
    number = f"{step['line']:>4}" if step["line"] and kind in ("line", "after") else "    "
    if step["part"] and number.strip():
        number = f"{step['part']}:{step['line']}"
    changes = ", ".join(_change(change, entering=kind == "enter") for change in step["changes"])
    if kind == "line":
        code = f"{indent}{_line(step, lines)}"
        return f"{number}  {_padded(code)}  {_value(changes)}".rstrip() if changes else f"{number}  {code}".rstrip()
    if kind == "after":
        return f"{number}  {_padded(indent + '…')}  {_value(changes)}"
    mark = _MARKS.get(kind, "·")
    name = step["function"] or step["part"]
    if kind == "enter":
        text = f"{mark} {name}({changes})"
    elif kind == "leave":
        text = f"{mark} {name} = {step['text']}"
    else:
        text = f"{mark} {step['text']}"
    return click.style(f"{number}  {indent}{_visible(text)}", fg="cyan" if kind in ("enter", "leave") else "yellow")


def _line(step: dict[str, Any], lines: dict[str, list[str]]) -> str:
    source = lines.get(step["part"], [])
    at = step["line"]
    return _visible(source[at - 1].expandtabs(4).rstrip()) if 1 <= at <= len(source) else ""


def _padded(code: str) -> str:
    return code.ljust(CODE_CELLS)


def _value(changes: str) -> str:
    return click.style(_visible(changes), fg="green")


def _change(change: dict[str, Any], *, entering: bool) -> str:
    name, old, new = change["name"], change["old"], change["new"]
    if new is None:
        return f"{name} is gone"
    return f"{name} = {new}" if old is None or entering else f"{name}: {old} → {new}"


def _visible(text: str) -> str:
    """Without control characters: a script must not reach the terminal of who looks at it."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
