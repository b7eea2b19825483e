"""The pool with real children: room, fairness, limits of time and memory, cancelling, death and replacement."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult, Event
from msgspec import structs

from picloud.executor import process
from picloud.executor.pool import ExecutorDied, ExecutorPool, ServiceError
from picloud.executor.protocol import Result, RunRequest

from .caged_python import answer, python_command, python_request, run_python

BUSY = """
while True:
    sum(range(20_000))
    run.pause()
"""
QUICK = "return 42"


@pytest.fixture
def make_pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ExecutorPool]]:
    monkeypatch.setattr(process, "command", python_command)
    pools: list[ExecutorPool] = []

    def make(door: Callable[..., Any] = lambda *call: None, **settings: int) -> ExecutorPool:
        pool = ExecutorPool(door, **settings)
        pools.append(pool)
        pool.start()
        return pool

    yield make
    for pool in pools:
        pool.stop(0)


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 10) -> None:
    """Let the loop run until ``condition`` holds."""
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, f"not within {seconds} s: {what}"
        gevent.sleep(0.002)


def never(*call: Any) -> None:
    """A door behind which nobody answers."""
    gevent.sleep(3600)


def with_source(request: RunRequest, source: Callable[[], str]) -> RunRequest:
    """The same request whose source is had in another way."""
    return structs.replace(request, source=source)


def begin(pool: ExecutorPool, request: RunRequest) -> gevent.Greenlet:
    """Start a run and return its greenlet once the child has it."""
    before = pool.room()
    running = gevent.spawn(pool.run, request)
    wait_until(lambda: pool.room() < before, "the run has begun")
    return running


def test_a_child_is_ready_quickly_and_small(make_pool: Callable[..., ExecutorPool]) -> None:
    begun = monotonic()
    pool = make_pool()
    assert monotonic() - begun < 1.0
    assert pool.room() == 16
    assert pool.features()["limits"]


def test_results_come_to_who_asked(make_pool: Callable[..., ExecutorPool]) -> None:
    pool = make_pool(executors=2)
    runs = [gevent.spawn(run_python, pool, f"return {n}") for n in range(100)]
    assert [run.get(timeout=10) for run in runs] == list(range(100))
    assert pool.room() == 32


def test_the_source_is_asked_for_once(make_pool: Callable[..., ExecutorPool]) -> None:
    pool = make_pool()
    asked: list[str] = []
    request = python_request("return 1")

    def source() -> str:
        asked.append(request.sha256)
        gevent.sleep(0.01)
        return request.source()

    counted = with_source(request, source)
    assert answer(pool.run(counted)) == 1
    assert answer(pool.run(counted)) == 1
    # These children don't keep Python sources; Rhai's do. Each run asks at most once.
    assert len(asked) <= 2


def test_a_run_whose_source_cannot_be_had_fails_alone_and_gives_its_room_back(
    make_pool: Callable[..., ExecutorPool],
) -> None:
    pool = make_pool()
    request = python_request("return 1")

    def source() -> str:
        raise LookupError("no such source")

    broken = with_source(request, source)
    with pytest.raises(LookupError, match="no such source"):
        pool.run(broken)
    assert pool.room() == 16
    assert run_python(pool, QUICK) == 42


def test_a_short_run_does_not_wait_for_busy_ones(make_pool: Callable[..., ExecutorPool]) -> None:
    pool = make_pool()
    busy = [begin(pool, python_request(BUSY, wall_ms=5_000)) for _ in range(8)]
    try:
        slowest = 0.0
        for _ in range(20):
            begun = monotonic()
            assert run_python(pool, QUICK) == 42
            slowest = max(slowest, monotonic() - begun)
        # Two slices of a busy run are about a millisecond; 8 runs to their end would be 5 s.
        assert slowest < 0.5
    finally:
        gevent.killall(busy)


def test_busy_runs_share_the_child_evenly(make_pool: Callable[..., ExecutorPool]) -> None:
    pool = make_pool()
    counting = """
    import time
    turns, end = 0, time.monotonic() + 0.5
    while time.monotonic() < end:
        sum(range(20_000))
        turns += 1
        run.pause()
    return turns
    """
    runs = [gevent.spawn(run_python, pool, counting) for _ in range(4)]
    turns = [run.get(timeout=10) for run in runs]
    assert min(turns) > max(turns) / 2, turns


def test_a_run_over_its_wall_time_ends_with_an_error_that_names_the_limit(
    make_pool: Callable[..., ExecutorPool],
) -> None:
    result = make_pool().run(python_request(BUSY, wall_ms=100))
    assert result.error is not None
    assert result.error.kind == "WallTimeLimit"
    assert "100 ms" in result.error.message
    assert 100_000 <= result.wall_us < 1_000_000
    assert 0 < result.cpu_us <= result.wall_us


def test_a_run_that_waits_for_a_service_ends_at_its_wall_time_too(make_pool: Callable[..., ExecutorPool]) -> None:
    ended: AsyncResult = AsyncResult()

    def door(*call: Any) -> None:
        try:
            gevent.sleep(60)
        finally:
            ended.set(True)

    pool = make_pool(door)
    result = pool.run(python_request("return run.call('kv', 'get', ['x'])", wall_ms=100))
    assert result.error is not None
    assert result.error.kind == "WallTimeLimit"
    assert result.wall_us < 1_000_000
    assert ended.get(timeout=5), "the service call goes on though nobody wants its answer"


def test_a_sleeping_run_lets_others_run_and_ends_at_its_wall_time(make_pool: Callable[..., ExecutorPool]) -> None:
    pool = make_pool()
    begun = monotonic()
    sleepers = [gevent.spawn(pool.run, python_request("run.sleep(0.2)\nreturn 1")) for _ in range(8)]
    assert run_python(pool, QUICK) == 42
    assert monotonic() - begun < 0.2
    results = [sleeper.get(timeout=5) for sleeper in sleepers]
    assert [answer(result) for result in results] == [1] * 8
    assert all(200_000 <= result.wall_us < 1_000_000 for result in results)
    assert sum(result.cpu_us for result in results) < 100_000
    result = pool.run(python_request("run.sleep(60)", wall_ms=100))
    assert result.error is not None
    assert result.error.kind == "WallTimeLimit"


def test_a_run_over_the_memory_limit_ends_with_an_error_and_others_go_on(
    make_pool: Callable[..., ExecutorPool],
) -> None:
    gate = Event()
    pool = make_pool(lambda *call: gate.wait(), memory_mb=128)
    pid = pool.pids()
    other = begin(pool, python_request("return run.call('kv', 'get', ['x'])"))
    hoard = """
    kept = []
    while True:
        kept.append(bytearray(1_000_000))
        run.pause()
    """
    result = pool.run(python_request(hoard))
    assert result.error is not None
    assert result.error.kind == "MemoryLimit"
    assert "128 MB" in result.error.message
    gate.set()
    assert answer(other.get(timeout=5)) is True
    assert pool.pids() == pid
    assert run_python(pool, "return len(bytearray(90_000_000))") == 90_000_000, "the memory wasn't given back"


def test_a_child_that_cannot_give_memory_back_is_replaced_between_runs(make_pool: Callable[..., ExecutorPool]) -> None:
    pool = make_pool(memory_mb=128)
    (pid,) = pool.pids()
    leak = "import sys; sys.leaked = bytearray(110_000_000); run.pause(); run.pause(); return 'ended'"
    result = pool.run(python_request(leak))
    assert result.error is not None
    assert result.error.kind == "MemoryLimit"
    wait_until(lambda: pool.pids() not in ([pid], []) and pool.room() == 16, "another child is ready")
    assert run_python(pool, "return len(bytearray(80_000_000))") == 80_000_000


def test_one_huge_value_ends_its_run_with_the_memory_limit(make_pool: Callable[..., ExecutorPool]) -> None:
    pool = make_pool(memory_mb=128)
    result = pool.run(python_request("return len('x' * (1 << 30))"))
    # The test's script catches Exception, which MemoryError is; a Rhai script can't.
    assert answer(result)["raised"] == "MemoryError"
    assert run_python(pool, QUICK) == 42


def test_a_cancelled_run_ends_whether_it_computes_or_waits(make_pool: Callable[..., ExecutorPool]) -> None:
    pool = make_pool(never)
    for body in (BUSY, "return run.call('kv', 'get', ['x'])"):
        request = python_request(body)
        running = begin(pool, request)
        assert pool.cancel(request.invocation, "by the owner")
        result = running.get(timeout=5)
        assert (result.error.kind, result.error.message) == ("Cancelled", "by the owner")
    assert not pool.cancel("unknown", "by the owner")


def test_a_run_that_is_cancelled_while_its_source_is_looked_for_ends(make_pool: Callable[..., ExecutorPool]) -> None:
    pool = make_pool()
    request = python_request(BUSY)

    def source() -> str:
        assert pool.cancel(request.invocation, "too late")
        gevent.sleep(0.01)
        return request.source()

    result = pool.run(with_source(request, source))
    assert result.error is not None
    assert (result.error.kind, result.error.message) == ("Cancelled", "too late")


def test_a_run_whose_greenlet_is_killed_ends_in_the_child(make_pool: Callable[..., ExecutorPool]) -> None:
    pool = make_pool(runs=1)
    begin(pool, python_request(BUSY)).kill()
    wait_until(lambda: pool.room() == 1, "the room is free again")
    assert run_python(pool, QUICK) == 42


def test_with_no_room_a_run_waits_for_some(make_pool: Callable[..., ExecutorPool]) -> None:
    pool = make_pool(runs=1)
    request = python_request(BUSY)
    busy = begin(pool, request)
    waiting = gevent.spawn(run_python, pool, QUICK)
    gevent.idle()
    assert pool.room() == 0
    assert not waiting.ready()
    pool.cancel(request.invocation, "make room")
    assert waiting.get(timeout=5) == 42
    busy.join()


def test_a_killed_child_loses_its_runs_and_is_replaced(make_pool: Callable[..., ExecutorPool]) -> None:
    pool = make_pool(never)
    running = [begin(pool, python_request("run.call('kv', 'get', ['x'])")) for _ in range(2)]
    running.append(begin(pool, python_request(BUSY)))
    (pid,) = pool.pids()
    os.kill(pid, signal.SIGKILL)
    for run in running:
        with pytest.raises(ExecutorDied) as died:
            run.get(timeout=5)
        assert died.value.kind == "crashed"
        assert "SIGKILL" in died.value.reason or "exit status" in died.value.reason
    wait_until(lambda: pool.room() == 16, "another child is ready")
    assert pool.pids() != [pid]
    assert run_python(pool, QUICK) == 42
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_child_that_crashes_is_replaced(make_pool: Callable[..., ExecutorPool]) -> None:
    pool = make_pool()
    for _ in range(3):
        with pytest.raises(ExecutorDied) as died:
            run_python(pool, "ctypes.string_at(0)")
        assert died.value.kind == "crashed"
        assert run_python(pool, QUICK) == 42


def test_a_stuck_child_is_killed_and_replaced(make_pool: Callable[..., ExecutorPool]) -> None:
    pool = make_pool(never)
    run_python(pool, QUICK)
    begun = monotonic()
    innocent = begin(pool, python_request("return run.call('kv', 'get', ['x'])", wall_ms=60_000))
    with pytest.raises(ExecutorDied) as died:
        pool.run(python_request("while True: pass", wall_ms=100))
    assert died.value.kind == "stuck"
    assert 1.1 <= monotonic() - begun < 3
    with pytest.raises(ExecutorDied) as died:
        innocent.get(timeout=5)
    assert died.value.kind == "crashed"
    assert run_python(pool, QUICK) == 42


def test_a_child_that_speaks_nonsense_is_killed_and_replaced(make_pool: Callable[..., ExecutorPool]) -> None:
    pool = make_pool()
    with pytest.raises(ExecutorDied, match="no message of this protocol"):
        run_python(pool, "os.write(3, b'\\x00\\x00\\x00\\x01\\xc1'); run.call('kv', 'x', [])")
    assert run_python(pool, QUICK) == 42


def test_a_service_answers_through_the_door(make_pool: Callable[..., ExecutorPool]) -> None:
    calls: list[tuple[str, str, list[Any]]] = []

    def door(request: RunRequest, service: str, function: str, args: list[Any]) -> Any:
        calls.append((service, function, args))
        gevent.sleep(0.001)
        return {"of": request.name, "value": args}

    pool = make_pool(door)
    value = run_python(pool, "return [run.call('kv', 'get', [n]) for n in range(3)]")
    assert value == [{"of": "test/python", "value": [n]} for n in range(3)]
    assert calls == [("kv", "get", [n]) for n in range(3)]


@pytest.mark.parametrize(
    ("door", "told"),
    [
        ("refuse", "the key is too long"),
        ("fail", "kv::get failed inside the platform"),
        ("unspeakable", "Answer can't be sent"),
    ],
)
def test_a_call_that_is_refused_is_an_error_in_the_script(
    make_pool: Callable[..., ExecutorPool], door: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gevent.get_hub(), "print_exception", lambda *args, **kwargs: None)

    def answers(*call: Any) -> Any:
        if door == "refuse":
            raise ServiceError("the key is too long")
        if door == "fail":
            raise ZeroDivisionError("a secret of the platform")
        return object()

    answer = run_python(make_pool(answers), "return run.call('kv', 'get', ['x'])")
    assert answer["raised"] == "CallRefused"
    assert told in answer["message"]
    assert "secret" not in answer["message"]


def test_lines_come_with_the_result_and_with_the_death(make_pool: Callable[..., ExecutorPool]) -> None:
    pool = make_pool()
    many = """
    import time
    for n in range(300):
        run.log("print", f"line {n}", line=n)
        time.sleep(0.0005)
        run.pause()
    return 1
    """
    result: Result = pool.run(python_request(many))
    assert [(line.seq, line.message) for line in result.logs] == [(n, f"line {n}") for n in range(300)]
    with pytest.raises(ExecutorDied) as died:
        run_python(pool, many.replace("return 1", "ctypes.string_at(0)"))
    assert [line.message for line in died.value.logs][:100] == [f"line {n}" for n in range(100)]


def test_lines_over_the_limit_end_the_run_and_long_ones_are_cut(make_pool: Callable[..., ExecutorPool]) -> None:
    pool = make_pool()
    result = pool.run(python_request("while True: run.log('print', 'x')", log_lines=10))
    assert result.error is not None
    assert result.error.kind == "LogLinesLimit"
    assert "10 lines" in result.error.message
    assert len(result.logs) == 10
    result = pool.run(python_request("run.log('print', 'ä' * 1000)", log_line_bytes=101))
    assert result.logs[0].message == "ä" * 50 + "… (cut, 2000 bytes in all)"


def test_stopping_waits_for_runs_in_flight_and_then_ends_them(make_pool: Callable[..., ExecutorPool]) -> None:
    pool = make_pool(lambda *call: gevent.sleep(0.05))
    ending = begin(pool, python_request("run.call('kv', 'x', []); return 'ended'"))
    endless = begin(pool, python_request(BUSY))
    pids = pool.pids()
    pool.stop(0.5)
    assert answer(ending.get(timeout=1)) == "ended"
    with pytest.raises(ExecutorDied) as died:
        endless.get(timeout=1)
    assert died.value.kind == "stopped"
    assert pool.room() == 0
    with pytest.raises(ExecutorDied, match="being stopped"):
        run_python(pool, QUICK)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_child_that_cannot_start_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "command", lambda memory_mb: ["/nonexistent/python"])
    pool = ExecutorPool(lambda *call: None)
    with pytest.raises(ExecutorDied, match="can't start"):
        pool.start()


def test_an_idle_pool_does_not_wake(make_pool: Callable[..., ExecutorPool]) -> None:
    pool = make_pool()
    run_python(pool, QUICK, wall_ms=10)
    gevent.sleep(1.1)
    hub = gevent.get_hub()
    iterations = hub.loop.iteration
    woken = _wakes(pool.pids()[0])
    gevent.sleep(0.5)
    assert hub.loop.iteration - iterations <= 2, "the parent woke"
    assert _wakes(pool.pids()[0]) == woken, "the child woke"


def _wakes(pid: int) -> str:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(line for line in status.splitlines() if line.startswith("voluntary_ctxt_switches"))


PATCHED = """
from gevent import monkey; monkey.patch_all()
import gevent, os, signal, subprocess, sys
sys.path.insert(0, sys.argv[1])
from caged_python import python_command, python_request, run_python
from picloud.executor import process
from picloud.executor.pool import ExecutorDied, ExecutorPool
process.command = python_command
pool = ExecutorPool(lambda request, service, function, args: args, executors=2)
pool.start()
assert [run.get() for run in [gevent.spawn(run_python, pool, f"return {n}") for n in range(64)]] == list(range(64))
assert run_python(pool, "return run.call('kv', 'get', [1])") == [1]
# gevent's own handling of SIGCHLD reaps whatever ended.
assert subprocess.run(["true"]).returncode == 0
killed = pool.pids()
for pid in killed:
    os.kill(pid, signal.SIGKILL)
while pool.room() < 32 or set(pool.pids()) & set(killed):
    gevent.sleep(0.01)
assert run_python(pool, "return 'again'") == "again"
pool.stop(1)
print("all well")
"""


def test_it_works_in_a_process_that_gevent_has_patched() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PATCHED, str(Path(__file__).parent)], capture_output=True, text=True, timeout=30
    )
    assert ran.stdout == "all well\n", ran.stderr


def test_children_die_with_their_parent() -> None:
    started = PATCHED.partition("pool.start()")[0] + "pool.start(); print(*pool.pids(), flush=True); gevent.sleep(60)"
    arguments = [sys.executable, "-c", started, str(Path(__file__).parent)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
    assert len(pids) == 2
    wait_until(lambda: not any(_lives(pid) for pid in pids), "the children are gone")


def _lives(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
