"""Many invocations are called off in parts, also while nodes take them up and end them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import gevent
import pytest

from picloud.domain import lifecycle
from picloud.domain.app import App
from picloud.domain.errors import Invalid, NotFound
from picloud.domain.invocation import Content, Reply, Requested, Trigger, Usage
from picloud.domain.metadata import Metadata
from picloud.log.appender import Appender, Entry, StreamConflict
from picloud.log.listener import Listener
from picloud.log.repository import collect
from picloud.orchestrator.control import Command, Control
from picloud.orchestrator.control.cancellations import MOST_AT_ONCE, Wanted, cancel_many
from picloud.orchestrator.control.catalog_watch import CatalogWatch
from picloud.orchestrator.programs import Programs
from picloud.postgres.sessions import Sessions
from picloud.projections.follower import Follower
from picloud.projections.installation import PROJECTIONS
from picloud.rhai import Limits

NODE = UUID(int=7)
COMMAND = Command(actor="token:ada", request_id=UUID(int=1), correlation_id=UUID(int=1))


@pytest.fixture
def control(fresh_dsn: str, tmp_path: Path) -> Iterator[Control]:
    appender, sessions = Appender(fresh_dsn), Sessions(fresh_dsn, purpose="test")
    appender.start()
    follower = Follower(fresh_dsn, [kind() for kind in PROJECTIONS.values()])
    follower.start()
    app = App.create("demo", at=datetime(2030, 1, 1, tzinfo=UTC))
    appender.append(collect([app], Metadata("demo", "test", uuid4(), uuid4())))
    watch = CatalogWatch(sessions, Listener(fresh_dsn, purpose="test"))
    yield Control(appender, sessions, watch, Programs(tmp_path, Limits()))
    follower.stop()
    appender.stop()
    sessions.close()


def requests(control: Control, count: int, script: str = "hello") -> list[Requested]:
    found = [
        Requested(
            originator_id=uuid4(),
            originator_version=1,
            app="demo",
            script=script,
            number=1,
            sha256="1" * 64,
            trigger=Trigger("api", "ada"),
        )
        for _ in range(count)
    ]
    for start in range(0, count, 1_000):
        part = found[start : start + 1_000]
        control.appender.append([Entry(each, _metadata(each)) for each in part])
    return found


def _metadata(requested: Requested) -> Metadata:
    return Metadata("demo", "test", requested.originator_id, requested.originator_id)


def waiting(control: Control) -> int:
    with control.sessions.session() as session:
        row = session.execute("SELECT count(*) FROM outbox.pending").fetchone()
    assert row is not None
    return int(row[0])


def test_one_request_calls_off_so_many_and_says_that_there_are_more(control: Control) -> None:
    requests(control, MOST_AT_ONCE + 1_500)
    requests(control, 3, script="other")
    wanted = Wanted(app="demo", script="hello")
    seen = cancel_many(control, COMMAND, wanted, reason="no", dry_run=True)
    assert (seen.matching, seen.cancelled, seen.more, len(seen.sample)) == (MOST_AT_ONCE + 1_500, 0, False, 5)
    first = cancel_many(control, COMMAND, wanted, reason="no", dry_run=False)
    assert (first.matching, first.cancelled, first.ended, first.more) == (MOST_AT_ONCE + 1_500, MOST_AT_ONCE, 0, True)
    requests(control, 2)
    rest = Wanted(app="demo", script="hello", up_to=first.up_to)
    last = cancel_many(control, COMMAND, rest, reason="no", dry_run=False)
    assert (last.matching, last.cancelled, last.more) == (1_500, 1_500, False), "what came later isn't meant"
    assert waiting(control) == 5


def test_what_goes_on_meanwhile_is_called_off_all_the_same_and_what_ends_is_counted(control: Control) -> None:
    found = requests(control, 2_000)
    begun: list[UUID] = []
    done: list[UUID] = []

    def take_up() -> None:
        """A node that is as quick as it can: it starts each from the last on, and ends every second one."""
        for number, requested in enumerate(reversed(found)):
            state = lifecycle.evolve(None, requested)
            started = lifecycle.start(state, NODE)
            try:
                control.appender.append([Entry(started, _metadata(requested))])
                begun.append(requested.originator_id)
                if number % 2:
                    ended = lifecycle.succeed(
                        lifecycle.evolve(state, started), Reply(200, [], Content()), usage=Usage(), logs=[]
                    )
                    control.appender.append([Entry(ended, _metadata(requested))])
                    done.append(requested.originator_id)
            except StreamConflict:
                continue

    node = gevent.spawn(take_up)
    result = cancel_many(control, COMMAND, Wanted(app="demo"), reason="enough", dry_run=False)
    node.join()
    assert node.successful()
    assert result.matching - len(done) <= result.cancelled <= 2_000
    assert (result.cancelled + len(done), waiting(control)) == (2_000, 0)
    with control.sessions.session() as session:
        rows = session.execute(
            "SELECT topic, count(*) FROM log.events WHERE topic IN ('Cancelled', 'Succeeded') GROUP BY topic"
        ).fetchall()
    assert dict(rows).get("Cancelled") == result.cancelled
    assert dict(rows).get("Succeeded", 0) == len(done)
    assert begun, "the node got hold of some"


def test_what_can_not_be_called_off_is_refused(control: Control) -> None:
    with pytest.raises(Invalid, match="pending, running, retrying"):
        cancel_many(control, COMMAND, Wanted(app="demo", state="dead"), reason="no", dry_run=True)
    with pytest.raises(NotFound):
        cancel_many(control, COMMAND, Wanted(app="nobody"), reason="no", dry_run=True)
