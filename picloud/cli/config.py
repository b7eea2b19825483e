"""``picloud config``: the settings of the installation; of an app, with one of its commands."""

from __future__ import annotations

import json
import os

import click

from picloud.cli import app_config
from picloud.cli.settings import with_config
from picloud.config import NOT_SHOWN, Config, settings, unknown_variables


class _Settings(click.Group):
    """``picloud config APP`` lists what the app has."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As the base class, with ``list`` put in front of what names no command."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group("config", cls=_Settings, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Show every setting of the installation, its value and where that comes from. With an app: what its scripts read
    as config::.

    \b
      picloud config
      picloud config demo
      picloud config set demo RATE 20; picloud config get demo RATE
      picloud config history demo RATE
    """
    if context.invoked_subcommand is None:
        context.invoke(installation, as_json=as_json)


@click.command()
@click.option("--json", "as_json", is_flag=True)
@with_config()
def installation(config: Config, as_json: bool) -> None:
    """Show every setting of the installation."""
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


for _command in app_config.COMMANDS:
    command.add_command(_command)
