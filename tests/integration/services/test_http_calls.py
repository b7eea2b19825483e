"""Calls over real connections: what is sent, what comes back, and what neither can be made to do."""

from __future__ import annotations

import gzip
import socket
import ssl
import time
import tracemalloc
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import gevent
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from picloud.domain.egress import Allowed, Egress
from picloud.services.http.client import MAX_CALLS_OF_APP, Answer, Call, Client
from picloud.services.http.failure import HttpFailure
from picloud.services.http.guard import Guard
from picloud.services.http.resolver import Resolver
from picloud.services.http.urls import parse
from tests.integration.services.upstream import Received, Upstream, drip, name_server, redirect, reply, upstream

EGRESS = Egress(allowed=(Allowed("127.0.0.0/8", private=True),))
MIB = 1024 * 1024


@dataclass
class Outside:
    """The client, with a name server by which ``*.example`` is 127.0.0.1, and a server there."""

    client: Client
    server: Upstream
    egress: dict[str, Egress] = field(default_factory=dict)

    def call(self, url: str, *, app: str = "demo", body: bytes | None = None, **options: Any) -> Answer:
        told = {"method": "GET", "headers": {}, "redirects": 5, "most_bytes": MIB, "seconds": 5.0} | options
        return self.client.call(app, Call(url=parse(url), body=body, **told))

    def at(self, path: str, host: str = "a.example") -> str:
        return f"http://{host}:{self.server.port}{path}"


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    egress: dict[str, Egress] = {}
    with upstream() as server, name_server(lambda _name, _count: ["127.0.0.1"]) as dns:
        resolver = Resolver(dns.address)
        authorities = tmp_path / "authority.pem"
        client = Client(Guard(lambda app: egress.get(app, EGRESS), resolver), authorities)
        yield Outside(client, server, egress)
        client.close()
        resolver.close()


def failure_of(outside: Outside, url: str, **options: Any) -> HttpFailure:
    with pytest.raises(HttpFailure) as failed:
        outside.call(url, **options)
    return failed.value


# ------------------------------------------------------------------------------------------------ what is sent


def test_a_request_is_sent_under_the_name_that_was_called(outside: Outside) -> None:
    answer = outside.call(outside.at("/x?q=1"), method="POST", body=b"hello", headers={"x-a": "1"})
    (request,) = outside.server.received
    assert (request.method, request.target, request.body) == ("POST", "/x?q=1", b"hello")
    assert request.headers["host"] == f"a.example:{outside.server.port}"
    assert (request.headers["x-a"], request.headers["content-length"]) == ("1", "5")
    assert "user-agent" not in request.headers, "the library doesn't speak for itself"
    assert (answer.status, answer.body, str(answer.url)) == (200, b"/x?q=1", outside.at("/x?q=1"))


