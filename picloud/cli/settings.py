"""The options that stand for settings, and reading them."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from picloud.config import Config, ConfigError

_Function = TypeVar("_Function", bound=Callable[..., Any])

_OPTIONS = {
    "data": click.option("--data", metavar="FOLDER", help="Data folder (PICLOUD_DATA)."),
    "database": click.option("--database", metavar="DSN", help="PostgreSQL to use instead (PICLOUD_DATABASE)."),
    "listen": click.option("--listen", metavar="HOST:PORT", help="Where to serve HTTP (PICLOUD_LISTEN)."),
    "workers": click.option("--workers", metavar="N", help="HTTP processes (PICLOUD_WORKERS)."),
    "executors": click.option("--executors", metavar="N", help="Executors per worker (PICLOUD_EXECUTORS)."),
    "grace": click.option("--grace", metavar="SECONDS", help="Time for requests to end at a stop (PICLOUD_GRACE)."),
    "log_level": click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error."),
}


def with_config(*names: str) -> Callable[[_Function], Callable[..., Any]]:
    """Give a command options for the settings ``names``, and the resulting :class:`Config` as its first argument.

    A value that can't be ends the command with exit code 2.
    """

    def decorate(function: _Function) -> Callable[..., Any]:
        @functools.wraps(function)
        def command(**given: Any) -> Any:
            overrides = {name: given.pop(name) for name in names}
            try:
                config = Config.from_environment(os.environ, **overrides)
            except ConfigError as error:
                raise click.UsageError(str(error)) from None
            return function(config, **given)

        for name in reversed(names):
            command = _OPTIONS[name](command)
        return command

    return decorate
