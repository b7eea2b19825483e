"""Reads inputs from a terminal or a pipe, runs each, and prints its value.

An input goes on over lines as long as a bracket, a text or a comment is open, or an expression isn't complete; an empty
line ends one that only waits for more. Commands begin with a colon.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

from picloud.rhai.engine import Engine
from picloud.rhai.errors import RhaiError
from picloud.rhai.lexer import KEYWORDS
from picloud.rhai.parser import parse
from picloud.rhai.printing import debug
from picloud.rhai.syntax import Script
from picloud.rhai.tools.advice import advise
from picloud.rhai.tools.bindings import Bindings, bindings
from picloud.rhai.tools.completeness import is_complete
from picloud.rhai.tools.mending import Advice
from picloud.rhai.tools.report import place_of, report
from picloud.rhai.tools.session import Session
from picloud.rhai.tools.terminal import Terminal, read
from picloud.rhai.values import type_name

PROMPT: Final = "rhai> "
CONTINUED: Final = "  ... "
_MOST_LINES_KEPT: Final = 2_000
_WIDEST_VALUE: Final = 60
_HELP: Final = """\
:help          show this
:vars          list variables, constants and functions
:type EXPR     say the type of a value
:time EXPR     say how long it takes
:load FILE     run a file as if it were typed
:quit          end; so does Ctrl-D. Ctrl-C stops what runs.
Anything else is Rhai. A value is printed unless it is (); an input goes on while a bracket is open."""


class Repl:
    """One conversation."""

    def __init__(self, engine: Engine, *, interactive: bool) -> None:
        self._engine = engine
        self._interactive = interactive
        self._host = Terminal(Path())
        self._session = Session(engine, self._host)
        self._failed = False
        self._over = False
        self._lines: list[str] = []
        """Those of an input that goes on."""

    def run(self) -> int:
        """Go on until the end of the input. Return the exit status: 1 if a piped input failed, else 0."""
        if self._interactive:
            print("Rhai. :help says what there is, Ctrl-D ends.")
        with _history(self._names) if self._interactive else contextlib.nullcontext():
            while not self._over:
                self._step()
        return int(self._failed and not self._interactive)

    # ---------------------------------------------------------------------------------------- input

    def _step(self) -> None:
        """Read a line, and do what the input says if it is whole with that."""
        try:
            line = self._line(CONTINUED if self._lines else PROMPT)
            self._lines.append(line)
            text = "\n".join(self._lines)
            if not text.strip():
                self._lines = []
            elif text.lstrip().startswith(":") or is_complete(text, waits=bool(line.strip())):
                self._lines = []
                self._take(text)
        except KeyboardInterrupt:
            print()
            self._lines = []
        except EOFError:
            if self._interactive:
                print()
            if self._lines:
                self._take("\n".join(self._lines))
            self._over = True

    def _line(self, prompt: str) -> str:
        if self._interactive:
            return input(prompt)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.removesuffix("\n")

    # ---------------------------------------------------------------------------------------- doing

    def _take(self, text: str) -> None:
        """Do what an input says."""
        try:
            command, _, rest = text.strip().partition(" ")
            if command.startswith(":"):
                self._command(command, rest.strip())
            else:
                self._show(self._session.evaluate(text))
        except RhaiError as error:
            self._explain(error, text)
        except KeyboardInterrupt:
            self._complain("interrupted")

    def _command(self, command: str, rest: str) -> None:
        do: Callable[[str], None] | None = {
            ":help": self._help,
            ":vars": self._vars,
            ":type": self._type,
            ":time": self._time,
            ":load": self._load,
            ":quit": self._quit,
        }.get(command)
        if do is None:
            self._complain(f"there is no command {command}; :help lists them")
            return
        do(rest)

    def _help(self, _: str) -> None:
        print(_HELP)

    def _quit(self, _: str) -> None:
        self._over = True

    def _vars(self, _: str) -> None:
        constants = self._session.constants
        for name, value in self._session.variables.items():
            shown = debug(value)
            if len(shown) > _WIDEST_VALUE:
                shown = f"{shown[: _WIDEST_VALUE - 1]}…"
            word = "const" if name in constants else "let"
            print(f"{word} {name}: {type_name(value)} = {shown}")
        for function in self._session.functions:
            prefix = f"{function.this_type}." if function.this_type else ""
            print(f"fn {prefix}{function.name}({', '.join(function.parameters)})")

    def _type(self, text: str) -> None:
        if text:
            print(type_name(self._evaluated(text)))

    def _time(self, text: str) -> None:
        start = time.perf_counter()
        value = self._evaluated(text)
        took = time.perf_counter() - start
        self._show(value)
        print(f"{took * 1000:.3f} ms" if took < 1 else f"{took:.3f} s")

    def _load(self, path: str) -> None:
        try:
            text = read(str(Path(path).expanduser()))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else f"not UTF-8: byte {error.start}"
            self._complain(f"{path}: {reason}")
            return
        self._show(self._evaluated(text))

    def _evaluated(self, text: str) -> object:
        try:
            return self._session.evaluate(text)
        except RhaiError as error:
            self._explain(error, text)
            return None

    # ---------------------------------------------------------------------------------------- output

    def _show(self, value: object) -> None:
        if value is not None:
            print(debug(value))
        sys.stdout.flush()

    def _explain(self, error: RhaiError, text: str) -> None:
        self._failed = True
        sys.stdout.flush()
        sources = {**self._host.sources, **{f"fn {name}": kept for name, kept in self._session.texts.items()}, "": text}
        note = place_of(error)
        source = sources.get(f"fn {note.function}") or sources.get(note.source)
        advice: tuple[Advice, ...] = ()
        if source is not None:
            known = self._known(text) if source == text else None
            advice = advise(error, source, self._engine, tuple(self._session.variables), known=known)
        print(report(error, sources, "", advice=advice, colours=sys.stderr.isatty()), file=sys.stderr)

    def _known(self, text: str) -> tuple[Script, Bindings] | None:
        """Return the input's tree with the functions that were defined before."""
        try:
            script = parse(text, self._engine.limits, optimize=False)
        except RhaiError:
            return None
        own = {function.name for function in script.functions}
        before = [function for function in self._session.functions if function.name not in own]
        names = bindings(script)
        return Script(script.statements, [*script.functions, *before]), names

    def _complain(self, text: str) -> None:
        self._failed = True
        sys.stdout.flush()
        print(text, file=sys.stderr)

    def _names(self) -> list[str]:
        """Return what a name that is being typed may become."""
        functions = [function.name for function in self._session.functions]
        natives = [name for name in self._engine.registry.names() if name[0].isalpha()]
        return sorted({*self._session.variables, *functions, *natives, *self._engine.modules, *KEYWORDS})


def history_file() -> Path:
    """Return where the lines typed are kept: in the user's folder for state."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "picloud" / "rhai-history"


@contextlib.contextmanager
def _history(names: Callable[[], list[str]]) -> Iterator[None]:
    """Edit lines with history and completion where the machine has them; a history that can't be kept is no reason to
    fail."""
    try:
        import readline
    except ImportError:
        yield
        return
    path = history_file()
    with contextlib.suppress(OSError):
        readline.read_history_file(path)
    readline.set_history_length(_MOST_LINES_KEPT)
    _complete(readline, names)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(path)
            path.chmod(0o600)


def _complete(readline: ModuleType, names: Callable[[], list[str]]) -> None:
    def complete(text: str, state: int) -> str | None:
        if not text:
            return "\t" if state == 0 else None
        found = [name for name in names() if name.startswith(text)]
        return found[state] if state < len(found) else None

    readline.set_completer(complete)
    readline.set_completer_delims(" \t\n`~!@#$%^&*()-=+[{]}\\|;:'\",<>/?.")
    readline.parse_and_bind("bind ^I rl_complete" if "libedit" in (readline.__doc__ or "") else "tab: complete")
