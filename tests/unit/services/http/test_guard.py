"""What scripts may connect to: a table of hostile URLs, and what an owner can allow."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from picloud.domain.addresses import Address, Reach, carried, reach_of
from picloud.domain.egress import PLAIN, Allowed, Egress
from picloud.services.http.failure import HttpFailure
from picloud.services.http.guard import Guard, is_own
from picloud.services.http.urls import PORTS, BadUrl, Url, join, parse, plain_address
from tests.unit.services.http.hostile import HARMLESS, HOSTILE, NAMES

BASE = parse("https://api.example.com/v1/things?page=2")


def resolve(host: str) -> Sequence[Address]:
    if host not in NAMES:
        raise HttpFailure("dns", host, f"{host} has no address")
    return [plain_address(text) for text in NAMES[host]]


def outcome(read: Callable[[], Url], egress: Egress = PLAIN) -> str:
    """Why a URL is refused; ``allowed`` if it isn't."""
    try:
        url = read()
        Guard(lambda _app: egress, resolve).addresses("demo", url)
    except BadUrl as error:
        return str(error)
    except HttpFailure as failure:
        return failure.what
    return "allowed"


def test_the_table_is_long_and_has_no_url_twice() -> None:
    assert len({url for url, _ in HOSTILE}) == len(HOSTILE) >= 150


@pytest.mark.parametrize(("url", "reason"), HOSTILE)
def test_a_hostile_url_is_refused_and_the_reason_is_said(url: str, reason: str) -> None:
    assert re.search(reason, outcome(lambda: parse(url)))


@pytest.mark.parametrize(("url", "reason"), HOSTILE)
def test_a_redirect_to_a_hostile_url_is_refused_too(url: str, reason: str) -> None:
    """Unless the text is no URL by itself: then it is a path of the server that redirects."""
    said = outcome(lambda: join(BASE, url))
    assert said != "allowed" or "://" not in url


@pytest.mark.parametrize(("url", "sent"), HARMLESS)
def test_what_is_public_is_allowed(url: str, sent: str) -> None:
    assert outcome(lambda: parse(url)) == "allowed"
    assert str(parse(url)) == sent
    assert str(parse(sent)) == sent, "what was read once reads the same again"


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/login", "https://api.example.com/login"),
        ("next?page=3", "https://api.example.com/v1/next?page=3"),
        ("?page=3", "https://api.example.com/v1/things?page=3"),
        ("//six.example.com/x", "https://six.example.com/x"),
        ("../../../x", "https://api.example.com/x"),
        ("/\xc3\xbc", "https://api.example.com/%C3%BC"),
        ("/\xfc", "https://api.example.com/%C3%BC"),
        ("https://SIX.example.com", "https://six.example.com/"),
    ],
)
def test_a_redirect_is_read_relative_to_where_it_comes_from(location: str, target: str) -> None:
    assert str(join(BASE, location)) == target


TRICKY = st.text("htp:/@\\#?[]%.0129afx-_~;,$&=+ \t\r\nüß。．１ⓐ\u200d\u202e", max_size=40)


@given(TRICKY, st.sampled_from(["http://", "https://a.example", "http://[", "https://1", "http://a@", "http:"]))
def test_what_is_taken_is_read_the_same_by_everybody(text: str, start: str) -> None:
    try:
        url = parse(start + text)
    except BadUrl:
        return
    written = str(url)
    assert written.isascii()
    assert parse(written) == url
    one, two, three = urlsplit(written), httpx.URL(written), parse_url(written)
    hosts = {one.hostname, two.raw_host.decode(), (three.host or "").strip("[]")}
    assert (hosts, {one.port, two.port, three.port}) == ({url.host}, {two.port})
    assert (two.port or PORTS[url.scheme]) == url.port


def _wrapped(address: IPv4Address) -> list[str]:
    number = int(address)
    high, low = number >> 16, number & 0xFFFF
    return [
        f"[::ffff:{address}]",
        f"[::ffff:{high:x}:{low:x}]",
        f"[::{address}]",
        f"[::ffff:0:{address}]",
        f"[64:ff9b::{high:x}:{low:x}]",
        f"[64:ff9b:1::{high:x}:{low:x}]",
        f"[2002:{high:x}:{low:x}::1]",
        f"[2001:0:102:304:0:ffff:{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}]",
        f"[2606:2800::5efe:{high:x}:{low:x}]",
        f"[2606:2800::200:5efe:{high:x}:{low:x}]",
    ]


def _written(address: IPv4Address) -> list[str]:
    number = int(address)
    a, b, c, d = address.packed
    return [
        str(number), hex(number), f"0{number:o}", f"{a}.{number & 0xFFFFFF}", f"{a}.{b}.{number & 0xFFFF}",
        f"{a:#x}.{b:#x}.{c:#x}.{d:#x}", f"0{a:o}.{b}.{c}.{d}", f"{a}.{b}.{c}.{d:#x}", f"{a}.{b}.{c}.0{d:o}.",
    ]  # fmt: skip


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_an_address_that_is_not_public_is_refused_however_it_is_written(address: IPv4Address) -> None:
    forms = _written(address)
    if reach_of(address)[0] is not Reach.PUBLIC:
        forms += [str(address), *_wrapped(address)]
    for form in forms:
        assert outcome(partial(parse, f"http://{form}/")) != "allowed", form


