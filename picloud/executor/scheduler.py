"""The child's heart: several runs in one thread, each a greenlet that gives way after a slice of its operations.

The hub is the main greenlet. Each turn of its loop takes in what the parent has sent, gives every fresh run (new, or
woken by an answer) its slice, then one slice to the oldest of the busy ones. So a short run waits for about one slice,
however many busy ones there are, and the busy ones share what is left in turn. Results are sent when nobody is left to
run, or a millisecond after the first of them, whichever comes first.

A run never looks at the hub: it calls :meth:`ActiveRun.pause` at the end of a slice and :meth:`ActiveRun.call` for a
service. Both raise :class:`RunEnded` when the run is over its time or memory, or was cancelled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from time import monotonic, thread_time_ns
from typing import Any, Final

from greenlet import getcurrent, greenlet

from picloud.executor.channel import Channel
from picloud.executor.memory import Memory
from picloud.executor.protocol import (
    PLATFORM,
    Answer,
    Call,
    Cancel,
    Done,
    LogLine,
    Logs,
    NeedSource,
    Reply,
    Result,
    Run,
    RunError,
)
from picloud.executor.redaction import SECRETS, Redaction

FLUSH_SECONDS: Final = 0.001
"""So long a result may wait for others to share its send."""

LOG_SECONDS: Final = 0.05
LOG_LINES: Final = 100
"""Lines of a run that goes on are sent when so many are there, or the last were sent so long ago."""


class RunEnded(BaseException):
    """The platform ends the run. Not an Exception: no script and no library may catch it."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class CallRefused(Exception):
    """A service refused a call; the message says why, and ``thrown`` is what the script gets if it isn't None."""

    def __init__(self, message: str, thrown: Any = None) -> None:
        super().__init__(message)
        self.thrown = thrown


class Outcome:
    """What the execution of a script gives back: an answer or an error, the operations used, and what else
    :class:`~picloud.executor.protocol.Result` tells."""

    __slots__ = ("error", "operations", "readings", "reply", "step_count", "thrown")

    def __init__(
        self, *, reply: Reply | None = None, error: RunError | None = None, thrown: bool = False, operations: int = 0
    ) -> None:
        self.reply = reply
        self.error = error
        self.thrown = thrown
        self.operations = operations
        self.readings: list[int] = []
        self.step_count = 0


