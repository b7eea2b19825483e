"""Names that lead elsewhere a moment later: no connection is ever made to what was not checked.

127.0.0.2 is allowed here and stands for a public address; 127.0.0.1 is not, and stands for what is to be reached. Both
have a server at the same port, and the names are asked of a real DNS server by the resolver that nodes use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import gevent
import pytest

from picloud.domain.egress import Allowed, Egress
from picloud.services.http.client import Answer, Call, Client
from picloud.services.http.failure import HttpFailure
from picloud.services.http.guard import Guard
from picloud.services.http.resolver import Resolver
from picloud.services.http.urls import parse
from tests.integration.services.upstream import NameServer, Upstream, name_server, redirect, upstream

PUBLIC, FORBIDDEN = "127.0.0.2", "127.0.0.1"
EGRESS = Egress(allowed=(Allowed(PUBLIC, private=True),))


@dataclass
class Attack:
    """The client, and both servers; ``answers`` is what the DNS server says."""

    client: Client
    public: Upstream
    forbidden: Upstream
    dns: NameServer

    def call(self, host: str, path: str = "/") -> Answer:
        url = parse(f"http://{host}:{self.public.port}{path}")
        call = Call(method="GET", url=url, headers={}, body=None, redirects=5, most_bytes=1_000, seconds=5)
        return self.client.call("demo", call)

    def says(self, answer: Callable[[str, int], list[str]]) -> None:
        self.dns.answer = answer


@pytest.fixture
def attack() -> Iterator[Attack]:
    with (
        upstream(PUBLIC) as public,
        upstream(FORBIDDEN, public.port) as forbidden,
        name_server(lambda _name, _count: []) as dns,
    ):
        resolver = Resolver(dns.address)
        client = Client(Guard(lambda _app: EGRESS, resolver))
        yield Attack(client, public, forbidden, dns)
        client.close()
        resolver.close()
        assert forbidden.connections == 0, "a connection was made to what was not checked"


def changing(name: str, count: int) -> list[str]:
    """A public address first, and the forbidden one from then on."""
    return [PUBLIC] if count == 1 else [FORBIDDEN]


def test_a_name_that_changes_is_refused_from_then_on(attack: Attack) -> None:
    attack.says(changing)
    assert attack.call("rebind.example").status == 200
    with pytest.raises(HttpFailure, match=r"leads to 127\.0\.0\.1, which is a loopback address") as refused:
        attack.call("rebind.example")
    assert refused.value.kind == "refused"
    assert (attack.public.connections, attack.dns.asked["rebind.example"]) == (1, 2)


def test_one_call_asks_once_and_connects_to_that(attack: Attack) -> None:
    """Between the check and the connection the name leads elsewhere already."""
    attack.says(changing)
    assert attack.call("rebind.example").body == b"/"
    assert attack.dns.asked["rebind.example"] == 1


def test_a_kept_connection_helps_nobody_whose_name_changed(attack: Attack) -> None:
    attack.says(lambda _name, count: [PUBLIC] if count <= 2 else [FORBIDDEN])
    attack.call("rebind.example")
    attack.call("rebind.example")
    assert attack.public.connections == 1, "the connection was kept"
    with pytest.raises(HttpFailure, match="loopback"):
        attack.call("rebind.example")


def test_a_redirect_to_the_same_name_is_checked_anew(attack: Attack) -> None:
    attack.says(changing)
    attack.public.on("/", redirect("/again"))
    with pytest.raises(HttpFailure, match=r"leads to 127\.0\.0\.1"):
        attack.call("rebind.example")
    assert [request.target for request in attack.public.received] == ["/"]


@pytest.mark.parametrize("answer", [[PUBLIC, FORBIDDEN], [FORBIDDEN, PUBLIC], [PUBLIC, "::1"], [PUBLIC, "fe80::1"]])
def test_one_bad_address_among_good_ones_is_one_too_many(attack: Attack, answer: list[str]) -> None:
    attack.says(lambda _name, _count: answer)
    with pytest.raises(HttpFailure, match=r"leads to (127\.0\.0\.1|::1|fe80::1)"):
        attack.call("mixed.example")
    assert attack.public.connections == 0


def test_a_mapped_answer_is_what_it_maps(attack: Attack) -> None:
    attack.says(lambda _name, _count: ["::ffff:127.0.0.1"])
    with pytest.raises(HttpFailure, match=r"leads to 127\.0\.0\.1"):
        attack.call("mapped.example")


def test_a_name_that_flickers_under_many_calls_never_gets_through(attack: Attack) -> None:
    attack.says(lambda _name, count: [[PUBLIC], [FORBIDDEN], [PUBLIC, FORBIDDEN], [PUBLIC]][count * 7 % 4])

    def attempt(_number: int) -> str:
        try:
            return str(attack.call("flicker.example").status)
        except HttpFailure as failure:
            return failure.kind

    ended = [each.get() for each in [gevent.spawn(attempt, number) for number in range(60)]]
    assert {"200", "refused"} == set(ended)
