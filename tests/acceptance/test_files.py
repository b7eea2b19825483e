"""Files and sites of a running platform: over HTTP, from scripts, from the command line, and when things break off."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from tests.acceptance.page import play
from tests.acceptance.platform import Platform, Response

DOCS = Path(__file__).parents[2] / "docs"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def served(platform: Platform) -> Platform:
    for app in ("files", "other"):
        assert platform.api("POST", "/apps", {"name": app}).status == 201
    return platform


def put(platform: Platform, path: str, content: bytes, **headers: str) -> Response:
    sent = {"Authorization": f"Bearer {platform.token}"} | {k.replace("_", "-"): v for k, v in headers.items()}
    return platform.call("PUT", f"/api/v1/apps/files/files/{path}", content, sent)


def get(platform: Platform, path: str, method: str = "GET", **headers: str) -> Response:
    sent = {"Authorization": f"Bearer {platform.token}"} | {k.replace("_", "-"): v for k, v in headers.items()}
    return platform.call(method, f"/api/v1/apps/files/files/{path}", None, sent)


def wait_for(holds: Callable[[], bool], what: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def nameless(platform: Platform) -> int:
    """Uploads that aren't whole."""
    with psycopg.connect(platform.dsn) as connection:
        row = connection.execute("SELECT count(*) FROM log.blobs WHERE sha256 IS NULL").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.skipif(not shutil.which("curl"), reason="the page uses curl")
def test_the_page_on_sites_shows_what_happens(platform: Platform, tmp_path: Path) -> None:
    play(platform, DOCS / "sites.md", tmp_path)


def test_a_file_comes_back_as_it_went_in_whole_and_in_parts(served: Platform) -> None:
    content = os.urandom(700_000)
    digest = sha256(content).hexdigest()
    written = put(served, "a/b%20%C3%BC.bin", content, PiCloud_Meta_By="ad%C3%A4")
    assert (written.status, written.json["path"], written.json["sha256"]) == (201, "a/b ü.bin", digest)
    assert written.json["metadata"] == {"by": "adä"}
    whole = get(served, "a/b%20%C3%BC.bin")
    assert (whole.status, whole.body) == (200, content)
    assert whole.headers["etag"] == f'"{digest}"'
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["content-disposition"].startswith("attachment; ")
    assert whole.headers["picloud-meta-by"] == "ad%C3%A4"
    for first, last in ((0, 0), (262_143, 262_144), (5, 699_999), (262_144, 524_287)):
        part = get(served, "a/b%20%C3%BC.bin", Range=f"bytes={first}-{last}")
        assert (part.status, part.body) == (206, content[first : last + 1])
        assert part.headers["content-range"] == f"bytes {first}-{last}/700000"
    assert get(served, "a/b%20%C3%BC.bin", Range="bytes=-7").body == content[-7:]
    behind = get(served, "a/b%20%C3%BC.bin", Range="bytes=700000-")
    assert (behind.status, behind.headers["content-range"]) == (416, "bytes */700000")
    several = get(served, "a/b%20%C3%BC.bin", Range="bytes=0-1,5-6")
    assert (several.status, len(several.body)) == (200, 700_000)
    same = get(served, "a/b%20%C3%BC.bin", If_None_Match=f'"{digest}"')
    assert (same.status, same.body, same.headers["etag"]) == (304, b"", f'"{digest}"')
    head = get(served, "a/b%20%C3%BC.bin", "HEAD", Range="bytes=0-1")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "700000")
    assert get(served, "a/b%20%C3%BC.bin", Range="bytes=0-1", If_Range='"other"').status == 200
    assert get(served, "a/none").status == 404


