"""What a traced program calls: takes down its steps, with the variables that changed.

Calls are told apart by their levels: a call's is higher than that of who called. What an error left is noticed at the
next step, whose level is lower. So nothing is kept up to date but a list of the calls that are open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from picloud.rhai.runtime.functions import Unbound
from picloud.rhai.runtime.run import Run
from picloud.rhai.runtime.snapshots import Snapshot, changes, snapshot, text_of
from picloud.rhai.steps import EVAL, LENT_THIS, SCOPE, THIS, Change, Sink, Step
from picloud.rhai.values import Shared

HELPERS: Final = frozenset({"trace_enter", "trace_step", "trace_change", "trace_leave"})
"""The names under which traced programs see them; other programs don't."""


class _Call:
    """A call that is open: a function's, a script's, a module's."""

    __slots__ = ("function", "known", "level", "line", "part")

    def __init__(self, level: int, part: str, function: str) -> None:
        self.level = level
        self.part = part
        self.function = function
        self.line = 0
        self.known: dict[str, Snapshot] = {}


class Tracer:
    """Takes down the steps from number ``skip`` on, ``limit`` of them, and counts them all; one for a run."""

    def __init__(self, sink: Sink, *, skip: int = 0, limit: int = 1_000, hidden: frozenset[str] = frozenset()) -> None:
        """``hidden`` are the names of variables that are not shown: those that the host gave."""
        self._sink = sink
        self._skip = skip
        self._end = skip + limit
        self._hidden = hidden
        self._calls: list[_Call] = []
        self._open: Step | None = None
        """The newest step, which may still get changes."""
        self._told: _Call | None = None
        """The call whose variables were looked at just now: nothing has been done since."""
        self.count = 0
        """How many steps there were."""

    def close(self) -> None:
        """The run is over: hand out the last step."""
        self._flush()

    def note(self, kind: str, text: str) -> None:
        """Take down something that the host did for the script."""
        call = self._calls[-1] if self._calls else _Call(0, "", "")
        self._told = None
        if self._counts():
            self._take(self._step(kind, call, call.line, text=text))

    def enter(self, level: int, part: str, function: str, line: int, variables: Iterator[tuple[str, Any]]) -> None:
        """A function was entered, or a script begun."""
        while self._calls and self._calls[-1].level >= level:
            self._calls.pop()
        call = _Call(level, part, "a closure" if function.startswith("anon$") else function)
        call.line = line
        if part == EVAL:
            # What it sees are the variables of who called it: only what it changes is news.
            call.known = {name: snapshot(value) for name, value in variables}
        first = not self._calls
        self._told = None
        self._calls.append(call)
        if first and not function:
            return
        if self._counts():
            step = self._step("enter", call, line)
            step.changes = self._changed(call, variables)
            self._take(step)

    def step(self, level: int, part: str, line: int, variables: Iterator[tuple[str, Any]]) -> None:
        """A line is about to be run."""
        call = self._call(level, part)
        before, call.line = call.line, line
        told, self._told = self._told, None
        if not self._counts():
            return
        if told is not call:
            self._tell_changes(call, before, variables)
        self._take(self._step("line", call, line))

    def change(self, level: int, part: str, line: int, variables: Iterator[tuple[str, Any]]) -> None:
        """A line was run."""
        call = self._call(level, part)
        if self._skip < self.count <= self._end:
            self._tell_changes(call, line, variables)
            self._told = call

    def leave(self, level: int, part: str, value: Any) -> None:
        """A function is about to be left with a value."""
        call = self._call(level, part)
        self._told = None
        if (call.function or len(self._calls) > 1) and self._counts():
            self._take(self._step("leave", call, call.line, text=text_of(snapshot(value))))
        self._calls.pop()

    def _counts(self) -> bool:
        """Count a step; whether it is to be taken down."""
        self.count += 1
        return self._skip < self.count <= self._end

    def _call(self, level: int, part: str) -> _Call:
        calls = self._calls
        while calls and calls[-1].level > level:
            calls.pop()
        if not calls or calls[-1].level != level:
            calls.append(_Call(level, part, ""))
        return calls[-1]

    def _tell_changes(self, call: _Call, line: int, variables: Iterator[tuple[str, Any]]) -> None:
        """Give what has changed to the step that did it, or to one of its own if others came in between."""
        found = self._changed(call, variables)
        if not found:
            return
        newest = self._open
        if newest is not None and newest.kind in ("line", "after") and newest.depth == len(self._calls) - 1:
            newest.changes += found
        else:
            after = self._step("after", call, line)
            after.changes = found
            self._take(after)

    def _changed(self, call: _Call, variables: Iterator[tuple[str, Any]]) -> list[Change]:
        found = []
        for name, value in variables:
            if name in self._hidden:
                continue
            new = snapshot(value)
            found += changes(name, call.known.get(name), new)
            call.known[name] = new
        return found

    def _step(self, kind: str, call: _Call, line: int, *, text: str = "") -> Step:
        return Step(
            kind=kind,
            part=call.part,
            function=call.function,
            line=line,
            depth=max(len(self._calls) - 1, 0),
            text=text,
        )

    def _take(self, step: Step) -> None:
        self._flush()
        self._open = step

    def _flush(self) -> None:
        if self._open is not None:
            self._sink(self._open)
            self._open = None


def helpers(run: Run, part: str) -> dict[str, Callable[..., Any]]:
    """What a traced program sees, under the names of :data:`HELPERS`; ``part`` is what its steps call it."""
    tracer: Tracer | None = getattr(run.host, "tracer", None)
    if tracer is None:
        return {"trace_leave": _given} | dict.fromkeys(HELPERS - {"trace_leave"}, _nothing)

    def enter(level: int, line: int, function: str, names: tuple[str, ...], *values: Any) -> None:
        tracer.enter(level, part, function, line, _variables(names, values))

    def step(level: int, line: int, names: tuple[str, ...], *values: Any) -> None:
        tracer.step(level, part, line, _variables(names, values))

    def change(level: int, line: int, names: tuple[str, ...], *values: Any) -> None:
        tracer.change(level, part, line, _variables(names, values))

    def leave(level: int, value: Any) -> Any:
        tracer.leave(level, part, value)
        return value

    return {"trace_enter": enter, "trace_step": step, "trace_change": change, "trace_leave": leave}


def _nothing(*_: Any) -> None:
    pass


def _given(_level: int, value: Any) -> Any:
    return value


def _variables(names: tuple[str, ...], values: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    for name, value in zip(names, values, strict=True):
        if name == SCOPE:
            yield from {known: cell for known, cell in value if type(cell) is Shared}.items()
        elif name == LENT_THIS:
            yield THIS, value
        elif name == THIS:
            if not isinstance(value, Unbound):
                yield THIS, value[0]
        else:
            yield name, value
