"""Groups of commands: one that imports a command's module when it is called, one that lists by itself."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: its name, where it is (``module`` or ``module:object``), and its line in the help."""

    name: str
    where: str
    help: str


class LazyGroup(click.Group):
    """A group whose commands are :class:`Entry` objects in named sections."""

    def __init__(self, name: str, *, sections: dict[str, list[Entry]], **options: Any) -> None:
        super().__init__(name, **options)
        self._sections = sections
        self._entries = {entry.name: entry for entries in sections.values() for entry in entries}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the help."""
        return list(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command ``cmd_name``, its module imported now."""
        entry = self._entries.get(cmd_name)
        if entry is None:
            return None
        module, _, name = entry.where.partition(":")
        command = getattr(import_module(module), name or "command")
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As the base class, with names that are near a wrong one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if near := get_close_matches(args[0], self._entries, n=1):
                raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", ctx) from None
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections of the help, without importing a command."""
        for title, entries in self._sections.items():
            with formatter.section(title):
                formatter.write_dl([(entry.name, entry.help) for entry in entries])


class ListingGroup(click.Group):
    """A group that lists unless a command is named: ``picloud triggers APP`` is ``picloud triggers list APP``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As the base class, with ``list`` put in front of what names no command."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["list", *args]
        return super().parse_args(ctx, args)
