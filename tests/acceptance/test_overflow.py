"""More calls at a time than a node has room for: the rest goes through the outbox, to any node, and is answered too."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.acceptance.platform import Platform

CALLS = 200


def test_calls_beyond_the_room_are_answered_whoever_runs_them(data: Path) -> None:
    with Platform(data, runs="1") as platform:
        platform.deploy("busy", "hello", "ctx.request.params.n", "GET /hello/{n}")
        with ThreadPoolExecutor(40) as pool:
            began = time.monotonic()
            answers = list(pool.map(lambda n: platform.call("GET", f"/apps/busy/hello/{n}"), range(CALLS)))
            slowest = time.monotonic() - began
        assert [answer.text for answer in answers] == [str(n) for n in range(CALLS)]
        ids = [answer.headers["picloud-invocation"] for answer in answers]
        wholes = [platform.api("GET", f"/invocations/{invocation}").json for invocation in ids]
    nodes = {whole["attempts"][0]["node"] for whole in wholes}
    assert len(nodes) == 2, "both workers took part"
    apart = [w for w in wholes if w["events"][0]["at"] != w["events"][1]["at"]]
    assert apart, "none went through the outbox: the test made too little load"
    assert slowest < 25, "an answer waited for the safety look, not for its wake-up"
