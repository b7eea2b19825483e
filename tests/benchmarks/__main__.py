"""``python -m tests.benchmarks [--quick] [--write] [NAME …]``: measure, print, and keep docs/benchmarks.md true."""

from __future__ import annotations

import argparse
import os
import platform as machine
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from tests.acceptance.platform import Platform, free_port
from tests.benchmarks import collections, files, history, keys, outbox, processes, schedules
from tests.benchmarks.client import Measured, drive, request_bytes
from tests.benchmarks.report import Report
from tests.benchmarks.rhai import page

ROOT = Path(__file__).parents[2]
HELLO = "#{ message: `Hello, ${ctx.request.params.name}!` }"
HELLO_NOBODY = '"Hello!"'


class Bench:
    """One run: a platform, the yardstick beside it, and what was found."""

    def __init__(self, *, quick: bool) -> None:
        self.seconds = 2.0 if quick else 5.0
        self.rounds = 1 if quick else 3
        self.idle_seconds = 10.0 if quick else 60.0
        self.events = 60_000 if quick else 300_000
        self.letters = 10_000
        self.messages = 2_000 if quick else 10_000
        self.file_mib = 64 if quick else 256
        self.report = Report()

    @contextmanager
    def platform(self) -> Iterator[Platform]:
        """A platform with default settings on two workers."""
        folder = Path(tempfile.mkdtemp(prefix="picloud-bench-"))
        try:
            with Platform(folder, log_level="warning") as running:
                running.deploy("bench", "outbox", HELLO, "GET /outbox/{name}")
                running.deploy("bench", "outcome", HELLO, "GET /outcome/{name}", durability="outcome")
                yield running
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def start(self) -> None:
        """Cold and warm start, idle CPU, memory after the start."""
        folder = Path(tempfile.mkdtemp(prefix="picloud-bench-"))
        running = Platform(folder, log_level="warning")
        cold = running.start()
        running.stop()
        warm = running.start()
        sizes = processes.proportional_megabytes(running.pid)
        idle = processes.idle_cpu(running.pid, self.idle_seconds)
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)
        self.report.add("first start to ready", f"{cold:.2f} s")
        self.report.add("`picloud up` warm to ready", f"{warm:.2f} s", "under 3 s", warm < 3)
        scaled = idle["picloud"] * 60 / self.idle_seconds
        self.report.add("idle CPU in 60 s, without PostgreSQL", f"{scaled:.3f} s", "at most 0.1 s", scaled <= 0.1)
        self.report.add("idle CPU in 60 s, PostgreSQL", f"{idle['postgres'] * 60 / self.idle_seconds:.3f} s")
        total = sum(sizes.values())
        parts = ", ".join(f"{kind} {size:.0f}" for kind, size in sorted(sizes.items()))
        self.report.add(f"proportional memory after start ({parts})", f"{total:.0f} MB", "at most 180 MB", total <= 180)

    def requests(self) -> None:
        """Durable synchronous requests against bare Falcon, in turns within each round."""
        with self.platform() as running, _yardstick() as port:
            targets: list[tuple[str, int, bytes]] = [
                ("bare Falcon", port, request_bytes("GET", "/hello/ada")),
                ("outbox", running.port, request_bytes("GET", "/apps/bench/outbox/ada")),
                ("outcome", running.port, request_bytes("GET", "/apps/bench/outcome/ada")),
            ]
            for _, target, request in targets:
                drive(target, request, connections=8, seconds=1.0)
            for connections in (1, 16, 64):
                found: dict[str, list[Measured]] = {name: [] for name, _, _ in targets}
                for _ in range(self.rounds):
                    for name, target, request in targets:
                        found[name].append(drive(target, request, connections=connections, seconds=self.seconds))
                self._compare(connections, found)

    def _compare(self, connections: int, found: dict[str, list[Measured]]) -> None:
        wanted = {("outbox", 64): 0.35, ("outcome", 64): 0.50}
        for name, rounds in found.items():
            rate = median(m.per_second for m in rounds)
            p50, p99 = median(m.p50 for m in rounds), median(m.p99 for m in rounds)
            failed = sum(m.failed for m in rounds)
            ratio = median(m.per_second / b.per_second for m, b in zip(rounds, found["bare Falcon"], strict=True))
            text = f"{rate:,.0f} /s, p50 {p50:.2f} ms, p99 {p99:.2f} ms, {ratio:.2f} of bare Falcon"
            if failed:
                text += f", {failed} FAILED"
            target = wanted.get((name, connections))
            if target is not None:
                self.report.add(f"{name}, {connections} connections", text, f"at least {target}", ratio >= target)
            elif connections == 1 and name != "bare Falcon":
                self.report.add(f"{name}, 1 connection", text, "p50 under 5 ms", p50 < 5)
            else:
                self.report.add(f"{name}, {connections} connections", text)

    def kv(self) -> None:
        """What keys cost within a run: many in one, and twenty beside none, in turns."""
        with self.platform() as running:
            for name, source in keys.SCRIPTS.items():
                running.deploy("bench", f"kv-{name}", source, f"GET /kv-{name}/{{who}}")
            calls = {name: request_bytes("GET", f"/apps/bench/kv-{name}/ada") for name in keys.SCRIPTS}
            for request in calls.values():
                drive(running.port, request, connections=2, seconds=0.5)
            for name in ("reads", "writes"):
                rounds = [
                    drive(running.port, calls[name], connections=4, seconds=self.seconds) for _ in range(self.rounds)
                ]
                rate = median(m.per_second for m in rounds) * keys.MANY
                alone = drive(running.port, calls[name], connections=1, seconds=self.seconds).p50 / keys.MANY * 1000
                self.report.add(f"kv::, {name} in scripts", f"{rate:,.0f} /s, {alone:.0f} µs each in a run alone")
            found: dict[str, list[Measured]] = {"none": [], "twenty": [], "counters": []}
            for _ in range(self.rounds * 2):
                for name, rounds in found.items():
                    rounds.append(drive(running.port, calls[name], connections=1, seconds=self.seconds))
            none = median(m.p50 for m in found["none"])
            for name, said in (("twenty", "kv::set"), ("counters", "kv::incr")):
                ratio = median(m.p50 / n.p50 for m, n in zip(found[name], found["none"], strict=True))
                text = f"{ratio:.2f} times ({median(m.p50 for m in found[name]):.2f} ms and {none:.2f} ms)"
                self.report.add(f"a run with 20 {said} beside one with none", text, "at most 2 times", ratio <= 2)

    def files(self) -> None:
        """A file up and down, in one stream and in four, and parts of it."""
        with self.platform() as running:
            size = self.file_mib
            files.upload(running, "warm", 1)
            rates: dict[str, list[float]] = {name: [] for name in ("up", "again", "down")}
            for number in range(self.rounds):
                rates["up"].append(files.upload(running, f"new-{number}", size))
                rates["again"].append(files.upload(running, f"new-{number}", size))
                rates["down"].append(files.download(running, f"new-{number}", size))
            said = {"up": "upload", "again": "upload of what is there", "down": "download"}
            for name, found in rates.items():
                self.report.add(f"files, {said[name]} of {size} MiB", f"{median(found):,.0f} MB/s")
            together = files.downloads(running, "new-0", size, 4)
            self.report.add(f"files, 4 downloads of {size} MiB at once", f"{together:,.0f} MB/s")
            parts = drive(running.port, files.part_request(running, "new-0", size), connections=4, seconds=self.seconds)
            self.report.add("files, ranges of 1 KiB", f"{parts.per_second:,.0f} /s, p50 {parts.p50:.2f} ms")

    def docs(self) -> None:
        """Documents: found by index among a hundred thousand, read and inserted, from within scripts."""
        with self.platform() as running:
            rate = collections.write_orders(running.dsn, "bench")
            self.report.add("documents appended, 1,000 in a commit", f"{rate:,.0f} /s")
            seconds = collections.index_seconds(running, "bench", ["status", "total"], ["total"])
            self.report.add(f"two indexes on {collections.COUNT:,} documents, made beside readers", f"{seconds:.1f} s")
            for name, source in collections.SCRIPTS.items():
                running.deploy("bench", name, source, f"POST /docs/{name}")
            for name, said in (
                ("none", "a run without documents"),
                ("by-index", "find by an equality, sorted, 10 of 100"),
                ("range", "find by a range, sorted, 10 of half of them"),
                ("get", "get by id"),
                ("insert", "insert"),
                ("insert-many", "insert 100 in a run"),
            ):
                request = request_bytes("POST", f"/apps/bench/docs/{name}")
                drive(running.port, request, connections=4, seconds=1.0)
                for connections in (1, 16):
                    found = drive(running.port, request, connections=connections, seconds=self.seconds)
                    failed = f", {found.failed} FAILED" if found.failed else ""
                    text = f"{found.per_second:,.0f} runs/s, p50 {found.p50:.2f} ms, p99 {found.p99:.2f} ms{failed}"
                    self.report.add(f"{said}, {connections} at a time", text)

    def asynchronous(self) -> None:
        """Asynchronous invocations: from the first request to the last outcome."""
        with self.platform() as running:
            request = request_bytes("GET", "/apps/bench/outbox/ada", headers="Prefer: respond-async\r\n")
            drive(running.port, request, connections=8, seconds=0.5)
            history.wait_settled(running.dsn)
            began = time.perf_counter()
            before = history.succeeded(running.dsn)
            accepted = drive(running.port, request, connections=16, seconds=self.seconds * 2)
            history.wait_settled(running.dsn)
            elapsed = time.perf_counter() - began
            rate = (history.succeeded(running.dsn) - before) / elapsed
        self.report.add("asynchronous, accepted", f"{accepted.per_second:,.0f} /s, p50 {accepted.p50:.2f} ms")
        self.report.add("asynchronous, run to their end", f"{rate:,.0f} /s", "at least 2,000 /s", rate >= 2000)

    def wake(self) -> None:
        """From an append on one node to the start on another, by the database's clock."""
        with self.platform() as running:
            latencies = history.wake_latencies(running.dsn, "bench", "outbox", count=300)
        p50, p99 = latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)]
        text = f"p50 {p50:.2f} ms, p99 {p99:.2f} ms"
        self.report.add("wake, append on one node to start on another", text, "p50 under 4 ms", p50 < 4)

    def fan_out(self) -> None:
        """One message to 1, 10 and 100 subscribers."""
        with self.platform() as running:
            for subscribers in (1, 10, 100):
                outbox.subscribe(running, subscribers)
                messages = max(10, self.messages // 4 // subscribers)
                each, done = outbox.publish_seconds(running, subscribers, messages)
                text = f"{each:.1f} ms to publish, {messages * subscribers / done:,.0f} runs/s to their end"
                self.report.add(f"topic, {subscribers} subscribers", text)

    def queues(self) -> None:
        """Messages of a queue, one by one and in batches, to their end."""
        with self.platform() as running:
            running.deploy("bench", "empty", outbox.EMPTY)
            for name, config, flow in (
                ("single", {}, {"concurrency": 64}),
                ("ten", {}, {}),
                ("batched", {"batch": 50, "batch_wait": "50ms"}, {"concurrency": 8}),
            ):
                content = {"kind": "queue", "script": "empty", "config": config, "flow": flow}
                assert running.api("PUT", f"/apps/bench/triggers/{name}", content).status == 200
            for name, said in (
                ("single", "64 runs at a time"),
                ("ten", "10 runs at a time"),
                ("batched", "batches of 50"),
            ):
                rate = self.messages / outbox.queue_seconds(running, name, self.messages)
                self.report.add(f"queue, {said}", f"{rate:,.0f} messages/s sent and run to their end")

    def pending(self) -> None:
        """What a hundred thousand invocations that wait cost those that don't."""
        count = 100_000
        with self.platform() as running:
            running.deploy("bench", "slow", "let n = 0; while n < 2000 { n += 1; } n")
            running.deploy("new", "outbox", HELLO_NOBODY)
            alone = median(outbox.first_run_beside(running, 0, "new") for _ in range(5))
            # No node is to take them while claims are measured.
            for process in (*running.processes("gunicorn"), *running.processes("worker")):
                process.suspend()
            try:
                for due, said in ((False, "later"), (True, "due, of another app")):
                    claim, select = outbox.claims_beside(running.dsn, count, due=due, rounds=200)
                    text = f"{claim:.2f} ms, {claim / select:.1f} times SELECT 1"
                    self.report.add(f"claim of one beside {count:,} {said}", text, "under 2 ms", claim < 2)
            finally:
                for process in (*running.processes("gunicorn"), *running.processes("worker")):
                    process.resume()
            beside = median(outbox.first_run_beside(running, 10_000, "new") for _ in range(5))
        text = f"{beside:.1f} ms, {alone:.1f} ms without them"
        self.report.add("first run of an app beside 10,000 of another", text, "under 50 ms more", beside - alone < 50)

    def replays(self) -> None:
        """A job over dead letters without a rate: until all were asked for, and until all were run."""
        with self.platform() as running:
            history.write_dead_letters(running.dsn, self.letters)
            asked, ended = history.replay_seconds(running, self.letters)
        text = f"{self.letters / asked:,.0f} /s asked for, {self.letters / ended:,.0f} /s run to their end"
        self.report.add(f"bulk replay of {self.letters:,}", f"{text}, {ended:.1f} s in all")

    def rebuild(self) -> None:
        """Rebuild of the invocations projection against reading the same rows raw."""
        with self.platform() as running:
            history.write_invocations(running.dsn, self.events)
            raw = history.raw_read_rate(running.dsn)
            rate = history.rebuild_rate(running)
        text = f"{rate:,.0f} events/s, {rate / raw:.2f} of reading the same rows raw"
        self.report.add("rebuild of invocations", text, "at least 50,000 /s", rate >= 50_000)

    def cron(self) -> None:
        """10,000 schedules: taken on by a new leader, waiting, and all due at once."""
        count = 10_000
        with self.platform() as running:
            running.deploy("bench", schedules.SCRIPT, outbox.EMPTY)
            due = schedules.write_schedules(running.dsn, count)
            leader = running.some("manager")[0]
            leader.kill()
            leader.wait()
            manager = running.some("manager")[0]
            loaded = schedules.cpu_until_quiet(manager)
            idle = processes.idle_cpu(manager.pid, self.idle_seconds)["picloud"] * 60 / self.idle_seconds
            self.report.add(f"a new leader takes {count:,} schedules on, CPU", f"{loaded:.2f} s")
            text = f"{idle:.3f} s"
            self.report.add(f"idle CPU of the manager in 60 s, {count:,} schedules", text, "under 0.1 s", idle < 0.1)
            first, last, done = schedules.firing(running.dsn, due, count)
        text = f"the first after {first:.2f} s, the last after {last:.2f} s, all run after {done:.2f} s"
        self.report.add(f"{count:,} schedules due at once, fired", text)


@contextmanager
def _yardstick() -> Iterator[int]:
    port = free_port()
    environment = {**os.environ, "BENCH_PORT": str(port), "BENCH_WORKERS": "2"}
    command = [sys.executable, "-m", "gunicorn", "-c", "python:tests.benchmarks.hello_server"]
    server = subprocess.Popen(command, env=environment, cwd=ROOT)
    end = time.monotonic() + 20
    while True:
        try:
            drive(port, request_bytes("GET", "/hello/ada"), connections=1, seconds=0.01)
            break
        except OSError:
            assert time.monotonic() < end, "the bare Falcon server didn't start"
            time.sleep(0.05)
    try:
        yield port
    finally:
        server.terminate()
        server.wait(20)


def main() -> int:
    """Run what was asked for; return the exit code."""
    names = (
        "start",
        "requests",
        "kv",
        "files",
        "docs",
        "asynchronous",
        "wake",
        "fan_out",
        "queues",
        "pending",
        "replays",
        "rebuild",
        "cron",
    )
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("names", nargs="*", choices=[*names, []], help="what to measure (default: everything)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the time, for a first look")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    arguments = parser.parse_args()
    bench = Bench(quick=arguments.quick)
    for name in arguments.names or names:
        measure: Callable[[], None] = getattr(bench, name)
        print(f"— {name}", flush=True)
        measure()
    if arguments.write:
        about = f"{os.cpu_count()} cores, {machine.machine()}, Python {machine.python_version()}"
        text = bench.report.markdown(f"{datetime.now(UTC):%Y-%m-%d}", about)
        page.PAGE.write_text(text + page.kept())
    return 0


if __name__ == "__main__":
    sys.exit(main())
