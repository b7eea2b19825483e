"""Documents on a whole platform: runs beside one another, a failure on its record, the API and its roles."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from tests.acceptance.platform import Platform

ADDING = """
let counter = docs::get("counters", "one");
if counter == () {
    docs::insert("counters", #{n: 1}, #{id: "one"});
    1
} else {
    docs::replace("counters", "one", #{n: counter.data.n + 1});
    counter.data.n + 1
}
"""
FINDING = """
for counter in docs::find("counters", #{n: #{exists: true}}) {
    docs::patch("counters", counter.id, #{n: counter.data.n + 1});
}
docs::count("counters", #{n: #{gt: 1}})
"""
FAILING = """
let id = docs::insert("left", #{n: 1, at: 0.5});
let found = docs::find("left", #{n: 1});
if found.len() != 1 || found[0].id != id || docs::count("left") != 1 { throw "own writes are seen"; }
docs::patch("left", id, #{n: ()});
let page = docs::page("left", (), #{limit: 1});
throw `late ${page.documents[0].data}`;
"""
FIDELITY = """
let data = #{
    i: 9007199254740993, f: 1.0, large: 1e300, zero: -0.0, text: "ö\\U0001F600", none: (), list: [1, [#{}]], yes: true,
};
let id = docs::insert("exact", data);
let own = docs::get("exact", id).data;
#{id: id, same: own == data, zero: `${1.0 / own.zero}`, kinds: `${type_of(own.i)} ${type_of(own.f)}`}
"""
FIDELITY_AFTER = """
let own = docs::get("exact", ctx.request.params.id).data;
let found = docs::find("exact", #{large: #{gt: 9e299}, i: 9007199254740993})[0].data;
let kinds = `${type_of(own.i)} ${type_of(own.f)}`;
#{zero: `${1.0 / own.zero}`, kinds: kinds, large: own.large == 1e300, i: own.i, f: found.f}
"""


def test_what_runs_read_or_find_and_write_at_the_same_time_counts_once_each(platform: Platform) -> None:
    platform.deploy("docsapp", "adding", ADDING, "POST /adding")
    platform.deploy("docsapp", "finding", FINDING, "POST /finding")
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda _: platform.call("POST", "/apps/docsapp/adding"), range(24)))
        assert {answer.status for answer in added} == {200}
        assert sorted(answer.json for answer in added) == list(range(1, 25))
        found = list(pool.map(lambda _: platform.call("POST", "/apps/docsapp/finding"), range(24)))
    assert {answer.status for answer in found} == {200}
    path = "/apps/docsapp/collections/counters/documents/one"
    assert platform.api("GET", path).json["data"] == {"n": 48}
    history = platform.api("GET", f"{path}/history?limit=100").json["items"]
    assert [change["version"] for change in history] == list(range(48, 0, -1))


def test_values_come_back_as_they_were_written(platform: Platform) -> None:
    platform.deploy("docsapp", "fidelity", FIDELITY, "POST /fidelity")
    platform.deploy("docsapp", "fidelity-after", FIDELITY_AFTER, "GET /fidelity/{id}")
    own = platform.call("POST", "/apps/docsapp/fidelity").json
    assert own["same"], own
    assert (own["zero"], own["kinds"]) == ("-inf", "i64 f64")
    after = platform.call("GET", f"/apps/docsapp/fidelity/{own['id']}").json
    assert after == {"zero": "-inf", "kinds": "i64 f64", "large": True, "i": 9007199254740993, "f": 1.0}


def test_a_run_that_failed_has_written_nothing_and_is_repeated_on_its_record(platform: Platform) -> None:
    platform.deploy("docsapp", "failing", FAILING, "POST /failing")
    failed = platform.call("POST", "/apps/docsapp/failing")
    assert failed.status == 500
    assert platform.api("GET", "/apps/docsapp/collections/left/count").json == {"count": 0}
    report = platform.run("replay", "--inspect", failed.json["invocation"], expect=None).stdout
    assert "late" in report, report
    assert "diverged" not in report, report
    assert platform.api("GET", "/apps/docsapp/collections/left/count").json == {"count": 0}


def test_the_api_writes_finds_and_refuses(platform: Platform) -> None:
    platform.deploy("docsapp", "idle", "()", "GET /idle")
    documents = "/apps/docsapp/collections/api/documents"
    made = platform.api("POST", documents, {"n": 1})
    assert made.status == 201
    assert made.headers["etag"] == '"1"'
    assert platform.api("GET", made.headers["location"].removeprefix("/api/v1")).json == made.json
    assert platform.api("PUT", f"{documents}/a", {"n": 2}, If_None_Match="*").status == 200
    taken = platform.api("PUT", f"{documents}/a", {"n": 3}, If_None_Match="*")
    assert (taken.status, taken.json["field"]) == (412, "If-Match")
    assert platform.api("PATCH", f"{documents}/a", {"m": [1]}, If_Match='"1"').json["data"] == {"m": [1], "n": 2}
    assert platform.api("PATCH", f"{documents}/a", {"m": 2}, If_Match='"1"').status == 412
    assert platform.api("PATCH", f"{documents}/b", {"m": 2}).status == 404
    where = quote(json.dumps({"n": {"ge": 1}}))
    first = platform.api("GET", f"{documents}?filter={where}&sort=-n&limit=1").json
    assert [each["data"]["n"] for each in first["items"]] == [2]
    second = platform.api("GET", f"{documents}?filter={where}&sort=-n&limit=1&cursor={first['next']}").json
    assert [each["data"]["n"] for each in second["items"]] == [1]
    assert second["next"] is None
    wrong = platform.api("GET", f"{documents}?filter={quote(json.dumps({'n': {'gte': 1}}))}")
    assert (wrong.status, wrong.json["field"]) == (422, "filter.n")
    assert "did you mean 'gt'" in wrong.json["detail"] or "did you mean 'ge'" in wrong.json["detail"]
    assert platform.api("GET", f"{documents}?filter=no").status == 422
    assert platform.api("PUT", f"{documents}/c", [1]).status == 422
    assert platform.api("DELETE", f"{documents}/a", If_Match='"1"').status == 412
    assert platform.api("DELETE", f"{documents}/a").status == 204
    assert platform.api("DELETE", f"{documents}/a").status == 404
    assert platform.api("GET", "/apps/nobody/collections").status == 404


def test_readers_read_writers_write_and_others_do_neither(platform: Platform) -> None:
    platform.deploy("docsapp", "idle", "()", "GET /idle")
    tokens = {
        (role, app): platform.api("POST", "/tokens", {"name": f"{role} {app}", "role": role, "apps": [app]}).json[
            "token"
        ]
        for role, app in (("viewer", "docsapp"), ("editor", "docsapp"), ("editor", "other"))
    }

    def status(who: tuple[str, str], method: str, path: str, body: object = None) -> int:
        headers = {"Authorization": f"Bearer {tokens[who]}", "Content-Type": "application/json"}
        text = None if body is None else json.dumps(body)
        return platform.call(method, f"/api/v1/apps/docsapp/collections{path}", text, headers).status

    for method, path, body, reads in (
        ("PUT", "/roles/documents/a", {}, False),
        ("GET", "/roles/documents/a", None, True),
        ("GET", "/roles/documents", None, True),
        ("GET", "/roles/count", None, True),
        ("GET", "/roles/documents/a/history", None, True),
        ("GET", "", None, True),
        ("POST", "/roles/documents", {}, False),
        ("PATCH", "/roles/documents/a", {}, False),
        ("POST", "/roles/indexes", {"fields": ["n"]}, False),
        ("DELETE", "/roles/indexes?fields=n", None, False),
        ("PUT", "/roles/schema", {}, False),
        ("DELETE", "/roles/schema", None, False),
        ("DELETE", "/roles/documents/a", None, False),
    ):
        assert status(("editor", "other"), method, path, body) in (403, 404), (method, path)
        if not reads:
            assert status(("viewer", "docsapp"), method, path, body) == 403, (method, path)
        assert status(("editor", "docsapp"), method, path, body) in (200, 201, 204), (method, path)
        if reads:
            assert status(("viewer", "docsapp"), method, path, body) == 200, (method, path)