def test_proxies_of_the_environment_are_not_asked(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    with upstream() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert outside.call(outside.at("/")).status == 200
        assert proxy.connections == 0


# ------------------------------------------------------------------------------------------------ connections


def test_a_connection_is_used_again_by_its_app_for_its_host_alone(outside: Outside) -> None:
    for app, host in (("demo", "a.example"), ("demo", "a.example"), ("demo", "b.example"), ("shop", "a.example")):
        outside.call(outside.at("/", host), app=app)
    assert [request.connection for request in outside.server.received] == [1, 1, 2, 3]


def test_a_kept_connection_that_was_closed_is_made_anew(outside: Outside) -> None:
    def close_after(_request: Received, connection: socket.socket) -> None:
        connection.sendall(reply(b"ok"))
        connection.shutdown(socket.SHUT_RDWR)

    outside.server.answers["/"] = close_after
    for _ in range(3):
        assert outside.call(outside.at("/"), method="POST").body == b"ok"
    assert outside.server.connections == 3


@pytest.mark.parametrize(("method", "times"), [("GET", 2), ("PUT", 2), ("POST", 1), ("PATCH", 1)])
def test_what_may_have_been_done_is_not_sent_again(outside: Outside, method: str, times: int) -> None:
    """The connection was kept, and the server closes it when the next request has come."""
    outside.server.answers["/broken"] = lambda _request, connection: connection.shutdown(socket.SHUT_RDWR)
    outside.call(outside.at("/"))
    assert failure_of(outside, outside.at("/broken"), method=method).kind == "closed"
    assert sum(request.target == "/broken" for request in outside.server.received) == times


def test_the_next_address_is_tried_when_one_does_not_answer(outside: Outside) -> None:
    with name_server(lambda _name, _count: ["127.0.0.3", "127.0.0.1"]) as dns:
        client = Client(Guard(lambda _app: EGRESS, Resolver(dns.address)))
        assert Outside(client, outside.server).call(outside.at("/")).status == 200
        client.close()


def test_a_port_where_nobody_is_is_a_failure_to_connect(outside: Outside) -> None:
    with upstream() as gone:
        port = gone.port
    failure = failure_of(outside, f"http://a.example:{port}/")
    assert (failure.kind, failure.host) == ("connect", "a.example")
    assert failure.what == f"a.example can't be reached on port {port}: Connection refused"


def test_a_name_that_nobody_has_is_a_failure_of_dns(outside: Outside) -> None:
    with name_server(lambda _name, _count: []) as dns:
        client = Client(Guard(lambda _app: EGRESS, Resolver(dns.address)))
        assert failure_of(Outside(client, outside.server), "http://nobody.example/").kind == "dns"


def test_too_many_calls_at_a_time_wait_and_give_up(outside: Outside) -> None:
    outside.server.answers["/slow"] = lambda _request, _connection: gevent.sleep(60)
    slow = [gevent.spawn(outside.call, outside.at("/slow")) for _ in range(MAX_CALLS_OF_APP)]
    deadline = time.monotonic() + 10
    while len(outside.server.received) < MAX_CALLS_OF_APP:
        assert time.monotonic() < deadline, "not all calls arrived"
        gevent.sleep(0)
    assert failure_of(outside, outside.at("/"), seconds=0.1).kind == "busy"
    assert outside.call(outside.at("/"), app="shop").status == 200, "another app has places of its own"
    gevent.killall(slow)
    assert outside.call(outside.at("/")).status == 200, "a call that was killed gives its place back"


# ------------------------------------------------------------------------------------------------ redirects


@pytest.mark.parametrize(
    ("status", "method", "becomes"),
    [
        ("301 Moved", "POST", "GET"),
        ("302 Found", "POST", "GET"),
        ("302 Found", "PUT", "PUT"),
        ("303 See Other", "PUT", "GET"),
        ("303 See Other", "HEAD", "HEAD"),
        ("307 Temporary", "POST", "POST"),
        ("308 Permanent", "PATCH", "PATCH"),
    ],
)
def test_a_redirect_keeps_or_changes_the_method_as_browsers_do(
    outside: Outside, status: str, method: str, becomes: str
) -> None:
    outside.server.on("/", redirect("/next", status))
    body = None if method == "HEAD" else b"x"
    answer = outside.call(outside.at("/"), method=method, body=body, headers={"content-type": "text/plain"})
    first, second = outside.server.received
    assert (first.method, second.method, second.target) == (method, becomes, "/next")
    assert second.body == (b"x" if becomes == method and body else b"")
    assert ("content-type" in second.headers) == (becomes == method)
    assert [str(url) for url in answer.passed] == [outside.at("/")]


@pytest.mark.parametrize(("host", "sent"), [("a.example", True), ("b.example", False)])
def test_credentials_are_for_the_origin_that_they_were_sent_to(outside: Outside, host: str, sent: bool) -> None:
    outside.server.on("/", redirect(outside.at("/next", host)))
    headers = {"authorization": "Bearer t", "cookie": "a=1", "x-api-key": "k", "x-plain": "p"}
    secrets = frozenset({"authorization", "cookie", "x-api-key"})
    outside.call(outside.at("/"), headers=headers, secrets=secrets)
    got = outside.server.received[1].headers
    assert [name in got for name in headers] == [sent, sent, sent, True]


def test_credentials_do_not_come_back_with_the_way_back(outside: Outside) -> None:
    outside.server.on("/", redirect(outside.at("/there", "b.example")))
    outside.server.on("/there", redirect(outside.at("/back")))
    outside.call(outside.at("/"), headers={"authorization": "Bearer t"})
    assert ["authorization" in request.headers for request in outside.server.received] == [True, False, False]


def test_another_port_is_another_origin(outside: Outside) -> None:
    with upstream() as other:
        outside.server.on("/", redirect(f"http://a.example:{other.port}/"))
        outside.call(outside.at("/"), headers={"authorization": "Bearer t"})
        assert "authorization" not in other.received[0].headers


@pytest.mark.parametrize(
    ("location", "kind", "said"),
    [
        ("http://10.0.0.1/", "refused", "10.0.0.1 is a private address"),
        ("http://169.254.169.254/latest/meta-data/", "refused", "credentials"),
        ("http://2130706433/", "redirects", "four decimal numbers"),
        ("http://x@127.0.0.1/", "redirects", "user name"),
        ("file:///etc/passwd", "redirects", "scheme"),
        ("gopher://127.0.0.1:6379/x", "redirects", "scheme"),
        ("http://[::ffff:10.0.0.1]/", "refused", "private"),
        ("//10.0.0.1/", "refused", "private"),
        ("http://127.0.0.1:25/", "refused", "no port of the web"),
    ],
)
def test_a_redirect_is_checked_like_a_call(outside: Outside, location: str, kind: str, said: str) -> None:
    outside.server.on("/", redirect(location))
    failure = failure_of(outside, outside.at("/"))
    assert failure.kind == kind
    assert said in failure.what


def test_redirects_end(outside: Outside) -> None:
    outside.server.on("/", redirect("/"))
    failure = failure_of(outside, outside.at("/"), redirects=3)
    assert (failure.kind, len(outside.server.received)) == ("redirects", 4)


def test_a_redirect_that_is_not_followed_is_the_answer(outside: Outside) -> None:
    outside.server.on("/", redirect("http://10.0.0.1/"))
    answer = outside.call(outside.at("/"), redirects=0)
    assert (answer.status, dict(answer.headers)["location"]) == (302, "http://10.0.0.1/")


# ------------------------------------------------------------------------------------------------ what comes back


@pytest.mark.parametrize(
    "content",
    [
        drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000, 0.01),
        drip(reply(b"x" * 10_000), 0.01),
        drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, 0.001),
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 10_000, 0.01),
        lambda _request, _connection: gevent.sleep(60),
    ],
    ids=["headers", "body", "informational", "chunks", "nothing"],
)
def test_a_server_that_drips_is_given_up_in_time(outside: Outside, content: Any) -> None:
    outside.server.answers["/"] = content
    began = time.monotonic()
    failure = failure_of(outside, outside.at("/"), seconds=0.3)
    assert failure.kind == "timeout"
    assert failure.what == "a.example didn't answer within 0.3 s"
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("length", [True, False], ids=["declared", "chunked"])
def test_an_answer_has_a_largest_size(outside: Outside, length: bool) -> None:
    def endless(_request: Received, connection: socket.socket) -> None:
        head = f"Content-Length: {100 * MIB}" if length else "Transfer-Encoding: chunked"
        connection.sendall(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
        while True:
            connection.sendall(b"x" * 65_536 if length else b"10000\r\n" + b"x" * 65_536 + b"\r\n")

    outside.server.answers["/"] = endless
    failure = failure_of(outside, outside.at("/"), most_bytes=100_000)
    assert (failure.kind, failure.what) == ("too_large", "a.example answered with more than 100,000 bytes")


def bomb(layers: int) -> bytes:
    packed = b"0" * (100 * MIB)
    for _ in range(layers):
        packed = gzip.compress(packed, 9)
    return packed


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("gzip", bomb(1)),
        ("gzip, gzip", bomb(2)),
        ("deflate", zlib.compress(b"0" * (100 * MIB), 9)),
    ],
    ids=["gzip", "gzip in gzip", "deflate"],
)
def test_a_bomb_does_not_go_off(outside: Outside, encoding: str, content: bytes) -> None:
    outside.server.on("/", reply(content, headers=f"Content-Encoding: {encoding}"))
    tracemalloc.start()
    try:
        failure = failure_of(outside, outside.at("/"), most_bytes=MIB)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert failure.kind == "too_large"
    assert most < 8 * MIB, f"{most / MIB:.1f} MiB were taken"


