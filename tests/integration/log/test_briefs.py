"""What is read in brief says the same as the whole streams."""

from __future__ import annotations

from uuid import uuid4

from picloud.domain.invocation import State
from picloud.log.appender import Appender
from picloud.log.briefs import read_briefs
from picloud.log.repository import load_invocation_with_metadata
from picloud.postgres.sessions import connect

from ..projections.history import History


def test_briefs_say_of_a_random_past_what_the_streams_say(fresh_dsn: str) -> None:
    appender = Appender(fresh_dsn)
    appender.start()
    history = History(seed=11)
    history.append_to(appender, 1_500)
    appender.stop()
    known = [state.id for state in history.invocations]
    replays: dict[object, list[object]] = {}
    for state in history.invocations:
        replays.setdefault(state.requested.replay_of, []).append(state.id)
    with connect(fresh_dsn, purpose="test") as session:
        other = [script.id for script in history.scripts.values()]
        briefs = read_briefs(session, [*known, *other, uuid4()])
        assert set(briefs) == set(known)
        for invocation, brief in briefs.items():
            loaded = load_invocation_with_metadata(session, invocation)
            assert loaded is not None
            state, metadata = loaded
            found = brief.invocation
            assert (found.state, found.version, found.discarded) == (state.state, state.version, state.discarded)
            assert (found.requested, brief.metadata) == (state.requested, metadata)
            assert sorted(brief.replays) == sorted(replays.get(invocation, []))
    assert {brief.invocation.state for brief in briefs.values()} == {*State}, "every state was there"
    assert any(brief.replays for brief in briefs.values())
    assert any(brief.invocation.discarded for brief in briefs.values())
