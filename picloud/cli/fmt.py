"""``picloud fmt``."""

from __future__ import annotations

import difflib
import os
import stat
import tempfile
from pathlib import Path

import click

from picloud.cli.check import read_script
from picloud.rhai import RhaiError
from picloud.rhai.tools.formatter import FormatError, formatted
from picloud.rhai.tools.mending import advice_on_parsing
from picloud.rhai.tools.report import report

_STANDARD_INPUT = Path("-")


@click.command("fmt")
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--check", is_flag=True, help="Write nothing; name what would change, and end with 1 if there is any.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change.")
def command(files: tuple[Path, ...], check: bool, diff: bool) -> None:
    """Format scripts in place; - formats standard input to standard output.

    Comments stay, and a formatted script is the same script. Files that are in order are not touched. Ends with 1 if a
    script can't be formatted; the others are.
    """
    good = True
    for file in files:
        source = read_script(file)
        wanted = _formatted(file, source)
        if wanted is None:
            good = False
            continue
        changes = wanted != source
        if diff:
            _show(file, source, wanted)
        if check and changes:
            click.echo(f"{file} is to be formatted", err=diff)
            good = False
        if check or diff:
            continue
        if file == _STANDARD_INPUT:
            click.echo(wanted, nl=False)
        elif changes:
            _write(file, wanted)
            click.echo(f"formatted {file}", err=True)
    if not good:
        raise SystemExit(1)


def _formatted(file: Path, source: str) -> str | None:
    """Return the script as it should be written; say why not, and return None, if it can't be formatted."""
    try:
        return formatted(source)
    except RhaiError as error:
        click.echo(
            report(error, {"": source}, str(file), advice=advice_on_parsing(error, source), colours=True), err=True
        )
    except FormatError as error:
        click.echo(f"{file}: {error}; it is left as it is", err=True)
    return None


def _show(file: Path, source: str, wanted: str) -> None:
    lines = difflib.unified_diff(
        source.splitlines(keepends=True), wanted.splitlines(keepends=True), str(file), f"{file} (formatted)"
    )
    for line in lines:
        colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[0])
        click.echo(click.style(line if line.endswith("\n") else f"{line}\n", fg=colour), nl=False)


def _write(file: Path, text: str) -> None:
    """Put a text in place of a file's, whole or not at all; its permissions stay."""
    target = file.resolve()
    try:
        mode = stat.S_IMODE(target.stat().st_mode)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        new = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            new.chmod(mode)
            new.replace(target)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise click.ClickException(f"{file} can't be written: {error.strerror}") from None
