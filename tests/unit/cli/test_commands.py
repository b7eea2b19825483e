"""The command line's frame: quick, complete, and helpful about names."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module

import click
import pytest
from click.testing import CliRunner

from picloud.cli.commands import SECTIONS, picloud

ENTRIES = [entry for entries in SECTIONS.values() for entry in entries]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_listed_command_is_there_under_its_name(entry) -> None:
    module, _, name = entry.where.partition(":")
    command = getattr(import_module(module), name or "command")
    assert isinstance(command, click.Command)
    assert command.name == entry.name


def test_help_lists_every_command_and_imports_none() -> None:
    modules = sorted({entry.where.partition(":")[0] for entry in ENTRIES})
    program = (
        "import sys\n"
        "from picloud.cli.commands import picloud\n"
        "picloud(['--help'], standalone_mode=False)\n"
        f"print('imported:', [name for name in {modules!r} + ['psycopg', 'gevent', 'rich'] if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    for entry in ENTRIES:
        assert entry.help in ran.stdout
    assert "imported: []" in ran.stdout


def test_a_misspelt_command_is_told_the_near_one() -> None:
    result = CliRunner().invoke(picloud, ["docter"])
    assert result.exit_code == 2
    assert "Did you mean 'doctor'?" in result.output


def test_a_setting_that_cannot_be_ends_with_2_and_says_what_is_expected() -> None:
    result = CliRunner().invoke(picloud, ["up", "--workers", "many"])
    assert result.exit_code == 2
    assert "PICLOUD_WORKERS is 'many'; expected a whole number" in result.output


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield " ".join((*path, name)), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize(("name", "command"), list(commands(picloud)), ids=lambda value: str(value))
def test_no_two_parameters_of_a_command_share_a_name(name: str, command: click.Command) -> None:
    context = click.Context(command)
    spellings: list[str] = []
    for parameter in command.get_params(context):
        spellings.append(f"as {parameter.name} in Python")
        if isinstance(parameter, click.Option):
            spellings += (*parameter.opts, *parameter.secondary_opts)
    twice = {spelling for spelling in spellings if spellings.count(spelling) > 1}
    assert not twice, f"picloud {name} means two things by {', '.join(sorted(twice))}"