@given(st.integers(0, 2**128 - 1).filter(lambda number: number >> 125 != 1).map(IPv6Address))
def test_an_ipv6_address_outside_of_the_internet_is_refused(address: IPv6Address) -> None:
    if carried(address) is None:
        assert outcome(lambda: parse(f"http://[{address}]/")) != "allowed"


@dataclass(frozen=True, slots=True)
class Case:
    """What is allowed, and what comes of a URL with it: ``said`` is a part of the refusal, empty for none."""

    allowed: tuple[str, ...]
    url: str
    said: str = ""
    private: bool = True
    restricted: bool = False


ALLOWED = [
    Case(("127.0.0.1",), "http://127.0.0.1:8000/"),
    Case(("127.0.0.1:8000",), "http://127.0.0.1:8000/"),
    Case(("127.0.0.1:8000",), "http://127.0.0.1:8001/", "allow demo 127.0.0.1:8001 --private"),
    Case(("127.0.0.1",), "http://[::ffff:127.0.0.1]/"),
    Case(("127.0.0.1",), "http://127.0.0.2/", "loopback"),
    Case(("127.0.0.1",), "http://2130706433/", "four decimal numbers"),
    Case(("10.0.0.0/8",), "http://private.example/"),
    Case(("10.0.0.0/8",), "http://mixed6.example/", "fd00::1"),
    Case(("10.0.0.0/8", "fd00::/8"), "http://mixed6.example/"),
    Case(("10.0.0.0/8:8080",), "http://10.1.2.3:8080/"),
    Case(("10.0.0.0/8:8080",), "http://10.1.2.3/", "a private address"),
    Case(("10.0.0.0/8",), "http://10.1.2.3:5432/", "no port of the web"),
    Case(("10.0.0.0/8:5432",), "http://10.1.2.3:5432/"),
    Case(("[fd00::]/8:8080",), "http://[fd00::1]:8080/"),
    Case(("private.example",), "http://private.example/"),
    Case(("PRIVATE.example.",), "http://private.EXAMPLE/"),
    Case(("private.example",), "http://10.1.2.3/", "a private address"),
    Case(("private.example",), "http://private.example/", "a private address", private=False),
    Case(("*.example",), "http://private.example/"),
    Case(("*.private.example",), "http://private.example/", "a private address"),
    Case(("*.nip.example",), "http://127.0.0.1.nip.example/"),
    Case(("*.example.com",), "http://a_b.example.com/"),
    Case(("ample.com",), "http://a_b.example.com/", "a private address"),
    # A name, and a network, don't open what credentials are served at; the address itself does.
    Case(("metadata.google.internal",), "http://metadata.google.internal/", "allow demo 169.254.169.254 --private"),
    Case(("169.254.0.0/16", "0.0.0.0/0"), "http://169.254.169.254/", "credentials"),
    Case(("169.254.169.254",), "http://169.254.169.254/"),
    Case(("169.254.169.254",), "http://metadata.google.internal/"),
    # Nothing opens what is no address of a host.
    Case(("0.0.0.0/0", "::/0"), "http://0.0.0.0/", "no script can call it"),
    Case(("0.0.0.0/0", "::/0"), "http://[2002:7f00:1::]/", "no script can call it"),
    Case(("0.0.0.0/0", "::/0", "zero.example"), "http://zero.example/", "no script can call it"),
    # Ports.
    Case(("api.example.com:25",), "http://api.example.com:25/", private=False),
    Case(("api.example.com",), "http://api.example.com:25/", "allow demo api.example.com:25", private=False),
    Case(("*.example.com:22",), "http://api.example.com:22/", private=False),
    # Restricted to what is allowed.
    Case((), "https://api.example.com/", "isn't among the hosts", restricted=True),
    Case(("api.example.com",), "https://api.example.com/", private=False, restricted=True),
    Case(("api.example.com:443",), "http://api.example.com/", "isn't among", private=False, restricted=True),
    Case(("93.184.215.0/24",), "https://api.example.com/", private=False, restricted=True),
    Case(("*.example.com",), "https://example.com/", "has no address", private=False, restricted=True),
    Case(("private.example",), "http://private.example/", "a private address", private=False, restricted=True),
    Case(("api.example.com",), "https://six.example.com/", "allow demo six.example.com", restricted=True),
]


@pytest.mark.parametrize("case", ALLOWED, ids=lambda case: f"{','.join(case.allowed)} {case.url}")
def test_an_owner_opens_what_is_named_and_no_more(case: Case) -> None:
    egress = PLAIN
    for text in case.allowed:
        egress = egress.allowing(Allowed.parse(text, private=case.private))
    said = outcome(lambda: parse(case.url), Egress(case.restricted, egress.allowed))
    assert case.said in said if case.said else said == "allowed"


def test_a_refusal_says_how_to_allow_the_host() -> None:
    said = outcome(lambda: parse("http://10.1.2.3:9000/"))
    assert said == (
        "10.1.2.3 is a private address. An owner can allow it: picloud egress allow demo 10.1.2.3:9000 --private"
    )


def test_the_machines_own_public_addresses_are_its_own() -> None:
    """Loopback stands for them: it is the one address that every machine has."""
    assert all(is_own(ip_address(text)) for text in ("127.0.0.1", "127.9.9.9", "::1"))
    assert not is_own(IPv4Address("93.184.215.14"))
    said = PLAIN.why_not("api.example.com", 443, IPv4Address("93.184.215.14"), own=True)
    assert said is not None
    assert said.why == "api.example.com leads to 93.184.215.14, which is this machine's own address"
