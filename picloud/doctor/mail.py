"""Whether mail comes in, by what name, and whether what scripts send goes out."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from typing import Final

from picloud.config import Config, split_address
from picloud.doctor.finding import Finding, good, note, warning, wrong
from picloud.manager.mail_route import MailRoute, Unreachable
from picloud.supervisor.port import PortError, check_port

CONNECT_SECONDS: Final = 10.0
"""How long a server may be silent."""


def examine(config: Config, *, running: bool) -> Iterator[Finding]:
    """Look at what comes in, if that is on, and at what goes out."""
    yield from _incoming(config, running=running)
    yield from _outgoing(config)


def _incoming(config: Config, *, running: bool) -> Iterator[Finding]:
    if not config.smtp_listen:
        yield note("mail", "none is taken", "PICLOUD_SMTP_LISTEN=127.0.0.1:2525 takes it; see docs/triggers.md, email")
        return
    host, port = split_address(config.smtp_listen)
    yield from _answer(config.smtp_listen, host, port) if running else _port(host, port)
    if not config.smtp_domains:
        yield note("mail: domains", "mail for any domain is taken", "PICLOUD_SMTP_DOMAINS names those that are yours")
    yield from _certificate(config, alone=_is_loopback(host))


def _outgoing(config: Config) -> Iterator[Finding]:
    server = config.mail_route
    if server is None:
        yield note(
            "mail out",
            "what scripts send stays in the local mailbox: picloud mails APP",
            "PICLOUD_MAIL_SERVER sends it; see docs/services/email.md",
        )
        return
    try:
        MailRoute(server, timeout=CONNECT_SECONDS, authorities=config.mail_ca).check()
    except Unreachable as error:
        yield wrong(
            "mail out",
            error.text,
            "look at PICLOUD_MAIL_SERVER, and PICLOUD_MAIL_CA; mails are tried again for two days meanwhile",
        )
        return
    who = f" as {server.user}" if server.user else ""
    yield good("mail out", f"{server.shown} takes it{who}")
    if server.user and server.scheme == "smtp+plain" and not _is_loopback(server.host):
        yield warning("mail out: TLS", "the password goes in the clear", "use smtp:// or smtps://")
    if not config.mail_from:
        yield note(
            "mail out: sender", "mails without from are refused", "PICLOUD_MAIL_FROM is that of all that have none"
        )


def _answer(listen: str, host: str, port: int) -> Iterator[Finding]:
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    try:
        with socket.create_connection((reachable, port), timeout=5.0) as connection:
            said = connection.recv(512).decode("ascii", "replace").strip()
    except OSError as error:
        yield wrong(
            "mail",
            f"nothing answers on {listen}: {error.strerror or error}",
            "look at what `picloud up` printed: it starts the server for mail, and again when it dies",
        )
        return
    if not said.startswith("220"):
        yield warning("mail", f"{listen} says: {said}", "raise PICLOUD_SMTP_CONNECTIONS if there are too many")
    elif _is_loopback(host):
        yield good("mail", f"taken on {listen}, from this machine alone: a mail server on it hands it over")
    else:
        yield good("mail", f"taken on {listen}")


def _port(host: str, port: int) -> Iterator[Finding]:
    try:
        check_port(host, port, setting="PICLOUD_SMTP_LISTEN=", other=2525)
    except PortError as error:
        remedy = "PiCloud can't start on it"
        if port < 1024:
            remedy += "; ops/picloud.service says how an ordinary user may listen on port 25"
        yield wrong("mail", str(error), remedy)
    else:
        yield good("mail", f"{host}:{port} is free")


def _certificate(config: Config, *, alone: bool) -> Iterator[Finding]:
    if config.smtp_certificate is None:
        if not alone:
            yield warning(
                "mail: TLS", "STARTTLS isn't offered: mail comes in the clear", "set PICLOUD_SMTP_CERTIFICATE and _KEY"
            )
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(config.smtp_certificate, config.smtp_key)
    except OSError as error:
        files = f"{config.smtp_certificate}" + (f" and {config.smtp_key}" if config.smtp_key else "")
        yield wrong(
            "mail: TLS",
            f"{files} can't be used: {error.strerror or error}",
            "both are PEM files that this user can read, and the key is that of the certificate",
        )
    else:
        yield good("mail: TLS", f"STARTTLS with {config.smtp_certificate}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
