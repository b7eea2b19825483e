"""What can be set, read once at the edge.

A setting is an environment variable; the command line's options override it. Every process of one ``picloud up`` gets
the same variables (:meth:`Config.to_environment`), so nothing else reads the environment. ``picloud config`` and
``docs/configuration.md`` are made from the declarations below.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Address, ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from picloud.postgres.folder import socket_dsn

MIB: Final = 1024 * 1024
NOT_SHOWN: Final = "(set; not shown, for it may hold a password)"
SUPERVISED: Final = "PICLOUD_SUPERVISED"
"""Not a setting: marks the processes that a supervisor started, with its data folder."""


class ConfigError(ValueError):
    """A setting has a value that it can't have; the message names the variable, what was found and what is expected."""

    def __init__(self, variable: str, found: object, expected: str) -> None:
        super().__init__(f"{variable} is {str(found)!r}; expected {expected}")
        self.variable = variable
        self.found = str(found)
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of one setting, for messages and documentation."""

    name: str
    variable: str
    default: str
    unit: str
    sentence: str
    secret: bool


def _setting(
    variable: str,
    default: object,
    sentence: str,
    *,
    unit: str = "",
    parse: Callable[[str], object],
    shown: str = "",
    secret: bool = False,
) -> Any:
    metadata = {"variable": variable, "unit": unit, "sentence": sentence, "parse": parse, "shown": shown}
    options: dict[str, Any] = {"default_factory": default} if callable(default) else {"default": default}
    return field(metadata=metadata, repr=not secret, **options)


# ---------------------------------------------------------------------------------------- how values are read
# Each raises ValueError with the words for "expected …".


def _text(value: str) -> str:
    return value


def _folder(value: str) -> Path:
    if not value:
        raise ValueError("a folder")
    return Path(value).expanduser().absolute()


def _file(value: str) -> str:
    return str(Path(value).expanduser().absolute()) if value else ""


def _number(least: int, most: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        expected = f"a whole number from {least} to {most}"
        try:
            number = int(value)
        except ValueError:
            raise ValueError(expected) from None
        if not least <= number <= most:
            raise ValueError(expected)
        return number

    return parse


_SIZES: Final = {"": 1, "B": 1, "K": 1024, "KIB": 1024, "M": MIB, "MIB": MIB, "G": 1024 * MIB, "GIB": 1024 * MIB}


def _bytes(least: int, most: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        expected = f"a number of bytes from {least} to {most}, such as 65536, 512KiB or 6MiB"
        match = re.fullmatch(r"([0-9]+)\s*([A-Za-z]*)", value.strip())
        if match is None or match[2].upper() not in _SIZES:
            raise ValueError(expected)
        number = int(match[1]) * _SIZES[match[2].upper()]
        if not least <= number <= most:
            raise ValueError(expected)
        return number

    return parse


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.lower() not in choices:
            raise ValueError("one of " + ", ".join(choices))
        return value.lower()

    return parse


def _networks(value: str) -> str:
    try:
        return ",".join(str(ip_network(part.strip())) for part in value.split(",") if part.strip())
    except ValueError:
        raise ValueError("addresses and networks, such as 10.0.0.7,192.168.0.0/16") from None


def _address(value: str) -> str:
    host, port = split_address(value)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_address(value: str) -> tuple[str, int]:
    """Host and port of ``host:port``, ``[v6]:port``, ``:port`` or a port alone.

    Raises :class:`ValueError` with what is expected.
    """
    match = re.fullmatch(r"(?:(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9.-]*)):)?(?P<port>[0-9]{1,5})", value)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        raise ValueError("host:port with a port from 1 to 65535, such as 127.0.0.1:8000, [::1]:8000 or 0.0.0.0:80")
    return match["v6"] or match["host"] or "127.0.0.1", int(match["port"])


def _name_servers(value: str) -> str:
    """Addresses with commas between them, and a port behind the last."""
    if not value:
        return ""
    hosts, colon, port = value.rpartition(":")
    if not colon or "." not in hosts:
        hosts, port = value, "53"
    try:
        addresses = [str(IPv4Address(host.strip())) for host in hosts.split(",")]
    except ValueError:
        addresses = []
    if not addresses or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError("IPv4 addresses of name servers and a port, such as 10.0.0.2,10.0.0.3:53")
    return f"{','.join(addresses)}:{port}"


def _optional_address(value: str) -> str:
    return _address(value) if value else ""


def _optional_file(value: str) -> Path | None:
    return Path(value).expanduser().absolute() if value else None


_DOMAIN: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*")


def _domains(value: str) -> str:
    names = [name.strip().lower() for name in value.split(",") if name.strip()]
    for name in names:
        if len(name) > 253 or not _DOMAIN.fullmatch(name):
            raise ValueError("names of domains with commas between them, such as example.org,mail.example.com")
    return ",".join(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """The server that takes the mails of scripts. ``scheme`` is ``smtps`` (TLS from the start), ``smtp`` (STARTTLS, or
    nothing is sent) or ``smtp+plain`` (no TLS); ``user`` is empty if nobody logs in.
    """

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> MailServer:
        """The server that a URL names. Raises :class:`ValueError` with what is expected."""
        expected = "smtps://user:password@host:465, smtp://user:password@host:587 or smtp+plain://host:25"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError(expected) from None
        host = parts.hostname or ""
        beyond = parts.path not in ("", "/") or parts.query or parts.fragment
        if parts.scheme not in _MAIL_PORTS or not host or beyond or bool(parts.username) != bool(parts.password):
            raise ValueError(expected)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(scheme=parts.scheme, host=host, port=port or _MAIL_PORTS[parts.scheme], user=user, password=password)

    @property
    def shown(self) -> str:
        """The URL without user and password."""
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


_MAIL_PORTS: Final = {"smtps": 465, "smtp": 587, "smtp+plain": 25}
_ADDRESS: Final = re.compile(r"(?:[^\x00-\x1f\x7f<>@]{0,200}<)?[^\x00-\x20\x7f<>@]{1,64}@[A-Za-z0-9.-]{1,253}>?")


def _mail_server(value: str) -> str:
    if value:
        MailServer.parse(value)
    return value


def _mail_from(value: str) -> str:
    if value and (not _ADDRESS.fullmatch(value) or ("<" in value) != value.endswith(">")):
        raise ValueError("an address, such as shop@example.org or Shop <shop@example.org>")
    return value


def _default_data() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/picloud")
    return Path("~/.local/share/picloud").expanduser()


def _default_workers() -> int:
    return min(4, len(os.sched_getaffinity(0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings. Make it with :meth:`from_environment`."""

    data: Path = _setting(
        "PICLOUD_DATA",
        _default_data,
        "Where the embedded database, its log and the owner token live.",
        parse=_folder,
        shown="~/.local/share/picloud, for root /var/lib/picloud",
    )
    database: str = _setting(
        "PICLOUD_DATABASE",
        "",
        "The PostgreSQL (14 or later) to use, as a URL or a libpq connection string; empty for the embedded one.",
        parse=_text,
        secret=True,
    )
    listen: str = _setting("PICLOUD_LISTEN", "127.0.0.1:8000", "Where HTTP is served: host:port.", parse=_address)
    vault_key: str = _setting(
        "PICLOUD_VAULT_KEY",
        "",
        "The file with the key that secrets are sealed with; nodes on one database need the same.",
        parse=_file,
        shown="vault.key in the data folder",
    )
    proxies: str = _setting(
        "PICLOUD_PROXIES",
        "127.0.0.0/8,::1/128",
        "Addresses and networks of proxies, whose X-Forwarded-For is believed; separated by commas.",
        parse=_networks,
    )
    workers: int = _setting(
        "PICLOUD_WORKERS",
        _default_workers,
        "HTTP processes; each is one orchestrator.",
        parse=_number(1, 64),
        shown="one per core, at most 4",
    )
    executors: int = _setting("PICLOUD_EXECUTORS", 1, "Caged processes per worker.", parse=_number(1, 64))
    runs: int = _setting("PICLOUD_RUNS", 16, "Scripts that one executor runs at a time.", parse=_number(1, 1024))
    sessions: int = _setting(
        "PICLOUD_SESSIONS", 4, "Database sessions that a process keeps for queries.", parse=_number(1, 32)
    )
    grace: int = _setting(
        "PICLOUD_GRACE", 20, "How long running requests may take to end at a stop.", unit="s", parse=_number(0, 3600)
    )
    reply_timeout: int = _setting(
        "PICLOUD_REPLY_TIMEOUT",
        30,
        "How long a request waits for its script's answer before it is told where to find it.",
        unit="s",
        parse=_number(1, 3600),
    )
    body_limit: int = _setting(
        "PICLOUD_BODY_LIMIT",
        6 * MIB,
        "The largest body of a request; a larger one is answered with 413.",
        unit="bytes",
        parse=_bytes(MIB, 64 * MIB),
    )
    file_bytes: int = _setting(
        "PICLOUD_FILE_BYTES",
        1024 * MIB,
        "The largest file that is taken over HTTP; a larger one is answered with 413.",
        unit="bytes",
        parse=_bytes(MIB, 1024 * 1024 * MIB),
    )
    file_days: int = _setting(
        "PICLOUD_FILE_DAYS",
        30,
        "How long the content of files is kept that were overwritten or deleted; 0 keeps it for ever.",
        unit="days",
        parse=_number(0, 36_500),
    )
    operations: int = _setting(
        "PICLOUD_OPERATIONS", 20_000_000, "Operations that one run may use.", parse=_number(1000, 10**12)
    )
    wall_ms: int = _setting(
        "PICLOUD_WALL_MS", 10_000, "How long one run may take.", unit="ms", parse=_number(10, 3_600_000)
    )
    memory_mb: int = _setting(
        "PICLOUD_MEMORY_MB", 256, "Address space of one executor.", unit="MiB", parse=_number(96, 65536)
    )
    output_bytes: int = _setting(
        "PICLOUD_OUTPUT_BYTES", 6 * MIB, "The largest answer of a run.", unit="bytes", parse=_bytes(1024, 64 * MIB)
    )
    log_lines: int = _setting(
        "PICLOUD_LOG_LINES", 1000, "Lines that one run may print and log.", parse=_number(0, 100_000)
    )
    log_line_bytes: int = _setting(
        "PICLOUD_LOG_LINE_BYTES", 8192, "The longest line of a log.", unit="bytes", parse=_bytes(80, MIB)
    )
    string_bytes: int = _setting(
        "PICLOUD_STRING_BYTES", 8 * MIB, "The largest string of a script.", unit="bytes", parse=_bytes(1024, 64 * MIB)
    )
    array_items: int = _setting(
        "PICLOUD_ARRAY_ITEMS", 1_000_000, "The longest array of a script.", parse=_number(100, 100_000_000)
    )
    map_items: int = _setting(
        "PICLOUD_MAP_ITEMS", 1_000_000, "The largest object map of a script.", parse=_number(100, 100_000_000)
    )
    call_levels: int = _setting(
        "PICLOUD_CALL_LEVELS", 64, "How deep a script's calls may nest.", parse=_number(8, 1000)
    )
    journal_bytes: int = _setting(
        "PICLOUD_JOURNAL_BYTES",
        MIB,
        "How much of what services answered is kept with a run that failed, to inspect it; 0 keeps nothing.",
        unit="bytes",
        parse=_bytes(0, 16 * MIB),
    )
    journal: str = _setting(
        "PICLOUD_JOURNAL",
        "failures",
        "Of which runs it is kept what services answered: failures, or all.",
        parse=_one_of("failures", "all"),
    )
    dead_letter_days: int = _setting(
        "PICLOUD_DEAD_LETTER_DAYS",
        30,
        "How long a dead letter is kept after the death; 0 keeps it for ever.",
        unit="days",
        parse=_number(0, 36_500),
    )
    smtp_listen: str = _setting(
        "PICLOUD_SMTP_LISTEN",
        "",
        "Where mail is taken: host:port, such as 127.0.0.1:2525; empty takes none.",
        parse=_optional_address,
    )
    smtp_domains: str = _setting(
        "PICLOUD_SMTP_DOMAINS",
        "",
        "The domains that mail is taken for, with commas between them; empty takes it for any.",
        parse=_domains,
    )
    smtp_size: int = _setting(
        "PICLOUD_SMTP_SIZE",
        10 * MIB,
        "The largest mail that is taken; a larger one is refused with 552.",
        unit="bytes",
        parse=_bytes(64 * 1024, 64 * MIB),
    )
    smtp_connections: int = _setting(
        "PICLOUD_SMTP_CONNECTIONS",
        100,
        "Connections of mail servers at a time; further ones are sent away with 421.",
        parse=_number(1, 10_000),
    )
    smtp_certificate: Path | None = _setting(
        "PICLOUD_SMTP_CERTIFICATE",
        None,
        "The PEM file with the certificate and its chain for STARTTLS; empty offers no TLS.",
        parse=_optional_file,
        shown="(empty)",
    )
    smtp_key: Path | None = _setting(
        "PICLOUD_SMTP_KEY",
        None,
        "The PEM file with the certificate's private key; empty if the certificate's file has it.",
        parse=_optional_file,
        shown="(empty)",
    )
    egress_dns: str = _setting(
        "PICLOUD_EGRESS_DNS",
        "",
        "The name servers that http:: asks, as addresses with commas between them and one port for all, such as "
        "10.0.0.2,10.0.0.3:53; empty for the system's.",
        parse=_name_servers,
    )
    egress_authorities: Path | None = _setting(
        "PICLOUD_EGRESS_CA",
        None,
        "A PEM file of certificate authorities that http:: trusts beside the system's.",
        parse=_optional_file,
        shown="(empty)",
    )
    mail_server: str = _setting(
        "PICLOUD_MAIL_SERVER",
        "",
        "The server that takes mails of scripts: smtps://user:password@host:465, smtp://… with STARTTLS, smtp+plain://…"
        " without TLS; empty keeps them in the local mailbox.",
        parse=_mail_server,
        secret=True,
    )
    mail_from: str = _setting(
        "PICLOUD_MAIL_FROM",
        "",
        "The sender of mails whose script names none; empty: APP@localhost as long as there is no server, else none.",
        parse=_mail_from,
    )
    mail_ca: Path | None = _setting(
        "PICLOUD_MAIL_CA",
        None,
        "A PEM file with certificates that are trusted beside the system's when mails are sent.",
        parse=_optional_file,
        shown="(empty)",
    )
    mail_timeout: int = _setting(
        "PICLOUD_MAIL_TIMEOUT",
        60,
        "How long the server that takes mails may be silent.",
        unit="s",
        parse=_number(1, 600),
    )
    mail_per_day: int = _setting(
        "PICLOUD_MAIL_PER_DAY",
        1_000,
        "How many mails the scripts of one app may send within 24 hours.",
        parse=_number(0, 10_000_000),
    )
    log_level: str = _setting(
        "PICLOUD_LOG_LEVEL",
        "info",
        "The least severe of PiCloud's own log lines that are written.",
        parse=_one_of("debug", "info", "warning", "error"),
    )
    log_format: str = _setting(
        "PICLOUD_LOG_FORMAT",
        "auto",
        "How they are written: json, console for people, auto for console on a terminal and json elsewhere.",
        parse=_one_of("auto", "console", "json"),
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], **overrides: str | int | Path | None) -> Config:
        """The settings in ``environment``; ``overrides`` by field name go first, None among them counts as not given.

        Raises :class:`ConfigError` for the first value that can't be.
        """
        values: dict[str, Any] = {}
        for item in fields(cls):
            variable = item.metadata["variable"]
            given = overrides.pop(item.name, None)
            text = environment.get(variable, "") if given is None else str(given)
            if text == "" and given is None:
                continue
            try:
                values[item.name] = item.metadata["parse"](text)
            except ValueError as error:
                found = text if item.repr else NOT_SHOWN
                raise ConfigError(variable, found, str(error)) from None
        if overrides:
            raise TypeError(f"no such setting: {', '.join(overrides)}")
        return cls(**values)

    def to_environment(self) -> dict[str, str]:
        """The variables from which :meth:`from_environment` makes an equal object."""
        values = {item.metadata["variable"]: getattr(self, item.name) for item in fields(self)}
        return {variable: "" if value is None else str(value) for variable, value in values.items()}

    @property
    def host(self) -> str:
        """The address that HTTP is served on, an IPv6 one without brackets."""
        return split_address(self.listen)[0]

    @property
    def port(self) -> int:
        """The port that HTTP is served on."""
        return split_address(self.listen)[1]

    @property
    def url(self) -> str:
        """Where a client on this machine finds the platform; no slash at the end."""
        every = {f"0.0.0.0:{self.port}": f"127.0.0.1:{self.port}", f"[::]:{self.port}": f"[::1]:{self.port}"}
        return f"http://{every.get(self.listen, self.listen)}"

    @property
    def smtp_domain_names(self) -> tuple[str, ...]:
        """The domains that mail is taken for; none for any."""
        return tuple(self.smtp_domains.split(",")) if self.smtp_domains else ()

    @property
    def mail_route(self) -> MailServer | None:
        """The server that takes mails of scripts; None if they stay in the local mailbox."""
        return MailServer.parse(self.mail_server) if self.mail_server else None

    @property
    def embedded(self) -> bool:
        """Whether PostgreSQL is PiCloud's own."""
        return not self.database

    @property
    def postgres_folder(self) -> Path:
        """Where the embedded PostgreSQL keeps its files."""
        return self.data / "postgres"

    @property
    def vault_file(self) -> Path:
        """The file with the vault's key."""
        return Path(self.vault_key) if self.vault_key else self.data / "vault.key"

    @property
    def dsn(self) -> str:
        """How to reach the database: a libpq connection string."""
        return self.database or socket_dsn(self.postgres_folder)


def settings() -> list[Setting]:
    """All settings in the order of their declaration."""
    found = []
    for item in fields(Config):
        default = item.metadata["shown"] or str(item.default)
        found.append(
            Setting(
                item.name,
                item.metadata["variable"],
                default,
                item.metadata["unit"],
                item.metadata["sentence"],
                secret=not item.repr,
            )
        )
    return found


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables named like settings that are none, such as misspelt ones."""
    known = {item.metadata["variable"] for item in fields(Config)} | {"PICLOUD_URL", "PICLOUD_TOKEN", SUPERVISED}
    return sorted(name for name in environment if name.startswith("PICLOUD_") and name not in known)
