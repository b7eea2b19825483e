"""What the supervisor says, and to whom."""

from __future__ import annotations

import io
import json
import os

from picloud.supervisor.voice import Voice


def test_a_log_gets_events_with_fields() -> None:
    stream = io.StringIO()
    Voice("auto", stream).say("supervisor.died", "postgres was killed", level="error", service="postgres", status=-9)
    entry = json.loads(stream.getvalue())
    assert entry["timestamp"].endswith("Z")
    del entry["timestamp"]
    assert entry == {
        "level": "error",
        "event": "supervisor.died",
        "service": "postgres",
        "status": -9,
        "message": "postgres was killed",
    }


def test_a_person_gets_sentences() -> None:
    stream = io.StringIO()
    Voice("console", stream).say("supervisor.died", "postgres was killed", service="postgres")
    assert stream.getvalue() == "picloud: postgres was killed\n"


def test_a_reader_that_has_gone_away_is_no_reason_to_fail() -> None:
    read, write = os.pipe()
    os.close(read)
    stream = io.TextIOWrapper(io.FileIO(write, "w"), write_through=True)
    voice = Voice("console", stream)
    voice.say("supervisor.stopped", "stopped")
    voice.show("more")
    stream.close()
