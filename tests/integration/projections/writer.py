"""A process that appends whole lives of invocations from several greenlets: ``writer.py DSN INVOCATIONS SEED``.

It prints a line when it begins and ends with the number of invocations that the log acknowledged.
"""

from gevent import monkey

monkey.patch_all()

import random  # noqa: E402
import sys  # noqa: E402
from datetime import UTC, datetime  # noqa: E402
from uuid import UUID  # noqa: E402

import gevent  # noqa: E402

from picloud.domain import lifecycle  # noqa: E402
from picloud.domain.invocation import (  # noqa: E402
    Content,
    Failure,
    HttpInput,
    InvocationEvent,
    LogLine,
    Reply,
    Requested,
    RunError,
    Trigger,
    Usage,
)
from picloud.domain.metadata import Metadata  # noqa: E402
from picloud.log.appender import Appender, Entry  # noqa: E402

GREENLETS = 4
NODE = UUID(int=42)
START = datetime(2030, 1, 1, tzinfo=UTC)


def main(dsn: str, invocations: int, seed: int) -> None:
    appender = Appender(dsn)
    appender.start()
    chance = random.Random(seed)
    print("writing", flush=True)
    share = [invocations // GREENLETS] * GREENLETS
    gevent.joinall([gevent.spawn(client, appender, chance, count) for count in share], raise_error=True)
    appender.stop()
    print(sum(share), flush=True)


def client(appender: Appender, chance: random.Random, count: int) -> None:
    for _ in range(count):
        live(appender, chance)


def live(appender: Appender, chance: random.Random) -> None:
    """One invocation: accepted and started at once, then, apart, its end, which is a success or a death."""
    stream = UUID(int=chance.getrandbits(128), version=4)
    metadata = Metadata("demo", "test", stream, stream)
    requested = Requested(
        originator_id=stream,
        originator_version=1,
        app="demo",
        script="hello",
        number=1,
        sha256="ab" * 32,
        trigger=Trigger("http", "GET /"),
        input=HttpInput("GET", "/", {}, {}, {}, Content()),
    )
    state = lifecycle.evolve(None, requested)
    started = lifecycle.start(state, NODE)
    appender.append([Entry(requested, metadata), Entry(started, metadata)], timeout=None)
    gevent.sleep(chance.random() * 0.01)
    state = lifecycle.evolve(state, started)
    usage, logs = Usage(duration_us=1_000, operations=7), [LogLine("info", "hello", 1)]
    events: list[InvocationEvent] = []
    if chance.random() < 0.8:
        reply = Reply(200, [], Content(text="hello"))
        events.append(lifecycle.succeed(state, reply, usage=usage, logs=logs))
    else:
        failure = Failure(error=RunError("Thrown", "no"), usage=usage, logs=logs)
        events.extend(lifecycle.fail(state, failure, now=START, random=0.0))
    appender.append([Entry(event, metadata) for event in events], timeout=None)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
