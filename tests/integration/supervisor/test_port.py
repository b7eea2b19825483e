"""The port check names the reason and the way out."""

from __future__ import annotations

import os
import socket

import pytest

from picloud.supervisor.port import PortError, check_port


@pytest.fixture
def taken() -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def test_a_free_port_passes(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    taken.close()
    check_port("127.0.0.1", port)


def test_a_taken_port_is_told_with_who_has_it_and_another_one(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    with taken, pytest.raises(PortError) as caught:
        check_port("127.0.0.1", port)
    assert f"port {port} on 127.0.0.1 is taken by process {os.getpid()}" in str(caught.value)
    assert f"--listen 127.0.0.1:{port + 1}" in str(caught.value)


def test_a_port_whose_last_connections_are_closing_is_free(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    client = socket.create_connection(("127.0.0.1", port))
    accepted, _ = taken.accept()
    accepted.close()
    client.close()
    taken.close()
    check_port("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "message"),
    [("203.0.113.9", "no address of this machine"), ("no-such-host.invalid", "there is no address")],
)
def test_an_address_of_another_machine_is_told(host: str, message: str) -> None:
    with pytest.raises(PortError, match=message):
        check_port(host, 18999)
