"""A minute of everything at once, while everything is killed. ``make soak`` does it for longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.mix import told
from tests.soak.run import soak

SECONDS = 60.0


@pytest.mark.slow
def test_a_minute_of_kills_under_every_kind_of_load_breaks_no_promise(data: Path) -> None:
    verdict = soak(data, seconds=SECONDS, seed=7, mail=True, say=print)
    assert not verdict.faults, "\n".join(verdict.faults[:20])
    assert sum(verdict.kills.values()) >= 4, told(verdict.accepted)
    kinds = {outcome.partition(" ")[0] for outcome in verdict.outcomes}
    assert kinds >= {"http", "queue", "topic", "invoke", "cron", "dead_letter", "log", "email"}
