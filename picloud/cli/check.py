"""``picloud check``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from picloud.rhai import Engine, Limits, RhaiError
from picloud.rhai.tools.mending import advice_on_parsing
from picloud.rhai.tools.remark import Remark
from picloud.rhai.tools.report import report, report_remark


@click.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--warn", is_flag=True, help="Show too what is probably a mistake.")
@click.option("--strict", is_flag=True, help="As --warn, and a warning is as bad as an error.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable, one line a file.")
def command(files: tuple[Path, ...], warn: bool, strict: bool, as_json: bool) -> None:
    """Compile scripts without a server, and show what is wrong with them; - is standard input.

    Ends with 1 if one of them doesn't compile, or with --strict if there is a warning.
    """
    good = True
    for file in files:
        source = read_script(file)
        error = _compile(source)
        remarks = _warnings(source) if error is None and (warn or strict) else []
        good = good and error is None and not (strict and remarks)
        if as_json:
            _print_json(file, source, error, remarks)
        elif error is not None:
            advice = advice_on_parsing(error, source)
            click.echo(report(error, {"": source}, str(file), advice=advice, colours=True))
        elif not remarks:
            click.echo(f"{file}: {click.style('ok', fg='green')}")
        for remark in remarks if not as_json else ():
            click.echo(report_remark(remark, source, str(file), colours=True))
    if not good:
        raise SystemExit(1)


def _print_json(file: Path, source: str, error: RhaiError | None, remarks: list[Remark]) -> None:
    warnings = [
        {
            "code": remark.code,
            "message": remark.text,
            "line": remark.line,
            "column": remark.column,
            "advice": [remark.advice] if remark.advice else [],
        }
        for remark in remarks
    ]
    found = error and _described(error, source)
    click.echo(json.dumps({"file": str(file), "ok": error is None, "error": found, "warnings": warnings}))


def _warnings(source: str) -> list[Remark]:
    from picloud.executor.language import VARIABLES, platform_engine  # a check without warnings needs no modules
    from picloud.rhai.tools.warnings import warnings

    return warnings(source, platform_engine(Limits()), VARIABLES)


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


def read_script(file: Path) -> str:
    """Return the text of a file, or of standard input for -; raise ClickException if there is none."""
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from None
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise click.ClickException(f"{file} is not UTF-8: byte {error.start}, in line {line}") from None
