"""Scripts that try to keep a real child busy, or to fill its memory, through the platform's own functions.

The child must live, answer others meanwhile, and end the script by one of its limits, if it doesn't just finish.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any, Final

import gevent
import pytest

from picloud.executor.pool import ExecutorPool
from picloud.executor.protocol import Limits, Result, RunRequest
from picloud.services.crypto import Crypto

WALL_MS: Final = 2_000
LONG: Final = "let long = `a`; long.pad(1_000_000, 'a');"


def door(request: RunRequest, service: str, function: str, args: list[Any]) -> Any:
    assert service == "crypto"
    return Crypto().functions[function](None, *args)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def pool() -> Iterator[ExecutorPool]:
    pool = ExecutorPool(door, executors=1, runs=4)
    pool.start()
    yield pool
    pool.stop(0)


def run(pool: ExecutorPool, source: str, **limits: int) -> Result:
    return pool.run(
        RunRequest(
            invocation=hashlib.sha256(source.encode()).hexdigest()[:12],
            sha256=hashlib.sha256(source.encode()).hexdigest(),
            source=lambda: source,
            name="demo/hostile",
            ctx={},
            seed=1,
            now_ms=1_777_636_800_000,
            limits=Limits(**{"wall_ms": WALL_MS, **limits}),
        )
    )


def child(pool: ExecutorPool) -> int:
    (pid,) = pool.pids()
    return pid


@pytest.mark.parametrize(
    ("source", "ends"),
    [
        (f"{LONG} regex::is_match(`(a+)+$`, long + `b`)", ""),
        (f"{LONG} regex::find(`(a|aa)*(b|$)c`, long)", ""),
        (f"{LONG} regex::captures(`((a?){{30}}){{30}}b`, long)", "steps for each of"),
        (f"{LONG} regex::is_match(`(a.{{900}})c`, long)", "smaller repetitions and fewer groups"),
        ("regex::is_match(`((((a{10}){10}){10}){10}){10}`, `a`)", "no pattern"),
        ("regex::is_match(`(\\pL{300}){3}`, `a`)", "no pattern"),
        ("let p = `b`; for n in 0..400 { p = `(a)?` + p; } regex::captures(p, `a`)", "100 groups at most"),
        (
            "let p = ``; for n in 0..90 { p += `()`; } let t = `b`; t.pad(11_000, 'a');"
            "regex::captures(`(?:${p}a)*b`, t + `b`).len()",
            "",
        ),
        ("let p = `(`; p.pad(9_000, '('); regex::is_match(p, `a`)", "no pattern"),
        ("let p = `a`; p.pad(20_000, 'a'); regex::is_match(p, `a`)", "10,000 characters at most"),
        # Each search looks at all that is left: quadratic in any engine.
        (f"{LONG} regex::find_all(`a.*b|a`, long).len()", "WallTimeLimit"),
        (f"{LONG} regex::replace(`a.*b|a`, long, |m| m.text).len()", "WallTimeLimit"),
        (f"{LONG} regex::captures_all(`()()()`, long).len()", "ErrorDataTooLarge|WallTimeLimit"),
        ("loop { regex::is_match(`[a-z]{1,200}${timestamp()}`, `x`); }", "WallTimeLimit"),
        (f"{LONG} regex::replace(`a`, long, long)", "ErrorDataTooLarge"),
        (f"{LONG} regex::replace(`.*`, long, `$0$0$0$0$0$0$0$0$0$0`)", "ErrorDataTooLarge"),
        ("let t = ``; for n in 0..60 { t += `{{#a}}`; } template::render(t, #{})", "more than 50 deep"),
        ("template::render(`{{> p}}`, #{}, #{partials: #{p: `{{> p}}`}})", "more than 50 deep"),
        (
            "let a = []; a.pad(1_000, 1);"
            "template::render(`{{#a}}{{#a}}{{#a}}{{#a}}{{^x}}{{/x}}{{/a}}{{/a}}{{/a}}{{/a}}`, #{a: a})",
            "ErrorTooManyOperations|WallTimeLimit",
        ),
        (
            "let p = ``; p.pad(2_000_000, ' '); let a = []; a.pad(1_000, 1);"
            "template::render(`{{#a}}{{> p}}{{/a}}`, #{a: a}, #{partials: #{p: p}})",
            "ErrorDataTooLarge",
        ),
        ("let t = ``; t.pad(8_000_000, '{'); template::render(t, #{})", "never closed"),
        ("let t = `x`; t.pad(8_000_000, ','); csv::rows(t)", "ErrorDataTooLarge"),
        ("let t = ``; t.pad(8_000_000, '\"'); csv::rows(t).len()", ""),
        ("let t = ``; t.pad(8_000_000, '\\n'); csv::rows(t).len()", "WallTimeLimit|"),
        ("let t = ``; t.pad(8_000_000, '&'); url::parse_query(t)", "ErrorDataTooLarge"),
        ("let t = ``; t.pad(8_000_000, '%'); url::decode(t).len()", "WallTimeLimit|"),
        ("let t = ``; t.pad(8_000_000, 'é'); url::encode(t)", "ErrorDataTooLarge"),
        ("let t = ``; t.pad(8_000_000, '9'); time::parse(t, `%Y`)", "the end is expected at 5"),
        ("let t = ``; t.pad(8_000_000, '9'); try { time::duration(t) } catch { time::format(0, t) }", "500 characters"),
        ("let n = 0; loop { n += 1; time::format(0, `%Y${n}`, `+00:0${n % 10}`); }", "WallTimeLimit"),
        ("loop { try { time::iso(0, `Mars/Olympus`); } catch { } }", "ErrorTooManyOperations|WallTimeLimit"),
        ("loop { log::info(`x`, #{n: 1}); }", "LogLinesLimit"),
        ("let t = ``; t.pad(8_000_000, '['); json::parse(t)", "nested too deeply"),
        ("let t = ``; t.pad(4_000_000, '1'); t.replace(`11`, `1,`); json::parse(`[${t}1]`)", "ErrorDataTooLarge"),
        ("let t = ``; t.pad(8_000_000, '.'); crypto::jwt_decode(t)", "65,536 characters at most"),
    ],
)
def test_a_hostile_script_harms_nobody(pool: ExecutorPool, source: str, ends: str) -> None:
    before = child(pool)
    began = monotonic()
    hostile = gevent.spawn(run, pool, source)
    waits = []
    while not hostile.ready() and monotonic() - began < 20:
        asked = monotonic()
        assert run(pool, "40 + 2").error is None
        waits.append(monotonic() - asked)
        gevent.sleep(0.005)
    result: Result = hostile.get(timeout=1)
    told = f"{result.error.kind}: {result.error.message}" if result.error is not None else ""
    assert any(end in told for end in ends.split("|")) if ends else not told, told
    assert child(pool) == before, "the child had to be replaced"
    assert monotonic() - began < WALL_MS / 1000 + 1
    assert max(waits, default=0) < 0.9, f"others waited {max(waits):.2f} s"


def test_zones_are_handed_over_where_no_file_can_be_opened(pool: ExecutorPool) -> None:
    source = '[time::iso(0, "Asia/Tokyo"), time::is_zone("Europe/Berlin"), time::is_zone("Mars/X")]'
    result = run(pool, source)
    assert result.reply is not None, result.error
    assert result.reply.body == b'["1970-01-01T09:00:00.000+09:00",true,false]'


def test_modules_cost_a_child_little(pool: ExecutorPool) -> None:
    """A Raspberry Pi has four of them."""
    run(pool, "1")
    fields = dict(line.split(":") for line in Path(f"/proc/{child(pool)}/smaps_rollup").read_text().splitlines()[1:])
    private = sum(int(fields[name].split()[0]) for name in ("Private_Dirty", "Private_Clean"))
    assert private < 32 * 1024, f"{private} kB"
