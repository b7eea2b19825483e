"""``picloud doctor``."""

from __future__ import annotations

import json
import os
from typing import Final

import click

from picloud.cli.settings import with_config
from picloud.config import Config
from picloud.doctor import Finding, Severity, examine

_MARKS: Final = {
    Severity.GOOD: click.style("ok   ", fg="green"),
    Severity.NOTE: click.style("note ", fg="cyan"),
    Severity.WARNING: click.style("warn ", fg="yellow"),
    Severity.WRONG: click.style("WRONG", fg="red", bold=True),
}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@with_config("data", "database", "listen")
def command(config: Config, as_json: bool) -> None:
    """Say what is wrong with this installation, and how to mend it.

    Changes nothing, and works whether PiCloud runs or not. Ends with 1 if something is wrong; warnings don't count.
    """
    findings: list[Finding] = []
    for finding in examine(config, os.environ):
        findings.append(finding)
        if not as_json:
            _show(finding)
    wrong = sum(finding.severity is Severity.WRONG for finding in findings)
    if as_json:
        click.echo(json.dumps([finding.to_dict() for finding in findings], indent=2))
    else:
        click.echo("\neverything is as it should be" if not wrong else f"\n{wrong} wrong")
    if wrong:
        raise SystemExit(1)


def _show(finding: Finding) -> None:
    click.echo(f"{_MARKS[finding.severity]}  {click.style(finding.subject, bold=True)}: {finding.found}")
    if finding.remedy:
        click.echo(f"         → {finding.remedy}")
