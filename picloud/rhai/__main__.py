"""`python -m picloud.rhai` reads scripts from the terminal, line by line; with FILE it runs that one; with `--jsonl` it
answers many, for comparison with other engines."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TextIO

from picloud.rhai.cache import ProgramCache, user_folder
from picloud.rhai.engine import Engine
from picloud.rhai.scoreboard import LIMITS, answer


def scoreboard(lines: TextIO, out: TextIO) -> None:
    """Answer each line `{"id": …, "src": …}` by a line of what the script gives, with the id."""
    engine = Engine(LIMITS)
    for line in lines:
        if line.strip():
            asked = json.loads(line)
            out.write(json.dumps({"id": asked["id"], **answer(asked["src"], engine)}, ensure_ascii=False) + "\n")
            out.flush()


def main() -> int:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="python -m picloud.rhai", description="Run Rhai scripts.")
    wanted = parser.add_mutually_exclusive_group()
    wanted.add_argument("file", nargs="?", help="a script to run; - reads standard input; none asks for input")
    wanted.add_argument(
        "--jsonl", action="store_true", help='answer lines {"id", "src"} from standard input, for comparison'
    )
    parser.add_argument("--warn", action="store_true", help="tell what is probably a mistake before running")
    parser.add_argument("--strict", action="store_true", help="as --warn, and don't run a script with a warning")
    options = parser.parse_args()
    if options.jsonl:
        scoreboard(sys.stdin, sys.stdout)
        return 0
    if options.file is None:
        from picloud.rhai.tools.repl import Repl

        return Repl(Engine(), interactive=sys.stdin.isatty()).run()
    from picloud.rhai.tools.terminal import execute

    return execute(options.file, Engine(cache=ProgramCache(user_folder())), warn=options.warn, strict=options.strict)


if __name__ == "__main__":
    sys.exit(main())
