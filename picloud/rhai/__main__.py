"""`python -m picloud.rhai FILE` runs a script; `python -m picloud.rhai --jsonl` answers many, for comparison with
other engines."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TextIO

from picloud.rhai.engine import Engine
from picloud.rhai.errors import RhaiError
from picloud.rhai.limits import Limits
from picloud.rhai.printing import display
from picloud.rhai.runtime.run import DefaultHost
from picloud.rhai.scoreboard import LIMITS, answer


class _Terminal(DefaultHost):
    """Prints to standard output, debugs to standard error with the place."""

    def on_print(self, text: str) -> None:
        print(text)

    def on_debug(self, text: str, line: int, column: int) -> None:
        print(f"{line}:{column} | {text}", file=sys.stderr)

    def on_sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def scoreboard(lines: TextIO, out: TextIO) -> None:
    """Answer each line `{"id": …, "src": …}` by a line of what the script gives, with the id."""
    engine = Engine(LIMITS)
    for line in lines:
        if line.strip():
            asked = json.loads(line)
            out.write(json.dumps({"id": asked["id"], **answer(asked["src"], engine)}, ensure_ascii=False) + "\n")
            out.flush()


def execute(path: str) -> int:
    """Run a script from a file, `-` being standard input; print its value unless that is `()`.

    Return the exit status.
    """
    source = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    try:
        value = Engine(Limits()).compile(source).run(host=_Terminal())
    except RhaiError as error:
        print(explained(error, source, path), file=sys.stderr)
        return 1
    if value is not None:
        print(display(value))
    return 0


def explained(error: RhaiError, source: str, path: str) -> str:
    """Return an error's message with the line of the script that it is about, and a caret under the place."""
    place = f"{path}:{error.line}:{error.column}: " if error.line else f"{path}: "
    lines = source.splitlines()
    shown = f"{place}{error.message}"
    if 0 < error.line <= len(lines):
        text = lines[error.line - 1].replace("\t", " ")
        shown += f"\n    {text}\n    {' ' * (error.column - 1)}^"
    return shown


def main() -> int:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="python -m picloud.rhai", description="Run Rhai scripts.")
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("file", nargs="?", help="a script to run; - reads standard input")
    wanted.add_argument(
        "--jsonl", action="store_true", help='answer lines {"id", "src"} from standard input, for comparison'
    )
    options = parser.parse_args()
    if options.jsonl:
        scoreboard(sys.stdin, sys.stdout)
        return 0
    return execute(options.file)


if __name__ == "__main__":
    sys.exit(main())
