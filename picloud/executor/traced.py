"""A run whose steps are taken down: what its script does line by line, with what it logs and asks in between."""

from __future__ import annotations

from time import monotonic
from typing import Any, Final

from picloud.executor.protocol import Run, Steps, Trace
from picloud.executor.scheduler import ActiveRun, CallRefused, Scheduler
from picloud.rhai.runtime.snapshots import LONGEST, snapshot, text_of
from picloud.rhai.runtime.tracing import Tracer
from picloud.rhai.steps import Change, Step

TURN_SECONDS: Final = 0.002
SENT_STEPS: Final = 100
"""So many steps are sent together."""
MOST_CHARACTERS: Final = 4 * 1024 * 1024
"""Of all steps of a run; those that would be beyond are counted, and not sent."""
_WRITES: Final = frozenset({("kv", "set"), ("kv", "incr"), ("kv", "append")})
"""Whose answer is ``()`` always."""
HIDDEN: Final = frozenset({"ctx"})


class TracedRun(ActiveRun):
    """See the module."""

    __slots__ = ("_characters", "_closing", "_steps", "_turn_began", "tracer")

    def __init__(self, message: Run, scheduler: Scheduler, wanted: Trace) -> None:
        super().__init__(message, scheduler)
        self.tracer = Tracer(self._keep, skip=wanted.skip, limit=wanted.limit, hidden=HIDDEN)
        self._steps: list[Step] = []
        self._characters = 0
        self._turn_began = monotonic()
        self._closing = False

    def call(self, service: str, function: str, args: list[Any]) -> Any:
        """See :meth:`ActiveRun.call`."""
        if service == "modules" or (service, function) == ("steps", "done"):
            return super().call(service, function, args)
        asked = self._call(service, function, args)
        try:
            answer = super().call(service, function, args)
        except CallRefused as refused:
            self.tracer.note("call", f"{asked} refused: {refused}")
            raise
        writes = answer is None and (service, function) in _WRITES
        self.tracer.note("call", asked if writes else f"{asked} = {_shown(self.redaction.plain(answer))}")
        return answer

    def post(self, service: str, function: str, args: list[Any]) -> None:
        """See :meth:`ActiveRun.post`."""
        super().post(service, function, args)
        self.tracer.note("call", self._call(service, function, args))

    def log(self, level: str, message: str, *, line: int = 0, fields: dict[str, Any] | None = None) -> None:
        """See :meth:`ActiveRun.log`."""
        super().log(level, message, line=line, fields=fields)
        message = self.redaction.text(message)
        shown = message if len(message) <= LONGEST else message[: LONGEST - 1] + "…"
        self.tracer.note("log", shown if level == "print" else f"{level}: {shown}")

    def close(self) -> None:
        """The script has ended: send the rest."""
        self._closing = True
        self.tracer.close()
        self._send()

    def _keep(self, step: Step) -> None:
        if not self._closing and monotonic() - self._turn_began > TURN_SECONDS:
            # To take steps down costs no operations, so the budget doesn't know when others are to have their turn.
            self.pause()
            self._turn_began = monotonic()
        if self.redaction:
            self._redact(step)
        self._characters += 40 + len(step.text)
        for change in step.changes:
            self._characters += len(change.name) + len(change.old or "") + len(change.new or "")
        if self._characters > MOST_CHARACTERS:
            return
        self._steps.append(step)
        if len(self._steps) >= SENT_STEPS:
            self._send()

    def _call(self, service: str, function: str, args: list[Any]) -> str:
        shown = (_shown(self.redaction.plain(argument)) for argument in args)
        name = function if service == "steps" else f"{service}::{function}"
        return f"{name}({', '.join(shown)})"

    def _redact(self, step: Step) -> None:
        text = self.redaction.text
        step.text = text(step.text)
        step.changes = [
            Change(
                text(change.name),
                None if change.old is None else text(change.old),
                None if change.new is None else text(change.new),
            )
            for change in step.changes
        ]

    def _send(self) -> None:
        if self._steps:
            steps, self._steps = self._steps, []
            self.send(Steps(self.message.run, steps))


def _shown(plain: Any) -> str:
    return text_of(snapshot(bytearray(plain) if type(plain) is bytes else plain))


def active_run(message: Run, scheduler: Scheduler) -> ActiveRun:
    """The run of a message, traced if that is asked for."""
    if message.repeat is not None and message.repeat.trace is not None:
        return TracedRun(message, scheduler, message.repeat.trace)
    return ActiveRun(message, scheduler)
