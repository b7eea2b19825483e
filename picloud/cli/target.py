"""Which platform a command talks to, and with which token."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import click

from picloud.config import Config, ConfigError
from picloud.supervisor.folder import TOKEN_FILE, URL_FILE

_Function = TypeVar("_Function", bound=Callable[..., Any])

ROOT_DATA: Final = Path("/var/lib/picloud")


@dataclass(frozen=True, slots=True)
class Target:
    """A platform: ``url`` without a slash at the end, and the token to show it."""

    url: str
    token: str


def with_target(function: _Function) -> Callable[..., Any]:
    """Give a command --url, --token and --data, and the resulting :class:`Target` as its first argument.

    The URL is that of --url, else PICLOUD_URL, else the one that the platform on this machine wrote to the data
    folder, else the one it would listen on. The token is that of --token, else PICLOUD_TOKEN, else the owner's in the
    data folder, which is shown to a platform on this machine alone.
    """

    @click.option("--url", metavar="URL", help="Where PiCloud is (PICLOUD_URL).")
    @click.option("--token", metavar="TOKEN", help="Access token (PICLOUD_TOKEN).")
    @click.option("--data", metavar="FOLDER", help="Data folder of a PiCloud on this machine (PICLOUD_DATA).")
    @functools.wraps(function)
    def command(url: str | None, token: str | None, data: str | None, **given: Any) -> Any:
        return function(find_target(url, token, data), **given)

    return command


def find_target(url: str | None, token: str | None, data: str | None) -> Target:
    """The platform to talk to; see :func:`with_target`.

    Raises :class:`click.ClickException` that says where a token was looked for, or what is wrong with the URL.
    """
    try:
        config = Config.from_environment(os.environ, data=data)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    named = url or os.environ.get("PICLOUD_URL")
    address = _checked(named) if named else _written(config.data) or config.url
    secret = token or os.environ.get("PICLOUD_TOKEN")
    if not secret and _is_here(address):
        secret = _kept(config.data)
    elif not secret:
        raise click.ClickException(f"{address} needs a token: give --token, or set PICLOUD_TOKEN")
    assert secret is not None
    return Target(address, secret.strip())


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.UsageError(f"the URL is {url!r}; expected http://host:port or https://host")
    return url.rstrip("/")


def _is_here(url: str) -> bool:
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def _written(data: Path) -> str | None:
    try:
        return (data / URL_FILE).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def _kept(data: Path) -> str:
    path = data / TOKEN_FILE
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = f"no token: {path} can't be read ({error.strerror})"
    remedy = "start PiCloud with `picloud up`, which makes one, or give --token or PICLOUD_TOKEN"
    if data != ROOT_DATA and os.geteuid() != 0 and ROOT_DATA.exists():
        remedy = f"PiCloud was started by root, whose token is in {ROOT_DATA}; use sudo, or set PICLOUD_TOKEN"
    raise click.ClickException(f"{reason}; {remedy}")