class ActiveRun:
    """A run in the child, as the script's side sees it."""

    __slots__ = (
        "_begun",
        "_calls",
        "_lines",
        "_logged",
        "_made",
        "_scheduler",
        "cpu_ns",
        "deadline",
        "ending",
        "greenlet",
        "memory_bytes",
        "message",
        "redaction",
        "send",
        "sent_logs_at",
        "waiting_for",
        "wakes_at",
        "wakes_with",
    )

    def __init__(self, message: Run, scheduler: Scheduler) -> None:
        self.message = message
        self.redaction = Redaction()
        """The secrets that the run was given: they are kept out of what it logs, and out of its error."""
        self.greenlet = greenlet(scheduler.execute, scheduler.hub)
        self._scheduler = scheduler
        self.send = scheduler.send
        """Sends a message to the parent."""
        self._begun = self.sent_logs_at = monotonic()
        self.deadline = self._begun + message.limits.wall_ms / 1000
        self.cpu_ns = 0
        self.memory_bytes = 0
        self.ending: RunEnded | None = None
        self.waiting_for = 0
        """Number of the call whose answer it sleeps for; 0 for none."""
        self.wakes_at = inf
        """When it wakes by itself, on the monotonic clock."""
        self.wakes_with: Answer | None = None
        self._calls = 0
        self._made = 0
        self._lines: list[LogLine] = []
        self._logged = 0

    @property
    def elapsed_ms(self) -> int:
        """Milliseconds since the run began."""
        return int((monotonic() - self._begun) * 1000)

    def pause(self) -> None:
        """Give way to other runs. Raises :class:`RunEnded` if this one is to end."""
        self._scheduler.hub.switch()
        if self.ending is not None:
            raise self.ending

    def sleep(self, seconds: float) -> None:
        """Sleep without keeping others from running. Raises :class:`RunEnded` at the wall limit."""
        self.wakes_at = monotonic() + seconds
        self.pause()

    def call(self, service: str, function: str, args: list[Any]) -> Any:
        """Ask a service of the parent and sleep until it answers. Raises :class:`CallRefused`, :class:`RunEnded`."""
        self._calls += 1
        self._made += service != PLATFORM
        self.send(Call(self.message.run, self._calls, service, function, args))
        self.waiting_for = self._calls
        self._scheduler.hub.switch()
        if self.ending is not None:
            raise self.ending
        answer, self.wakes_with = self.wakes_with, None
        assert answer is not None, "a run that waits is woken by its answer or its end"
        if not answer.ok:
            raise CallRefused(answer.error, answer.value)
        if service == SECRETS:
            self.redaction.learn(str(args[0]), answer.value)
        return answer.value

    def post(self, service: str, function: str, args: list[Any]) -> None:
        """Ask a service of the parent for something that has no answer, and go on."""
        self._made += 1
        self.send(Call(self.message.run, 0, service, function, args))

    def zone(self, name: str) -> Any:
        """The rules of a time zone, or None and the name that may be meant. No service: no door, no trace."""
        return ActiveRun.call(self, PLATFORM, "zone", [name])

    def tell(self, readings: list[int]) -> None:
        """Send what the parent keeps with a checkpoint: the lines so far, and readings of the clock."""
        self.sent_logs_at = monotonic()
        self.send(Logs(self.message.run, self.take_lines(), readings, self.elapsed_ms))

    def log(self, level: str, message: str, *, line: int = 0, fields: dict[str, Any] | None = None) -> None:
        """Keep a line. One too long is cut, with a mark; one too many raises :class:`RunEnded`.

        What a run says again, on its way to where an earlier one came, is kept already.
        """
        if self._made < self.message.answered:
            return
        limits = self.message.limits
        if self._logged >= limits.log_lines:
            raise RunEnded("LogLinesLimit", f"the run logged more than the limit of {limits.log_lines} lines")
        if self.redaction:
            message, fields = self.redaction.text(message), self.redaction.plain(fields)
        if len(message) > limits.log_line_bytes // 4:
            message = _cut(message, limits.log_line_bytes)
        self._lines.append(LogLine(level, message, self.elapsed_ms, self._logged, line, fields))
        self._logged += 1

    def take_lines(self) -> list[LogLine]:
        """The lines that weren't sent yet."""
        lines, self._lines = self._lines, []
        return lines

    def result(self, outcome: Outcome) -> Result:
        """The outcome with what the run cost."""
        return Result(
            reply=outcome.reply,
            error=outcome.error,
            thrown=outcome.thrown,
            operations=outcome.operations,
            cpu_us=self.cpu_ns // 1000,
            wall_us=int((monotonic() - self._begun) * 1_000_000),
            logs=self._lines,
            readings=outcome.readings,
            step_count=outcome.step_count,
        )

    def lines_due(self, now: float) -> bool:
        """Whether lines of this unfinished run should be sent now."""
        return bool(self._lines) and (len(self._lines) >= LOG_LINES or now - self.sent_logs_at >= LOG_SECONDS)


