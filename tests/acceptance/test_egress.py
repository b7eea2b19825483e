"""Who decides what an app's scripts may call, and that it holds, over the API and the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acceptance.platform import Platform


@pytest.fixture(scope="module")
def tokens(platform: Platform) -> dict[str, str]:
    for app in ("walled", "other"):
        platform.api("POST", "/apps", {"name": app})
    issued = {
        role: platform.api("POST", "/tokens", {"name": role, "role": role, "apps": ["walled"]}).json["token"]
        for role in ("viewer", "editor", "owner")
    }
    return {name: f"Bearer {token}" for name, token in issued.items()}


def change(platform: Platform, content: dict[str, Any], *, token: str = "", app: str = "walled") -> Any:
    headers = {"Authorization": token or f"Bearer {platform.token}", "Content-Type": "application/json"}
    return platform.call("PATCH", f"/api/v1/apps/{app}/egress", json.dumps(content), headers)


def test_only_an_owner_opens_what_is_private(platform: Platform, tokens: dict[str, str]) -> None:
    asked = {"allow": [{"host": "10.0.0.0/8", "private": True}]}
    answers = {role: change(platform, asked, token=token).status for role, token in tokens.items()}
    assert answers == {"viewer": 403, "editor": 403, "owner": 200}
    assert change(platform, asked, token=tokens["owner"], app="other").status == 403
    seen = platform.call("GET", "/api/v1/apps/walled/egress", headers={"Authorization": tokens["viewer"]}).json
    assert seen == {"restricted": False, "allowed": [{"host": "10.0.0.0/8", "private": True}]}
    change(platform, {"forget": ["10.0.0.0/8"]})


@pytest.mark.parametrize(
    ("content", "status", "field", "said"),
    [
        ({"allow": [{"host": "10.0.0.7"}]}, 422, "private", "10.0.0.7 is a private address"),
        ({"allow": [{"host": "0.0.0.0", "private": True}]}, 422, "host", "no script can call it"),
        ({"allow": [{"host": "http://example.com/"}]}, 422, "host", "is no host, address or network"),
        ({"allow": [{"host": "10.0.0.1/8", "private": True}]}, 422, "host", "has host bits set"),
        ({"allow": [{"host": "0x7f.1", "private": True}]}, 422, "host", "no address and no network"),
        ({"allow": [{"host": "*.*.example.com"}]}, 422, "host", "is no host, address or network"),
        ({"allow": [{"host": "example.com:0"}]}, 422, "host", "0 is no port"),
        ({"allow": [{"host": ""}]}, 422, "allow.0.host", "Length"),
        ({"forget": ["example.net"]}, 404, "host", "example.net isn't allowed as such"),
        ({"restricted": "maybe"}, 422, "restricted", "boolean"),
    ],
)
def test_what_can_not_be_is_refused_and_named(
    platform: Platform, tokens: dict[str, str], content: dict[str, Any], status: int, field: str, said: str
) -> None:
    answer = change(platform, content, token=tokens["owner"])
    assert (answer.status, answer.json["field"]) == (status, field)
    assert said in answer.json["detail"]


def test_the_command_line_lists_what_it_changes(platform: Platform, tokens: dict[str, str]) -> None:
    platform.run("egress", "allow", "walled", "*.Example.com:8443", "api.example.com.")
    platform.run("egress", "allow", "walled", "[fd00::]/8", "--private")
    platform.run("egress", "restrict", "walled")
    listed = json.loads(platform.run("egress", "walled", "--json").stdout)
    hosts = [(each["host"], each["private"]) for each in listed["allowed"]]
    assert hosts == [("*.example.com:8443", False), ("api.example.com", False), ("fd00::/8", True)]
    assert listed["restricted"]
    checked = platform.run("egress", "check", "walled", "https://www.example.com:8443/", expect=1).stdout
    assert "www.example.com has no address" in checked, "it is allowed, and the test's name server knows no name"
    refused = platform.run("egress", "check", "walled", "https://93.184.215.14/", expect=1).stdout
    assert refused == (
        "93.184.215.14 isn't among the hosts that the app may call. "
        "An owner can allow it: picloud egress allow walled 93.184.215.14\n"
    )
    platform.run("egress", "forget", "walled", "*.example.com:8443", "api.example.com", "fd00::/8")
    assert platform.run("egress", "walled").stdout == "walled calls nothing\n"
    assert platform.run("egress", "restrict", "walled", "--off").stdout == "walled calls every public address\n"


def test_an_app_that_is_made_again_has_nothing_allowed(platform: Platform) -> None:
    platform.api("POST", "/apps", {"name": "again"})
    change(platform, {"restricted": True, "allow": [{"host": "127.0.0.1", "private": True}]}, app="again")
    platform.run("remove", "again", "--yes")
    platform.api("POST", "/apps", {"name": "again"})
    assert platform.api("GET", "/apps/again/egress").json == {"restricted": False, "allowed": []}


def test_calls_are_among_the_metrics(platform: Platform, tokens: dict[str, str]) -> None:
    platform.api("PUT", "/apps/walled/scripts/call?route=GET+/call", {"source": 'http::get("http://10.0.0.1/")'})
    for _ in range(8):
        platform.call("GET", "/apps/walled/call")
    found = platform.call("GET", "/metrics", headers={"Authorization": f"Bearer {platform.token}"}).text
    assert "# TYPE picloud_http_call_seconds histogram" in found