def test_conditions_decide_who_writes(served: Platform) -> None:
    assert put(served, "c", b"1", If_None_Match="*").status == 201
    assert put(served, "c", b"2", If_None_Match="*").status == 412
    tag = get(served, "c").headers["etag"]
    assert put(served, "c", b"2", If_Match=tag).status == 200
    stale = put(served, "c", b"3", If_Match=tag)
    assert (stale.status, stale.json["field"]) == (412, "If-Match")
    assert get(served, "c", "DELETE", If_Match=tag).status == 412
    assert get(served, "c").body == b"2"
    assert get(served, "c", "DELETE").status == 204
    assert get(served, "c", "DELETE").status == 404
    assert put(served, "c", b"3", If_Match=tag).status == 412
    assert put(served, "c", b"", If_None_Match="*").status == 201
    assert (get(served, "c").body, get(served, "c", Range="bytes=0-").status) == (b"", 416)


@pytest.mark.parametrize(
    ("path", "headers", "status", "slug"),
    [
        ("d", {"Repr_Digest": "sha-256=:" + "A" * 43 + "=:"}, 400, "digest-mismatch"),
        ("d", {"Content_Digest": "sha-256=:" + "A" * 43 + "=:"}, 400, "digest-mismatch"),
        ("d", {"Repr_Digest": "rubbish"}, 400, "bad-digest"),
        ("d", {"Content_Encoding": "gzip"}, 415, "unsupported-encoding"),
        ("d", {"Content_Type": "rubbish"}, 422, "invalid"),
        ("d", {"PiCloud_Meta_X": "%0d%0aSet-Cookie: a=b"}, 422, "invalid"),
        ("%ff", {}, 400, "bad-path"),
        ("a/..%2fb", {}, 422, "invalid"),
        ("a%00", {}, 422, "invalid"),
        ("%5cb", {}, 422, "invalid"),
        ("x" * 1025, {}, 422, "invalid"),
    ],
)
def test_what_is_wrong_with_an_upload_is_told_and_nothing_is_stored(
    served: Platform, path: str, headers: dict[str, str], status: int, slug: str
) -> None:
    answer = put(served, path, b"content", **headers)
    assert (answer.status, answer.json["type"]) == (status, f"/problems/{slug}"), answer.text
    assert get(served, path).status in (400, 404, 422)


