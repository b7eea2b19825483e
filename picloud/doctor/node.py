"""The running platform: its processes, its port, its token file."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from picloud.config import Config
from picloud.doctor.finding import Finding, good, note, warning, wrong
from picloud.supervisor.folder import TOKEN_FILE, URL_FILE, holder
from picloud.supervisor.port import PortError, check_port
from picloud.supervisor.readiness import ask


def is_running(config: Config) -> bool:
    """Whether a supervisor holds the data folder."""
    return holder(config.data) is not None


def process(config: Config) -> Iterator[Finding]:
    """Whether it runs and is ready; if not, whether it could listen."""
    pid = holder(config.data)
    if pid is None:
        yield note("platform", "not running on this data folder", "`picloud up` starts it")
        try:
            check_port(config.host, config.port)
        except PortError as error:
            yield wrong("port", str(error), "PiCloud can't start on it")
        else:
            yield good("port", f"{config.host}:{config.port} is free")
        return
    url = _url(config)
    try:
        status, body = _get(config, "/readyz")
    except OSError as error:
        yield wrong(
            "platform",
            f"process {pid} runs, and {url} doesn't answer: {error.strerror or error}",
            "look at what `picloud up` printed; it starts what has died by itself",
        )
        return
    if status == 200:
        yield good("platform", f"process {pid} runs and is ready at {url}")
    else:
        yield wrong(
            "platform", f"process {pid} runs and isn't ready: {body.strip()}", "see below for the part at fault"
        )


def token_file(config: Config) -> Iterator[Finding]:
    """The owner token that the command line uses."""
    path = config.data / TOKEN_FILE
    try:
        status = path.stat()
    except FileNotFoundError:
        if is_running(config):
            yield wrong("owner token", f"{path} is missing", "stop PiCloud and run `picloud up`: it issues another one")
        else:
            yield note("owner token", f"{path} doesn't exist yet", "`picloud up` makes it")
        return
    except PermissionError:
        yield wrong("owner token", f"{path} can't be read", "run as the user that runs PiCloud")
        return
    if is_running(config) and _refused(config):
        yield wrong(
            "owner token", f"{path} is not known to the log", "stop PiCloud and run `picloud up`: it issues another one"
        )
    elif status.st_mode & 0o077:
        yield warning(
            "owner token", f"{path} can be read by others ({status.st_mode & 0o777:04o})", f"chmod 0600 {path}"
        )
    else:
        yield good("owner token", f"{path}, for its user alone")


def _refused(config: Config) -> bool:
    try:
        return _get(config, "/api/v1/me")[0] == 401
    except OSError:
        return False


def _get(config: Config, path: str) -> tuple[int, str]:
    parts = urlsplit(_url(config))
    try:
        token = (config.data / TOKEN_FILE).read_text(encoding="utf-8").strip()
    except OSError:
        token = ""
    return ask(parts.hostname or config.host, parts.port or config.port, token=token, path=path, timeout=10.0)


def _url(config: Config) -> str:
    try:
        return (config.data / URL_FILE).read_text(encoding="utf-8").strip() or config.url
    except OSError:
        return config.url