@pytest.mark.parametrize(
    ("encoding", "content", "body", "encoded"),
    [
        ("gzip", gzip.compress(b"hello"), b"hello", False),
        ("deflate", zlib.compress(b"hello"), b"hello", False),
        ("identity", b"hello", b"hello", False),
        ("br", b"\x0b\x02\x80hello\x03", b"\x0b\x02\x80hello\x03", True),
    ],
)
def test_what_was_asked_for_is_decoded(
    outside: Outside, encoding: str, content: bytes, body: bytes, encoded: bool
) -> None:
    outside.server.on("/", reply(content, headers=f"Content-Encoding: {encoding}"))
    answer = outside.call(outside.at("/"))
    assert (answer.body, answer.encoded) == (body, encoded)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"nonsense\r\n\r\n", "protocol"),
        (b"HTTP/1.1 abc\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "protocol"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "closed|protocol"),
        (reply(b"no gzip", headers="Content-Encoding: gzip"), "protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhel", "closed"),
        (b"", "closed"),
    ],
    ids=["text", "status", "many headers", "long header", "two lengths", "chunk", "not gzip", "cut short", "nothing"],
)
def test_what_is_no_http_is_a_failure(outside: Outside, content: bytes, kind: str) -> None:
    def answer(_request: Received, connection: socket.socket) -> None:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_RDWR)

    outside.server.answers["/"] = answer
    assert failure_of(outside, outside.at("/"), method="POST").kind in kind.split("|")


