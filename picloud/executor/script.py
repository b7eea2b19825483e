"""A run of a Rhai script: compiled once, run with ``ctx`` and the platform's modules, its end made an outcome.

Compiled programs are kept by the hash of their source, up to a number and a size; the one unused for longest goes
first.
"""

from __future__ import annotations

from types import TracebackType
from typing import Final

from picloud.executor.answer import Answers, InvalidAnswer
from picloud.executor.context import context_of
from picloud.executor.host import FIRST_SLICE, ScriptHost
from picloud.executor.language import platform_engine
from picloud.executor.protocol import Limits, Run, RunError
from picloud.executor.redaction import Redaction
from picloud.executor.scheduler import ActiveRun, Outcome, RunEnded
from picloud.executor.traced import TracedRun
from picloud.rhai import Constant, Engine, Program, RhaiError
from picloud.rhai import Limits as LanguageLimits
from picloud.rhai.runtime.places import FILENAME, here

MOST_PROGRAMS: Final = 512
MOST_SOURCE_CHARACTERS: Final = 512 * 1024
"""Of all programs kept together; compiled they take some 25 bytes for each character."""


CODE_BYTES: Final = 10
"""Of a program's code for each character of its source, about."""


class Programs:
    """The compiled programs of one child."""

    def __init__(self) -> None:
        self._engines: dict[tuple[Limits, bool], Engine] = {}
        self._kept: dict[tuple[str, int], tuple[Program, int]] = {}
        self._size = 0

    def program(self, message: Run) -> Program | None:
        """The program of a run; None without its source or code. Raises :class:`RhaiError` if it can't be compiled."""
        traced = message.repeat is not None and message.repeat.trace is not None
        engine = self._engines.get((message.limits, traced))
        if engine is None:
            engine = self._new_engine(message.limits, traced=traced)
        key = (message.sha256, id(engine))
        kept = self._kept.pop(key, None)
        if kept is None:
            if message.program is not None and not traced:
                kept = Program.loaded(engine, message.program), len(message.program) // CODE_BYTES
            elif message.source is not None:
                kept = engine.compile(message.source), len(message.source)
            else:
                return None
            self._size += kept[1]
        self._kept[key] = kept
        while len(self._kept) > MOST_PROGRAMS or (self._size > MOST_SOURCE_CHARACTERS and len(self._kept) > 1):
            _, size = self._kept.pop(next(iter(self._kept)))
            self._size -= size
        return kept[0]

    def _new_engine(self, limits: Limits, *, traced: bool) -> Engine:
        wanted = language_limits(limits)
        alike = (each for each in self._engines.values() if each.limits == wanted and each.traced == traced)
        engine = next(alike, None)
        if engine is None:
            engine = platform_engine(wanted, traced=traced)
        self._engines[limits, traced] = engine
        return engine


class Scripts:
    """Runs scripts; one for the child."""

    def __init__(self) -> None:
        self._programs = Programs()

    def warm(self) -> None:
        """Do once what would make the first run slow, and load what must not be looked for later."""
        self._programs.program(Run(0, "", 'let text = `${[1.5, "a"]}`; #{text: text}', "", {}, Limits(), 0, 0))

    def run(self, active: ActiveRun) -> Outcome | None:
        """Run a script to its end; None if its source is needed first."""
        message = active.message
        try:
            program = self._programs.program(message)
        except RhaiError as error:
            return Outcome(error=_run_error(error))
        if program is None:
            return None
        host = ScriptHost(active)
        try:
            outcome = self._execute(host, program)
        except RunEnded as ended:
            line, column = _place(ended.__traceback__)
            outcome = Outcome(error=RunError(ended.kind, ended.message, line, column))
        finally:
            if isinstance(active, TracedRun):
                active.close()
        outcome.operations = host.operations
        if outcome.error is not None and active.redaction:
            outcome.error = _without_secrets(outcome.error, active.redaction)
        if outcome.error is not None or message.repeat is not None:
            outcome.readings = host.readings
        if isinstance(active, TracedRun):
            outcome.step_count = active.tracer.count
        return outcome

    def _execute(self, host: ScriptHost, program: Program) -> Outcome:
        message = host.active.message
        answers = Answers(message.limits.output_bytes, host.active.pause)
        try:
            try:
                value = program.run({"ctx": Constant(context_of(message.ctx))}, host)
            except RhaiError as error:
                reply = answers.of_thrown(error.value)
                return Outcome(error=_run_error(error)) if reply is None else Outcome(reply=reply, thrown=True)
            finally:
                host.operations = program.operations
            return Outcome(reply=answers.of(value))
        except InvalidAnswer as error:
            return Outcome(error=RunError(error.kind, str(error)))


def language_limits(limits: Limits) -> LanguageLimits:
    """What the language is told of a run's limits."""
    return LanguageLimits(
        max_operations=limits.operations,
        max_call_levels=limits.call_levels,
        max_string_size=limits.string_bytes,
        max_array_size=limits.array_items,
        max_map_size=limits.map_items,
        max_modules=100,
        slice_operations=FIRST_SLICE,
    )


def _run_error(error: RhaiError) -> RunError:
    calls = [f"{call.function} (called at line {call.line}, position {call.column})" for call in error.call_stack]
    own = error.innermost
    message = own.message if own.stage == "parse" else own.text
    thrown = own.value if own.kind == "ErrorRuntime" else None
    if type(thrown) is dict and type(thrown.get("error")) is str and type(thrown.get("message")) is str:
        # A map that tells of an error, as services throw it: what people read is what it says.
        message = f"Runtime error: {thrown['message']}"
    return RunError(own.kind, message, own.line, own.column, calls)


def _without_secrets(error: RunError, redaction: Redaction) -> RunError:
    stack = [redaction.text(call) for call in error.call_stack]
    return RunError(error.kind, redaction.text(error.message), error.line, error.column, stack)


def _place(traceback: TracebackType | None) -> tuple[int, int]:
    """Where the script was when it was ended."""
    place = (0, 0)
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == FILENAME:
            place = here(traceback.tb_frame)
        traceback = traceback.tb_next
    return place
