"""Whether the address to listen on is free, and who has it if not."""

from __future__ import annotations

import errno
import socket
from pathlib import Path


class PortError(RuntimeError):
    """The address can't be listened on; the message says why and what to do."""


def check_port(host: str, port: int, *, setting: str = "--listen ", other: int = 8000) -> None:
    """Raise :class:`PortError` if nothing can listen on ``host`` and ``port`` now.

    ``setting`` is how another address is said, ``other`` a port that anybody may listen on.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise PortError(f"there is no address {host!r} to listen on: {error.strerror}") from None
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            raise PortError(_explained(error, host, port, setting, other)) from None


def _explained(error: OSError, host: str, port: int, setting: str, other: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is taken{_holder(port)}; "
            f"stop that program, or choose another port: {setting}{host}:{port + 1 if port < 65535 else other}"
        )
    if error.errno == errno.EACCES:
        return f"an ordinary user may not listen on port {port}; choose one above 1023 ({setting}{host}:{other})"
    if error.errno == errno.EADDRNOTAVAIL:
        return (
            f"{host} is no address of this machine; listen on 127.0.0.1, or on 0.0.0.0 for all ({setting.rstrip(' =')})"
        )
    return f"can't listen on {host}:{port}: {error.strerror}"


def _holder(port: int) -> str:
    """`` by process N (name)`` if we may know."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            listening = words[3] == "0A"
            if listening and int(words[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{words[9]}]")
    for descriptor in Path("/proc").glob("[0-9]*/fd/*") if inodes else ():
        try:
            if str(descriptor.readlink()) in inodes:
                process = descriptor.parents[1]
                return f" by process {process.name} ({(process / 'comm').read_text().strip()})"
        except OSError:
            continue
    return ""
