"""``picloud config``."""

from __future__ import annotations

import json
import os

import click

from picloud.cli.settings import with_config
from picloud.config import NOT_SHOWN, Config, settings, unknown_variables


@click.command("config")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@with_config()
def command(config: Config, as_json: bool) -> None:
    """Show every setting, its value and where that comes from."""
    rows = []
    for setting in settings():
        value = str(getattr(config, setting.name))
        if setting.secret and value:
            value = NOT_SHOWN
        given = bool(os.environ.get(setting.variable))
        rows.append(
            {
                "variable": setting.variable,
                "value": value,
                "from": "environment" if given else "default",
                "default": setting.default,
                "unit": setting.unit,
                "meaning": setting.sentence,
            }
        )
    unknown = unknown_variables(os.environ)
    if as_json:
        click.echo(json.dumps({"settings": rows, "unknown": unknown}, indent=2))
        return
    for row in rows:
        unit = f" {row['unit']}" if row["unit"] and row["value"] else ""
        mark = click.style("*", fg="green") if row["from"] == "environment" else " "
        click.echo(f"{mark} {click.style(row['variable'], bold=True)} = {row['value'] or '(empty)'}{unit}")
        click.echo(f"    {row['meaning']} Default: {row['default'] or '(empty)'}.")
    click.echo("\n* from the environment")
    for variable in unknown:
        click.echo(click.style(f"! {variable} is set and is no setting of PiCloud", fg="yellow"))