def test_a_file_that_is_too_large_is_refused_before_it_comes_or_on_its_way(served: Platform) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        head = f"PUT /api/v1/apps/files/files/huge HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.token}\r\n"
        connection.sendall(f"{head}Content-Length: {2 * 1024 * MIB}\r\n\r\n".encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        told = json.loads(answer.read())
    assert (answer.status, told["type"]) == (413, "/problems/file-too-large")
    assert "1,073,741,824 bytes" in told["detail"]


def test_what_goes_beyond_the_quota_is_refused(served: Platform) -> None:
    assert served.api("POST", "/apps", {"name": "small"}).status == 201
    assert served.api("PUT", "/apps/small/quotas/files", {"items": 2, "bytes": 100}).status == 200
    headers = {"Authorization": f"Bearer {served.token}"}
    for name, size, status in (("a", 60, 201), ("b", 41, 409), ("b", 40, 201), ("c", 0, 409), ("a", 50, 200)):
        answer = served.call("PUT", f"/api/v1/apps/small/files/{name}", b"x" * size, headers)
        assert answer.status == status, answer.text
    served.deploy("small", "more", 'files::write("d", "x")', "POST /more")
    failed = served.call("POST", "/apps/small/more")
    assert (failed.status, failed.json["kind"]) == (500, "QuotaExceeded")


def test_an_upload_that_breaks_off_leaves_nothing(served: Platform) -> None:
    for framing in (f"Content-Length: {4 * MIB}\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n100000\r\n"):
        with socket.create_connection(("127.0.0.1", served.port)) as connection:
            head = f"PUT /api/v1/apps/files/files/half HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.token}\r\n"
            connection.sendall((head + framing).encode() + b"x" * (MIB // 2))
            wait_for(lambda: nameless(served) == 1, "the upload has begun")
        wait_for(lambda: nameless(served) == 0, "what came is taken away")
        assert get(served, "half").status == 404


def test_a_killed_worker_leaves_nothing_that_anybody_sees_and_what_was_accepted_stays(served: Platform) -> None:
    assert put(served, "kept", b"k" * MIB).status == 201
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        head = f"PUT /api/v1/apps/files/files/lost HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.token}\r\n"
        connection.sendall(f"{head}Content-Length: {4 * MIB}\r\n\r\n".encode() + b"x" * MIB)
        wait_for(lambda: nameless(served) == 1, "the upload has begun")
        for worker in served.some("worker"):
            worker.kill()
    wait_for(lambda: _answers(served), "the workers are back")
    assert get(served, "lost").status == 404
    assert get(served, "kept").body == b"k" * MIB
    assert put(served, "lost", b"again").status == 201
    with psycopg.connect(served.dsn, autocommit=True) as connection:
        # A day later the leader would do this.
        connection.execute("DELETE FROM log.chunks c USING log.blobs b WHERE b.id = c.blob AND b.sha256 IS NULL")
        connection.execute("DELETE FROM log.blobs WHERE sha256 IS NULL")


def _answers(platform: Platform) -> bool:
    try:
        return platform.call("GET", "/healthz").status == 200
    except OSError:
        return False


def test_a_worker_does_not_grow_with_what_passes_through_it(served: Platform) -> None:
    size, piece = 64 * MIB, os.urandom(MIB)
    workers = served.some("worker")
    put(served, "warm", piece * 4)
    get(served, "warm")
    before = {worker.pid: worker.memory_info().rss for worker in workers}
    grown = [0]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            for worker in workers:
                grown[0] = max(grown[0], worker.memory_info().rss - before[worker.pid])

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        headers = {"Authorization": f"Bearer {served.token}", "Content-Length": str(size)}
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=120)
        connection.request("PUT", "/api/v1/apps/files/files/big", (piece for _ in range(size // MIB)), headers)
        written = connection.getresponse()
        assert (written.status, json.loads(written.read())["size"]) == (201, size)
        connection.request("GET", "/api/v1/apps/files/files/big", headers={"Authorization": headers["Authorization"]})
        answer = connection.getresponse()
        read = 0
        while part := answer.read(MIB):
            assert part == piece[: len(part)]
            read += len(part)
        connection.close()
    finally:
        over.set()
        watching.join()
    assert read == size
    assert grown[0] < 24 * MIB, f"a worker grew by {grown[0] / MIB:.0f} MiB"
    with psycopg.connect(served.dsn) as connected:
        row = connected.execute("SELECT count(*) FROM log.chunks").fetchone()
    assert row is not None


def test_roles_and_apps_are_kept_apart(served: Platform) -> None:
    def token(role: str, app: str) -> dict[str, str]:
        content = {"name": f"{role}-{app}", "role": role, "apps": [app]}
        return {"Authorization": f"Bearer {served.api('POST', '/tokens', content).json['token']}"}

    viewer, stranger = token("viewer", "files"), token("editor", "other")
    assert put(served, "mine", b"mine").status == 201
    path = "/api/v1/apps/files/files/mine"
    assert served.call("GET", path, None, viewer).status == 200
    for method, body in (("PUT", b"x"), ("DELETE", None)):
        assert served.call(method, path, body, viewer).status == 403
    digest = sha256(b"mine").hexdigest()
    for method, where in (
        ("GET", path),
        ("PUT", path),
        ("GET", "/api/v1/apps/files/files"),
        ("GET", "/api/v1/apps/files/site"),
    ):
        assert served.call(method, where, None, stranger).status == 403
    for where in ("..%2f..%2ffiles%2ffiles%2fmine", "../files/files/mine", "%2e%2e/files/mine"):
        assert served.call("GET", f"/api/v1/apps/other/files/{where}", None, stranger).status in (403, 404, 422)
    named = json.dumps({"files": [{"path": "stolen", "sha256": digest}]})
    stolen = served.call(
        "POST", "/api/v1/apps/other/site/deployments", named, stranger | {"Content-Type": "application/json"}
    )
    assert (stolen.status, stolen.json["missing"]) == (409, [digest]), "who knows a hash doesn't have the bytes"


SCRIPTS = {
    "append": ('files::write("log", (files::read_text("log") ?? "") + ctx.request.body)', "POST /append"),
    "fail": ('files::write("never", "x"); files::delete("kept"); throw "no"', "POST /fail"),
    "thrown": ('files::write("never", "x"); throw reply::file("never").status(422)', "POST /thrown"),
    "send": ("reply::file(ctx.request.query.path)", "ANY /send"),
    "caller": ('let sent = invoke::run("answer", ()); #{ size: sent.len, first: sent[0] }', "POST /caller"),
    "answer": ('reply::file("five")', "GET /answer"),
    "teapot": ('reply::file("five").status(418).header("x-own", "yes").header("etag", "mine")', "GET /teapot"),
    "rounds": (
        """
        files::write("r/text.txt", "über"); files::copy("r/text.txt", "r/copy.txt");
        files::move("r/copy.txt", "r/moved.txt");
        let told = files::metadata("r/moved.txt");
        [files::read_text("r/moved.txt"), files::read("r/text.txt", #{ offset: 1, length: 2 }).len, told.size,
         files::exists("r/copy.txt"), files::list("r/").files.map(|f| f.path),
         files::list("", #{ delimiter: "/" }).folders]
        """,
        "POST /rounds",
    ),
    "broken": (
        'let a = files::read_text("log"); files::list("r/"); files::write("x", a); files::read("x"); '
        'throw files::read("large", #{ offset: 100000, length: 300000 }).len + a',
        "POST /broken",
    ),
}


@pytest.fixture(scope="module")
def scripted(served: Platform) -> Platform:
    for name, (source, route) in SCRIPTS.items():
        served.deploy("files", name, source, route)
    assert put(served, "five", b"12345", Content_Type="application/x-five").status == 201
    return served


def test_runs_that_read_and_write_one_file_at_a_time_lose_nothing(scripted: Platform) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: scripted.call("POST", "/apps/files/append", f"{n};"), range(32)))
    assert {answer.status for answer in answers} == {204}, [answer.text for answer in answers if answer.status != 204]
    assert sorted(get(scripted, "log").text.split(";")) == sorted([*map(str, range(32)), ""])


def test_a_run_that_fails_or_throws_an_answer_has_written_nothing(scripted: Platform) -> None:
    assert scripted.call("POST", "/apps/files/fail").status == 500
    thrown = scripted.call("POST", "/apps/files/thrown")
    assert (thrown.status, thrown.body) == (422, b"x"), "the answer is an answer, with the file that never came to be"
    assert get(scripted, "never").status == 404
    assert get(scripted, "kept").status == 200


def test_what_a_script_does_to_files_it_sees_itself(scripted: Platform) -> None:
    done = scripted.call("POST", "/apps/files/rounds").json
    assert done[:4] == ["über", 2, 5, False]
    assert done[4] == ["r/moved.txt", "r/text.txt"]
    assert "r/" in done[5]


def test_a_script_answers_with_a_file_that_has_ranges_and_conditions(scripted: Platform) -> None:
    whole = scripted.call("GET", "/apps/files/send?path=five")
    assert (whole.status, whole.body, whole.headers["content-type"]) == (200, b"12345", "application/x-five")
    tag = whole.headers["etag"]
    assert scripted.call("GET", "/apps/files/send?path=five", None, {"Range": "bytes=1-2"}).body == b"23"
    assert scripted.call("GET", "/apps/files/send?path=five", None, {"Range": "bytes=9-"}).status == 416
    assert scripted.call("GET", "/apps/files/send?path=five", None, {"If-None-Match": tag}).status == 304
    head = scripted.call("HEAD", "/apps/files/send?path=five")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "5")
    posted = scripted.call("POST", "/apps/files/send?path=five", b"", {"Range": "bytes=1-2"})
    assert (posted.status, posted.body) == (200, b"12345"), "a POST has no ranges"
    teapot = scripted.call("GET", "/apps/files/teapot", None, {"Range": "bytes=1-2"})
    assert (teapot.status, teapot.body, teapot.headers["x-own"]) == (418, b"12345", "yes")
    assert scripted.call("GET", "/apps/files/send?path=none").status == 500
    invocation = scripted.api("GET", f"/invocations/{whole.headers['picloud-invocation']}").json
    assert invocation["reply"]["file"] == {"sha256": sha256(b"12345").hexdigest(), "size": 5}
    assert "5 bytes" in scripted.run("invocation", whole.headers["picloud-invocation"]).stdout


def test_an_answer_with_a_file_is_given_again_and_handed_to_a_caller(scripted: Platform) -> None:
    key = {"Idempotency-Key": "file-1"}
    first = scripted.call("GET", "/apps/files/send?path=five", None, key)
    again = scripted.call("GET", "/apps/files/send?path=five", None, key)
    assert (first.body, again.body, again.headers["idempotent-replayed"]) == (b"12345", b"12345", "true")
    assert scripted.call("POST", "/apps/files/caller").json == {"size": 5, "first": 49}


def test_a_failed_run_is_repeated_exactly_on_its_record(scripted: Platform) -> None:
    assert put(scripted, "large", os.urandom(2 * MIB)).status == 201
    failed = scripted.call("POST", "/apps/files/broken")
    assert failed.status == 500
    for path in ("log", "large"):
        assert put(scripted, path, b"changed since").status == 200
    shown = scripted.run("replay", "--inspect", failed.headers["picloud-invocation"], "--json")
    assert json.loads(shown.stdout)["exact"] is True, shown.stdout


@pytest.fixture
def site(served: Platform, tmp_path: Path) -> Iterator[Callable[[dict[str, str]], Any]]:
    def deploy(files: dict[str, str]) -> Any:
        folder = tmp_path / "site"
        shutil.rmtree(folder, ignore_errors=True)
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return json.loads(served.run("site", "deploy", str(folder), "--app", "web", "--json").stdout)

    yield deploy
    served.run("site", "remove", "web", expect=None)


def test_a_site_answers_where_no_route_does(served: Platform, site: Callable[[dict[str, str]], Any]) -> None:
    files = {"index.html": "home", "data": "plain", "docs/index.html": "docs", "a.js": "code", "a.js.gz": "packed"}
    assert sorted(site(files)["written"]) == sorted(f"site/{name}" for name in files)
    served.deploy("web", "data", '"from a script"', "GET /data", "POST /form")

    def ask(path: str, method: str = "GET", **headers: str) -> Response:
        return served.call(method, f"/apps/web{path}", None, {k.replace("_", "-"): v for k, v in headers.items()})

    assert ask("/data").text == "from a script", "a route goes first"
    assert (ask("/").text, ask("/docs/").text, ask("/index.html").text) == ("home", "docs", "home")
    for path, location in (("", "./web/"), ("/docs", "./docs/"), ("/docs?a=b", "./docs/?a=b")):
        moved = ask(path)
        assert (moved.status, moved.headers["location"]) == (302, location)
    packed = ask("/a.js", Accept_Encoding="gzip;q=0.5")
    assert (packed.text, packed.headers["content-encoding"], packed.headers["vary"]) == (
        "packed",
        "gzip",
        "Accept-Encoding",
    )
    assert packed.headers["content-type"] == "text/javascript; charset=utf-8"
    assert ask("/a.js", Accept_Encoding="gzip;q=0").text == "code"
    assert (ask("/form").status, ask("/form", Accept="text/html").text) == (405, "home")
    assert ask("/deep/path", Accept="text/html,*/*").text == "home"
    assert ask("/deep/path.js").status == 404
    assert ask("/index.html", "DELETE").status == 404
    head = ask("/", "HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "4")
    etag = ask("/").headers["etag"]
    assert ask("/", If_None_Match=etag).status == 304
    assert site({"index.html": "new"})["deleted"] == ["site/a.js", "site/a.js.gz", "site/data", "site/docs/index.html"]
    assert (ask("/", If_None_Match=etag).text, ask("/docs/").status) == ("new", 404)
    assert site({"index.html": "new", "404.html": "lost"})["unchanged"] == 1
    lost = ask("/deep/path", Accept="text/html", If_None_Match=f'"{sha256(b"lost").hexdigest()}"', Range="bytes=0-0")
    assert (lost.status, lost.text) == (404, "lost")


def test_deployments_at_one_time_do_not_mix_and_nobody_sees_half_of_one(served: Platform) -> None:
    assert served.api("POST", "/apps", {"name": "race"}).status == 201
    headers = {"Authorization": f"Bearer {served.token}"}
    sites: list[dict[str, str]] = []
    for which in "ab":
        names = ["index.html", *(f"{which}/{number}.html" for number in range(40))]
        contents = {name: f"{which} {name}".encode() for name in names}
        for content in contents.values():
            path = f"/api/v1/apps/race/contents/{sha256(content).hexdigest()}"
            assert served.call("PUT", path, content, headers).status == 201
        sites.append({f"site/{name}": sha256(content).hexdigest() for name, content in contents.items()})

    def deploy(number: int) -> int:
        wanted = sites[number % 2]
        files = [{"path": path.removeprefix("site/"), "sha256": digest} for path, digest in wanted.items()]
        return served.api("POST", "/apps/race/site/deployments", {"files": files}).status

    def there() -> dict[str, str]:
        items = served.api("GET", "/apps/race/files?limit=1000").json["items"]
        return {item["path"]: item["sha256"] for item in items}

    assert deploy(0) == 200
    with ThreadPoolExecutor(4) as pool:
        going = [pool.submit(deploy, number) for number in range(12)]
        while not all(each.done() for each in going):
            assert there() in sites, "a half of one, or a mixture"
        statuses = {each.result() for each in going}
    assert statuses <= {200, 409}, "who loses again and again is told so"
    assert there() in sites


TRAVERSAL = [
    "/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/%2e%2e%2fsecret.txt", "/a/../../secret.txt",
    "/.%2e/secret.txt", "//secret.txt", "/..\\secret.txt", "/..%5csecret.txt", "/secret.txt%00.html", "/%00",
    "/..%c0%afsecret.txt", "/%252e%252e/secret.txt", "/....//secret.txt", "/./../secret.txt",
    "/a/%2e%2e/%2e%2e/secret.txt", "/../../apps/web/../secret.txt", "/../../../etc/passwd", "/%2fetc%2fpasswd",
    "/..;/secret.txt", "/a%2f..%2f..%2fsecret.txt",
]  # fmt: skip


def test_no_request_leads_out_of_a_site(served: Platform, site: Callable[[dict[str, str]], Any]) -> None:
    site({"index.html": "home", "a/b.txt": "b"})
    headers = {"Authorization": f"Bearer {served.token}"}
    assert served.call("PUT", "/api/v1/apps/web/files/secret.txt", b"SECRET", headers).status == 201
    for path in TRAVERSAL:
        with socket.create_connection(("127.0.0.1", served.port)) as connection:
            connection.sendall(
                f"GET /apps/web{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode("latin-1")
            )
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            body = answer.read()
        assert answer.status in (400, 404), f"{path}: {answer.status}"
        assert b"SECRET" not in body
        assert b"root:" not in body


def test_a_removed_app_has_no_site_when_it_is_made_again(served: Platform, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("old")
    served.run("site", "deploy", str(tmp_path), "--app", "gone")
    assert served.call("GET", "/apps/gone/").text == "old"
    assert served.api("DELETE", "/apps/gone").status == 204
    assert served.call("GET", "/apps/gone/").status == 404
    assert served.api("POST", "/apps", {"name": "gone"}).status == 201
    assert served.call("GET", "/apps/gone/").status == 404
    assert served.api("GET", "/apps/gone/site").status == 404


def test_the_projection_is_rebuilt_equal(served: Platform) -> None:
    assert psutil.pid_exists(served.pid)
    done = served.run("projections", "rebuild", "files", "--verify")
    assert "every row was the same" in done.stdout
