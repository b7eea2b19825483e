"""What is asked of a private route, and what it answers, stands in the database for nobody to read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from picloud.postgres.sessions import connect
from tests.acceptance.platform import Platform, Response

PASSWORD = "unmistakable horse"
APP = "private"
SCRIPTS = {
    "register": 'users::register(ctx.request.json.name, ctx.request.json.password); "welcome"',
    "sign-in": "users::sign_in(ctx.request.json.name, ctx.request.json.password)",
    "me": """
        let user = users::session(ctx.request.headers["authorization"]);
        if user == () { throw #{ status: 401 }; }
        reply::json(user.name).header("X-Name", user.name)
    """,
    "echo": "ctx.request.query.q + ctx.request.body",
    "fail": "users::session(ctx.request.body); let n = random::int(0, 10); throw `no ${n}`;",
}


@pytest.fixture(scope="module")
def private(platform: Platform) -> Platform:
    for name, source in SCRIPTS.items():
        platform.deploy(APP, name, source, f"POST /{name}")
        shown = platform.run("routes", "set", APP, f"POST /{name}", "--private").stdout
        assert "private         yes" in shown
    return platform


def call(platform: Platform, name: str, body: Any, **headers: str) -> Response:
    text = body if isinstance(body, str) else json.dumps(body)
    sent = {"Content-Type": "application/json", **{key.replace("_", "-"): value for key, value in headers.items()}}
    return platform.call("POST", f"/apps/{APP}/{name}", text, sent)


def tables_with(platform: Platform, text: str) -> list[str]:
    """The tables in which a text stands, as it is or as bytes."""
    found = []
    with connect(platform.dsn, purpose="test") as session:
        tables = session.execute(
            "SELECT schemaname, relname FROM pg_stat_user_tables WHERE schemaname NOT LIKE 'pg%'"
        ).fetchall()
        for schema, table in tables:
            query = f"SELECT count(*) FROM {schema}.{table} t WHERE strpos(t::text, %s) + strpos(t::text, %s) > 0"
            if session.execute(query.encode(), (text, text.encode().hex())).fetchone() != (0,):
                found.append(f"{schema}.{table}")
    return found


def invocation_of(platform: Platform, answer: Response) -> dict[str, Any]:
    whole: dict[str, Any] = platform.api("GET", f"/invocations/{answer.headers['picloud-invocation']}").json
    return whole


def test_a_life_with_password_and_session_leaves_neither_in_the_database(private: Platform) -> None:
    who = {"name": "ada@unmistakable.example", "password": PASSWORD}
    assert call(private, "register", who).text == "welcome"
    token = call(private, "sign-in", who).json["token"]
    me = call(private, "me", "", Authorization=f"Bearer {token}")
    assert me.json == "ada@unmistakable.example"
    assert me.headers["x-name"] == "ada@unmistakable.example"
    assert call(private, "sign-in", who | {"password": "unmistakable guess"}).status == 204
    failed = call(private, "fail", token)
    assert failed.status == 500
    for secret in (PASSWORD, "unmistakable", token, token[3:]):
        assert tables_with(private, secret) == []
    assert tables_with(private, "/sign-in"), "what is not secret is found: the search works"


def test_a_request_that_comes_again_under_its_key_gets_the_same_answer(private: Platform) -> None:
    first = call(private, "echo?q=a", "body", Idempotency_Key="one")
    again = call(private, "echo?q=a", "body", Idempotency_Key="one")
    assert (first.text, again.text) == ("abody", "abody")
    assert again.headers["idempotent-replayed"] == "true"
    assert call(private, "echo?q=b", "body", Idempotency_Key="one").status == 422
    later = private.call("POST", f"/apps/{APP}/echo?q=x", "later", {"Prefer": "respond-async, wait=20"})
    assert (later.status, later.text) == (200, "xlater"), "it waited in the outbox, sealed"


def test_a_large_body_is_sealed_too(private: Platform) -> None:
    body = "unmistakable-bulk " * 10_000
    assert call(private, "echo?q=", body).text == body
    assert tables_with(private, "unmistakable-bulk") == []


def test_a_run_is_repeated_as_it_was_and_shows_nothing(private: Platform) -> None:
    failed = call(private, "fail", "us_unmistakable-token")
    whole = invocation_of(private, failed)
    assert "unmistakable" not in json.dumps(whole)
    wanted = {"trace": {"limit": 50}}
    inspection = private.api("POST", f"/invocations/{whole['id']}/inspection", wanted).json
    assert inspection["exact"], inspection["why_not"]
    assert inspection["trace"] is None
    assert "unmistakable" not in json.dumps(inspection)
    answered = call(private, "echo?q=", "unmistakable-echo")
    printed = private.run("invocation", answered.headers["picloud-invocation"]).stdout
    assert printed.count("private: sealed in the log") == 2, printed
    shown = private.api("POST", f"/invocations/{answered.headers['picloud-invocation']}/inspection", {}).json
    assert shown["exact"], shown["why_not"]
    assert "unmistakable" not in json.dumps(shown)


def test_a_replay_is_private_too_and_has_no_other_body(private: Platform) -> None:
    answered = call(private, "echo?q=", "unmistakable-replay")
    path = f"/invocations/{answered.headers['picloud-invocation']}/replay"
    refused = private.api("POST", path, {"body": "another"})
    assert refused.status == 409, refused.text
    assert "private" in refused.json["detail"]
    again = private.api("POST", path, {})
    assert again.status == 202, again.text
    whole = private.api("GET", f"/invocations/{again.json['invocation']}?wait=20").json
    assert whole["state"] == "succeeded"
    assert "unmistakable" not in json.dumps(whole)
