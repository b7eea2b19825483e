"""``picloud check``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from picloud.rhai import Engine, RhaiError
from picloud.rhai.tools.mending import advice_on_parsing
from picloud.rhai.tools.report import report


@click.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="Machine-readable, one line a file.")
def command(files: tuple[Path, ...], as_json: bool) -> None:
    """Compile scripts without a server, and show what is wrong with them; - is standard input.

    Ends with 1 if one of them doesn't compile.
    """
    good = True
    for file in files:
        error = _compile(source := _read(file))
        good = good and error is None
        if as_json:
            found = error and _described(error, source)
            click.echo(json.dumps({"file": str(file), "ok": error is None, "error": found}))
        elif error is None:
            click.echo(f"{file}: {click.style('ok', fg='green')}")
        else:
            click.echo(report(error, {"": source}, str(file), advice=advice_on_parsing(error, source), colours=True))
    if not good:
        raise SystemExit(1)


def _described(error: RhaiError, source: str) -> dict[str, Any]:
    return {
        "kind": error.kind,
        "message": error.message,
        "line": error.line,
        "column": error.column,
        "advice": [str(advice) for advice in advice_on_parsing(error, source)],
    }


def _compile(source: str) -> RhaiError | None:
    try:
        Engine().compile(source)
    except RhaiError as error:
        return error
    return None


def _read(file: Path) -> str:
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from None
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise click.ClickException(f"{file} is not UTF-8: byte {error.start}, in line {line}") from None