class Scheduler:
    """See the module. ``current`` is the run whose slice it is, for what a script's functions need of it."""

    current: ActiveRun | None

    def __init__(
        self,
        channel: Channel,
        memory: Memory,
        run_script: Callable[[ActiveRun], Outcome | None],
        make: Callable[[Run, Scheduler], ActiveRun] = ActiveRun,
    ) -> None:
        """``run_script`` runs a script to its end within its greenlet, or says None if it needs the source; ``make``
        makes the run of a message."""
        self.hub = getcurrent()
        self.send = channel.send
        self._channel = channel
        self._memory = memory
        self._run_script = run_script
        self._make = make
        self._runs: dict[int, ActiveRun] = {}
        self._asleep: dict[int, ActiveRun] = {}
        self._fresh: deque[ActiveRun] = deque()
        self._busy: deque[ActiveRun] = deque()

    def serve(self) -> None:
        """Run what comes until the parent closes the stream."""
        fresh, busy, channel = self._fresh, self._busy, self._channel
        while True:
            for message in channel.receive(self._patience()):
                if type(message) is Run:
                    self._begin(message)
                else:
                    self._obey(message)
            if channel.closed:
                return
            if self._asleep:
                self._wake_overdue()
            while fresh:
                self._turn(fresh.popleft())
                if channel.overdue(FLUSH_SECONDS):
                    channel.flush()
            if busy:
                self._turn(busy.popleft())
            if not busy:
                channel.flush()
                if not self._runs:
                    self._memory.tidy()
            elif channel.overdue(FLUSH_SECONDS):
                channel.flush()

    def execute(self, active: ActiveRun) -> Outcome | None:
        """The body of a run's greenlet."""
        try:
            if active.ending is not None:
                raise active.ending
            return self._run_script(active)
        except RunEnded as ended:
            return Outcome(error=RunError(ended.kind, ended.message))
        except MemoryError:
            return Outcome(error=RunError("MemoryLimit", self._memory.message()))

    def _begin(self, message: Run) -> None:
        active = self._make(message, self)
        self._runs[message.run] = active
        self._fresh.append(active)

    def _obey(self, message: Cancel | Answer) -> None:
        active = self._runs.get(message.run)
        if active is None:
            return
        if type(message) is Cancel:
            self._end(active, RunEnded("Cancelled", message.why))
        elif type(message) is Answer and message.call == active.waiting_for:
            active.wakes_with = message
            self._wake(active)

    def _end(self, active: ActiveRun, ending: RunEnded) -> None:
        active.ending = ending
        if active.message.run in self._asleep:
            self._wake(active)

    def _wake(self, active: ActiveRun) -> None:
        active.waiting_for = 0
        active.wakes_at = inf
        del self._asleep[active.message.run]
        self._fresh.append(active)

    def _wake_overdue(self) -> None:
        now = monotonic()
        for active in list(self._asleep.values()):
            if active.deadline <= now:
                self._end(active, _out_of_time(active))
            elif active.wakes_at <= now:
                self._wake(active)

    def _patience(self) -> float | None:
        """Seconds to wait for the parent; None is for ever."""
        if self._busy or self._fresh:
            return 0.0
        if not self._asleep:
            return None
        next_wake = min(min(run.deadline, run.wakes_at) for run in self._asleep.values())
        return max(0.0, next_wake - monotonic()) + 0.001

    def _turn(self, active: ActiveRun) -> None:
        self.current = active
        begun = thread_time_ns()
        outcome = active.greenlet.switch(active)
        active.cpu_ns += thread_time_ns() - begun
        if active.greenlet.dead:
            self._finish(active, outcome)
            return
        now = monotonic()
        if active.lines_due(now):
            active.sent_logs_at = now
            self.send(Logs(active.message.run, active.take_lines()))
        if active.waiting_for or active.wakes_at < inf:
            self._asleep[active.message.run] = active
            return
        self._busy.append(active)
        if active.ending is None and now >= active.deadline:
            active.ending = _out_of_time(active)
        active.memory_bytes += self._memory.growth()
        if self._memory.short():
            self._end_largest()

    def _end_largest(self) -> None:
        largest = max(self._runs.values(), key=lambda run: run.memory_bytes)
        if largest.ending is None:
            self._end(largest, RunEnded("MemoryLimit", self._memory.message()))

    def _finish(self, active: ActiveRun, outcome: Outcome | None) -> None:
        number = active.message.run
        del self._runs[number]
        self.send(NeedSource(number) if outcome is None else Done(number, active.result(outcome)))
        # The exception that ended a run holds its frames, and they its values.
        self.current = active.ending = None


def _out_of_time(active: ActiveRun) -> RunEnded:
    return RunEnded("WallTimeLimit", f"the run took longer than the limit of {active.message.limits.wall_ms} ms")


def _cut(message: str, most: int) -> str:
    encoded = message.encode("utf-8", "surrogatepass")
    if len(encoded) <= most:
        return message
    return f"{encoded[:most].decode('utf-8', 'ignore')}… (cut, {len(encoded)} bytes in all)"
