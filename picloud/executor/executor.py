"""One executor: a child process that is replaced when it dies, and the runs that are in it.

Frames are taken in by the hub, which switches straight into the greenlet that waits for the run: a run costs no
greenlet of its own. One timer, armed lazily, watches the hard deadlines: it is set when a run begins while it isn't,
and looks again when it fires. So it costs nothing per run and stops by itself when nothing runs.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Any, Final

import gevent
from gevent.event import Event
from greenlet import getcurrent

from picloud.executor.dates.rules import rules_of
from picloud.executor.process import ExecutorProcess
from picloud.executor.protocol import (
    PLATFORM,
    Answer,
    Broken,
    Call,
    Cancel,
    Done,
    Hello,
    LogLine,
    Logs,
    NeedSource,
    ProtocolError,
    Result,
    Run,
    RunError,
    RunRequest,
    SoFar,
    Steps,
    ToChild,
)
from picloud.rhai.cache import compiler_version
from picloud.rhai.steps import Step

Door = Callable[[RunRequest, str, str, list[Any]], Any]
"""``door(request, service, function, args)`` answers a service call; it runs in a greenlet of its own and may block.
The calls of one run come one after the other.

What it raises as :class:`ServiceError` is told to the script; anything else is told as an internal error, and goes to
the hub's error handler.
"""

GRACE_SECONDS: Final = 1.0
"""So long after its wall limit a run may still end by itself before its child is killed."""

START_SECONDS: Final = 10.0
"""So long a child may take from its start to its Hello."""

FIRST_BACKOFF: Final = 0.2
LONGEST_BACKOFF: Final = 5.0


class ServiceError(Exception):
    """A service refuses a call; the message is the script's error, or what is ``thrown``, a plain value, if given."""

    def __init__(self, message: str, *, thrown: Any = None) -> None:
        super().__init__(message)
        self.thrown = thrown


class ExecutorDied(Exception):
    """The child of a run is gone, and the run with it: nothing of it was committed, it can be run again.

    ``kind`` is ``crashed``, ``stuck`` (this run missed its hard deadline), ``memory`` or ``stopped``; ``logs`` is
    what the script had printed by then.
    """

    def __init__(self, kind: str, reason: str, logs: list[LogLine] | None = None) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.logs = logs or []


class _Waiting:
    """A run that takes up room, and the greenlet that waits for it.

    ``in_child`` is false while the source is looked for; ``abandoned`` tells that the greenlet was killed.
    ``cancelled`` is why the run is to end: the child may have sent it back for its source just before it was told.
    ``calls`` wait for the one that is being answered; ``asked`` is the number of the last one, 0 if that was posted.
    ``ended`` is the end of a run that posted calls, and ``refused`` what was said to one of those.
    """

    __slots__ = (
        "abandoned",
        "answering",
        "asked",
        "calls",
        "cancelled",
        "deadline",
        "elapsed_ms",
        "ended",
        "greenlet",
        "in_child",
        "kept",
        "logs",
        "number",
        "readings",
        "refused",
        "request",
        "steps",
    )

    def __init__(self, number: int, request: RunRequest) -> None:
        self.number = number
        self.request = request
        self.deadline = inf
        self.in_child = False
        self.abandoned = False
        self.cancelled = ""
        self.logs: list[LogLine] = []
        self.readings: list[int] = []
        self.elapsed_ms = 0
        self.steps: list[Step] = []
        self.calls: deque[Call] = deque()
        self.answering: gevent.Greenlet | None = None
        self.asked = 0
        self.ended: Done | None = None
        self.refused = ""
        self.greenlet: Any = None
        self.kept: Any = None

    def deliver(self, message: Any) -> None:
        """Wake the waiting greenlet with ``message``, or keep it until it waits."""
        waiting, self.greenlet = self.greenlet, None
        if waiting is None:
            self.kept = message
        else:
            waiting.switch(message)

    def message(self) -> Any:
        """The next message; sleeps until it comes."""
        if self.kept is not None:
            kept, self.kept = self.kept, None
            return kept
        self.greenlet = getcurrent()
        try:
            return gevent.get_hub().switch()
        finally:
            self.greenlet = None

    def end_calls(self) -> None:
        """Stop the service calls whose answer nobody wants any more."""
        self.calls.clear()
        if self.answering is not None:
            self.answering.kill(block=False)


