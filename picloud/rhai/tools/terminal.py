"""A run on a terminal: what it prints, and where its modules are.

``import "lib"`` in a script of a folder is the file ``lib.rhai`` of that folder; ``import "shop/prices"`` that of a
folder within. A path can't lead out of the folder.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from picloud.rhai.engine import Engine
from picloud.rhai.errors import RhaiError
from picloud.rhai.printing import display
from picloud.rhai.runtime.run import DefaultHost
from picloud.rhai.tools.advice import advise
from picloud.rhai.tools.report import place_of, report, report_remark
from picloud.rhai.tools.warnings import warnings

SUFFIX: Final = ".rhai"
"""What is added to the path of an import to make it a file's."""


class Terminal(DefaultHost):
    """Prints to standard output, debugs to standard error with the place, finds modules in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self.sources: dict[str, str] = {}
        """The texts of the modules that were found, by path."""

    def on_print(self, text: str) -> None:
        """Print a line."""
        print(text)

    def on_debug(self, text: str, line: int, column: int) -> None:
        """Print a line with its place."""
        print(f"{line}:{column} | {text}", file=sys.stderr)

    def on_sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def resolve(self, path: str) -> str | None:
        """Return the text of a module; None if there is no such file."""
        file = (self._folder / f"{path}{SUFFIX}").resolve()
        if not file.is_relative_to(self._folder):
            return None
        try:
            self.sources[path] = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError, ValueError):
            return None
        return self.sources[path]


def explained(error: RhaiError, sources: Mapping[str, str], name: str, engine: Engine) -> str:
    """Return an error as standard error shows it, with advice."""
    source = sources.get(place_of(error).source)
    advice = advise(error, source, engine) if source is not None else ()
    return report(error, sources, name, advice=advice, colours=sys.stderr.isatty())


def _warn(source: str, name: str, engine: Engine) -> bool:
    """Print the warnings, and return whether there are any."""
    found = warnings(source, engine)
    for remark in found:
        print(report_remark(remark, source, name, colours=sys.stderr.isatty()), file=sys.stderr)
    return bool(found)


def read(path: str) -> str:
    """Return the text of a script; ``-`` is standard input.

    Raises OSError, and UnicodeDecodeError for a file that is no UTF-8.
    """
    if path == "-":
        return sys.stdin.buffer.read().decode()
    return Path(path).read_bytes().decode()


def execute(path: str, engine: Engine, *, warn: bool = False, strict: bool = False) -> int:
    """Run a script from a file, ``-`` being standard input; print its value unless that is ``()``.

    ``warn`` tells first what is probably a mistake; ``strict`` does too, and doesn't run a script with a warning.
    Return the exit status: 0, 1 for an error or a strict warning, 2 for a file that can't be read, 130 for Ctrl-C.
    """
    try:
        source = read(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"not UTF-8: byte {error.start}"
        print(f"{path}: {reason}", file=sys.stderr)
        return 2
    host = Terminal(Path() if path == "-" else Path(path).parent)
    try:
        program = engine.compile(source)
        if (warn or strict) and _warn(source, path, engine) and strict:
            return 1
        value = program.run(host=host)
    except RhaiError as error:
        sys.stdout.flush()
        print(explained(error, {**host.sources, "": source}, path, engine), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if value is not None:
        print(display(value))
    return 0
