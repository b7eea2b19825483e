"""What is read out of a request's headers: preferences, and where it comes from."""

from __future__ import annotations

import pytest

from picloud.http.client_address import ClientAddresses
from picloud.http.prefer import Preferences, preferences


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, Preferences()),
        ("", Preferences()),
        ("respond-async", Preferences(True)),
        ("Respond-Async, wait=10", Preferences(True, 10)),
        ('wait = "10"; x=y , respond-async;x', Preferences(True, 10)),
        ("wait=5, wait=10", Preferences(False, 5)),
        ("wait=soon, wait=-1, wait=, wait=9999999, handling=lenient", Preferences()),
        ("no-respond-async, x-wait=3", Preferences()),
    ],
)
def test_preferences_are_read_as_rfc_7240_has_them(header: str | None, expected: Preferences) -> None:
    assert preferences(header) == expected


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1, 10.0.0.9", "198.51.100.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1, rubbish", "127.0.0.1"),
        ("2001:db8:1:2:3::4", "", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "", "203.0.113.7"),
        ("", "", ""),
    ],
)
def test_only_proxies_that_are_known_are_believed(peer: str, forwarded: str, client: str) -> None:
    addresses = ClientAddresses("127.0.0.0/8,::1/128,10.0.0.9/32")
    assert addresses.of({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}) == client