def test_what_was_smuggled_behind_an_answer_answers_nobody(outside: Outside) -> None:
    outside.server.on("/", reply(b"first") + reply(b"smuggled"))
    outside.call(outside.at("/"))
    assert outside.call(outside.at("/next")).body == b"/next"


def test_a_call_that_is_killed_leaves_no_connection(outside: Outside) -> None:
    closed = gevent.event.Event()

    def wait(_request: Received, connection: socket.socket) -> None:
        if connection.recv(1) == b"":
            closed.set()

    outside.server.answers["/"] = wait
    calling = gevent.spawn(outside.call, outside.at("/"))
    deadline = time.monotonic() + 10
    while not outside.server.received:
        assert time.monotonic() < deadline, "the call did not arrive"
        gevent.sleep(0)
    calling.kill()
    assert closed.wait(5), "the connection was closed"


# ------------------------------------------------------------------------------------------------ TLS


def authority(folder: Path, names: Mapping[str, list[str]]) -> dict[str, ssl.SSLContext]:
    """An authority in ``authority.pem``, and a server's TLS for each set of names."""
    now, key = datetime.now(UTC), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test's authority")])

    def issued(subject: x509.Name, public: Any) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
        )

    root = issued(issuer, key.public_key()).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    root = root.add_extension(identifier, critical=False).add_extension(_usage(), critical=True)
    (folder / "authority.pem").write_bytes(root.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    made = {}
    for name, hosts in names.items():
        own = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hosts[0])])
        alternatives = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        from_key = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
        leaf = issued(subject, own.public_key()).add_extension(alternatives, critical=False)
        signed = leaf.add_extension(from_key, critical=False).sign(key, hashes.SHA256())
        file = folder / f"{name}.pem"
        file.write_bytes(
            own.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + signed.public_bytes(serialization.Encoding.PEM)
        )
        made[name] = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        made[name].load_cert_chain(file)
    return made


def _usage() -> x509.KeyUsage:
    nothing = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
    )
    return x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, decipher_only=False, **nothing)


def test_tls_is_by_name_though_the_connection_is_by_address(outside: Outside, tmp_path: Path) -> None:
    named: list[str | None] = []
    tls = authority(tmp_path, {"good": ["a.example"]})["good"]
    tls.sni_callback = lambda _socket, name, _context: named.append(name)
    with upstream(tls=tls) as server:
        answer = outside.call(f"https://a.example:{server.port}/")
        assert (answer.status, named) == (200, ["a.example"])
        assert server.received[0].headers["host"] == f"a.example:{server.port}"
        failure = failure_of(outside, f"https://b.example:{server.port}/")
        assert failure.kind == "tls"
        assert "b.example has no certificate to trust: Hostname mismatch" in failure.what
        assert len(server.received) == 1


def test_a_certificate_of_a_stranger_is_not_trusted(outside: Outside, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    stranger = authority(tmp_path / "other", {"bad": ["a.example"]})["bad"]
    authority(tmp_path, {})
    with upstream(tls=stranger) as server:
        failure = failure_of(outside, f"https://a.example:{server.port}/", headers={"authorization": "Bearer t"})
        assert (failure.kind, server.received) == ("tls", [])


def test_authorities_that_can_not_be_read_are_a_failure_and_no_fault(outside: Outside, tmp_path: Path) -> None:
    (tmp_path / "authority.pem").write_text("nothing")
    failure = failure_of(outside, "https://a.example/")
    assert (failure.kind, "PICLOUD_EGRESS_CA" in failure.what) == ("tls", True)
    assert outside.call(outside.at("/")).status == 200


def test_a_server_without_tls_is_not_spoken_to_without(outside: Outside, tmp_path: Path) -> None:
    authority(tmp_path, {})
    assert failure_of(outside, outside.at("/").replace("http:", "https:"), seconds=2).kind in ("tls", "closed")