class Executor:
    """See the module. ``freed`` is called whenever there is more room."""

    def __init__(self, door: Door, *, runs: int, memory_mb: int, freed: Callable[[], None]) -> None:
        self._door = door
        self._capacity = runs
        self._memory_mb = memory_mb
        self._freed = freed
        self._process: ExecutorProcess | None = None
        self._waiting: dict[int, _Waiting] = {}
        self._last_number = 0
        self._watch: Any = None
        self._looks_at = inf
        self._backoff = FIRST_BACKOFF
        self._stopping = False
        self.features: dict[str, bool] = {}
        self._compiler = b""
        self.ready = False
        self.trouble = ""
        self.settled = Event()
        """Set once the present child is ready, or has failed to become so."""
        self._empty = Event()
        self._gone = Event()

    @property
    def room(self) -> int:
        """How many more runs it takes now."""
        return self._capacity - len(self._waiting) if self.ready else 0

    @property
    def pid(self) -> int | None:
        """The child's process id, if there is a child."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start a child; ``settled`` follows."""
        if self._stopping:
            return
        self.settled.clear()
        self._gone.clear()
        self.trouble = ""
        try:
            self._process = ExecutorProcess(self._memory_mb, on_message=self._take, on_exit=self._exited)
        except OSError as error:
            self._exited(f"it can't be started: {error}")
            return
        self._look_in(START_SECONDS)

    def run(self, request: RunRequest) -> Result:
        """Run a script in the child, which must have room. Raises :class:`ExecutorDied`."""
        self._last_number += 1
        waiting = self._waiting[self._last_number] = _Waiting(self._last_number, request)
        source: str | None = None
        program: bytes | None = None
        try:
            while True:
                self._send_run(waiting, source, program)
                message = waiting.message()
                if type(message) is Done:
                    return self._whole(waiting, message.result)
                if type(message) is ExecutorDied:
                    raise message
                program = request.program() if self._compiler == compiler_version() else None
                source = request.source() if program is None else None
        except BaseException:
            # Killed while it waited, or without a source.
            self._abandon(waiting)
            raise

    def cancel(self, invocation: str, why: str) -> bool:
        """End the run of this invocation. False if it isn't here."""
        found = [waiting for waiting in self._waiting.values() if waiting.request.invocation == invocation]
        for waiting in found:
            waiting.cancelled = why
            self._send(Cancel(waiting.number, why))
        return bool(found)

    def take_so_far(self, request: RunRequest) -> SoFar | None:
        """What the run has told, once: its lines are kept elsewhere then. None if it isn't here."""
        for waiting in self._waiting.values():
            if waiting.request is request:
                if waiting.refused:
                    return SoFar(refused=waiting.refused)
                logs, waiting.logs = waiting.logs, []
                return SoFar(logs, waiting.readings, waiting.elapsed_ms)
        return None

    def drain(self, deadline: float) -> None:
        """Wait up to ``deadline`` seconds until nothing runs."""
        self._stopping = True
        self._empty.clear()
        if self._waiting and deadline > 0:
            self._empty.wait(deadline)

    def stop(self) -> None:
        """End the child and what still runs in it, and wait until it is reaped."""
        self._stopping = True
        if self._process is not None:
            self._process.kill("the platform stops")
            self._gone.wait()

    def _send(self, message: ToChild) -> None:
        if self._process is not None:
            self._process.send(message)

    def _send_run(self, waiting: _Waiting, source: str | None, program: bytes | None) -> None:
        number, request = waiting.number, waiting.request
        if number not in self._waiting:
            # The child died while the source was looked for: word of it is waiting.
            return
        run = Run(
            number,
            request.sha256,
            source,
            request.name,
            request.ctx,
            request.limits,
            request.seed,
            request.now_ms,
            program,
            request.repeat,
            request.answered,
        )
        self._send(run)
        if waiting.cancelled:
            self._send(Cancel(number, waiting.cancelled))
        waiting.in_child = True
        patience = request.limits.wall_ms / 1000 + GRACE_SECONDS
        waiting.deadline = monotonic() + patience
        if waiting.deadline < self._looks_at:
            self._look_in(patience)

    def _whole(self, waiting: _Waiting, result: Result) -> Result:
        if waiting.logs:
            result.logs = waiting.logs + result.logs
        if waiting.steps:
            result.steps = waiting.steps
        if waiting.refused and result.reply is not None:
            result.reply, result.thrown = None, False
            result.error = RunError("ErrorRuntime", f"Runtime error: {waiting.refused}")
        return result

    def _abandon(self, waiting: _Waiting) -> None:
        """Give up a run; it keeps its room until the child says that it has ended."""
        if waiting.number not in self._waiting:
            return
        if not waiting.in_child:
            self._forget(waiting)
            return
        waiting.abandoned = True
        waiting.end_calls()
        self._send(Cancel(waiting.number, "nobody waits for it any more"))

    def _take(self, message: Any) -> None:
        if type(message) is Hello:
            self._welcome(message)
            return
        if type(message) is Broken:
            self.trouble = message.reason
            return
        waiting = self._waiting.get(message.run)
        if waiting is None:
            return
        if type(message) is Done:
            if waiting.answering is not None and not waiting.asked and not waiting.abandoned:
                # What it posted last may still be refused, and is to be recorded.
                waiting.ended = message
                waiting.deadline = inf
                return
            self._forget(waiting)
            waiting.deliver(message)
        elif type(message) is NeedSource:
            waiting.in_child = False
            waiting.deadline = inf
            if waiting.abandoned:
                self._forget(waiting)
            else:
                waiting.deliver(message)
        elif type(message) is Logs:
            waiting.logs += message.lines
            if message.elapsed_ms >= 0:
                waiting.readings, waiting.elapsed_ms = message.readings, message.elapsed_ms
        elif type(message) is Steps:
            waiting.steps += message.steps
        elif type(message) is Call:
            waiting.calls.append(message)
            waiting.asked = message.call
            if waiting.answering is None:
                waiting.answering = gevent.spawn(self._answer_all, waiting)

    def _welcome(self, hello: Hello) -> None:
        self.features = hello.features
        self._compiler = hello.compiler
        self.ready = True
        self._look_no_more()
        self.settled.set()
        self._freed()

    def _forget(self, waiting: _Waiting) -> None:
        del self._waiting[waiting.number]
        waiting.end_calls()
        if self._stopping and not self._waiting:
            self._empty.set()
        self._freed()

    def _answer_all(self, waiting: _Waiting) -> None:
        """Answer the run's calls in their order, until there are none."""
        try:
            while waiting.calls:
                call = waiting.calls.popleft()
                try:
                    self._answer(waiting, call)
                except Exception:  # noqa: BLE001 - the script was told, the others are still to be answered
                    gevent.get_hub().handle_error(gevent.getcurrent(), *sys.exc_info())
        finally:
            waiting.answering = None
        if waiting.ended is not None and waiting.number in self._waiting:
            self._forget(waiting)
            waiting.deliver(waiting.ended)

    def _answer(self, waiting: _Waiting, call: Call) -> None:
        def refuse(why: str, thrown: Any = None) -> None:
            if call.call == 0:
                waiting.refused = waiting.refused or why
            elif call.run in self._waiting:
                self._send(Answer(call.run, call.call, False, thrown, why))

        try:
            if call.service == PLATFORM:
                value: Any = rules_of(*call.args)
            else:
                value = self._door(waiting.request, call.service, call.function, call.args)
            if call.call and call.run in self._waiting:
                self._send(Answer(call.run, call.call, True, value, ""))
        except ServiceError as error:
            refuse(str(error), error.thrown)
        except ProtocolError as error:
            refuse(str(error))
        except Exception:
            refuse(f"{call.service}::{call.function} failed inside the platform")
            raise

    def _look_in(self, seconds: float) -> None:
        """Look in ``seconds`` from now, and not before."""
        self._look_no_more()
        self._looks_at = monotonic() + seconds
        self._watch = gevent.get_hub().loop.timer(max(seconds, 0.0) + 0.01, ref=False)
        self._watch.start(self._look)

    def _look_no_more(self) -> None:
        self._looks_at = inf
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _look(self) -> None:
        """Kill a child that is stuck; if none is, look again at the next hard deadline, or never."""
        self._look_no_more()
        process = self._process
        if process is None:
            return
        if not self.ready:
            process.kill(f"it wasn't ready within {START_SECONDS:.0f} s of its start")
            return
        # What waits to be read is no sign of being stuck.
        process.receive()
        earliest = min((waiting.deadline for waiting in self._waiting.values()), default=inf)
        if earliest <= monotonic():
            process.kill("a run missed its deadline and didn't give way")
        elif earliest < inf:
            self._look_in(earliest - monotonic())

    def _exited(self, reason: str) -> None:
        was_ready, self.ready, self._process = self.ready, False, None
        self._look_no_more()
        kind = "stopped" if self._stopping else "memory" if self.trouble.startswith("MemoryError") else "crashed"
        why = self.trouble = self.trouble or reason
        now = monotonic()
        lost, self._waiting = self._waiting, {}
        self.settled.set()
        self._gone.set()
        if not self._stopping:
            self._replace(was_ready)
        for waiting in lost.values():
            waiting.end_calls()
            own = "stuck" if waiting.deadline <= now and not self._stopping else kind
            waiting.deliver(ExecutorDied(own, f"the executor died: {why}", waiting.logs))
        self._empty.set()

    def _replace(self, was_ready: bool) -> None:
        """Start the next child: at once after one that worked, with growing pauses after those that couldn't start."""
        if was_ready:
            self._backoff = FIRST_BACKOFF
            self.start()
            return
        timer = gevent.get_hub().loop.timer(self._backoff, ref=False)
        self._backoff = min(self._backoff * 2, LONGEST_BACKOFF)

        def again() -> None:
            timer.close()
            self.start()

        timer.start(again)
