"""A request under an Idempotency-Key is done once, however often it is sent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.acceptance.platform import Platform, Response

COUNT = (
    'let n = kv::get("n"); let n = if n == () { 1 } else { n + 1 }; kv::set("n", n); #{n: n, given: ctx.request.json}'
)


def post(platform: Platform, path: str, key: str, body: str = "1", **headers: str) -> Response:
    given = {"idempotency-key": key, "content-type": "application/json"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return platform.call("POST", path, body.encode(), given)


def test_the_second_request_gets_the_answer_of_the_first(platform: Platform) -> None:
    platform.deploy("once", "count", COUNT, "POST /count")
    first = post(platform, "/apps/once/count", "k-1")
    again = post(platform, "/apps/once/count", "k-1")
    other = post(platform, "/apps/once/count", "k-2")
    assert [answer.json["n"] for answer in (first, again, other)] == [1, 1, 2]
    assert first.headers["picloud-invocation"] == again.headers["picloud-invocation"]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"


def test_many_at_once_are_one_run_with_either_durability(platform: Platform) -> None:
    for durability in ("outbox", "outcome"):
        platform.deploy(
            "many", durability, COUNT.replace('"n"', f'"{durability}"'), f"POST /{durability}", durability=durability
        )
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _, at=durability: post(platform, f"/apps/many/{at}", "same"), range(24)))
        assert {answer.status for answer in answers} == {200}
        assert {answer.json["n"] for answer in answers} == {1}
        assert len({answer.headers["picloud-invocation"] for answer in answers}) == 1


def test_a_key_belongs_to_one_body_and_one_route(platform: Platform) -> None:
    platform.deploy("bound", "count", COUNT, "POST /count", "POST /other")
    assert post(platform, "/apps/bound/count", "k", "1").json["given"] == 1
    refused = post(platform, "/apps/bound/count", "k", "2")
    assert (refused.status, refused.json["type"]) == (422, "/problems/idempotency-key-reused")
    assert refused.json["field"] == "Idempotency-Key"
    assert post(platform, "/apps/bound/other", "k", "2").json["given"] == 2


def test_what_died_is_not_done_again(platform: Platform) -> None:
    platform.deploy("died", "fails", 'throw "no"', "POST /")
    first, again = (post(platform, "/apps/died/", "k") for _ in range(2))
    assert (first.status, again.status) == (500, 500)
    assert first.json["invocation"] == again.json["invocation"]


def test_a_key_of_an_asynchronous_request_names_its_invocation(platform: Platform) -> None:
    platform.deploy("later", "count", COUNT, "POST /")
    first, again = (post(platform, "/apps/later/", "k", prefer="respond-async") for _ in range(2))
    assert (first.status, again.status) == (202, 202)
    assert first.headers["location"] == again.headers["location"]
    whole = platform.api("GET", first.headers["location"].removeprefix("/api/v1") + "?wait=10").json
    assert (whole["state"], whole["idempotency_key"]) == ("succeeded", "k")
    assert post(platform, "/apps/later/", "k").json["n"] == 1, "who waits gets the answer too"


def test_what_can_be_no_key_is_refused(platform: Platform) -> None:
    platform.deploy("odd", "count", COUNT, "POST /")
    for key in ("with space", "k" * 256):
        assert post(platform, "/apps/odd/", key).status == 400


def test_a_key_outlives_another_name_of_a_parameter(platform: Platform) -> None:
    platform.deploy("renamed", "count", COUNT, "POST /c/{a}")
    first = post(platform, "/apps/renamed/c/1", "k")
    platform.deploy("renamed", "count", COUNT, "POST /c/{b}")
    again = post(platform, "/apps/renamed/c/1", "k")
    assert (first.json["n"], again.json["n"]) == (1, 1)
    assert first.headers["picloud-invocation"] == again.headers["picloud-invocation"]
