"""The process that hashes passwords: others go on meanwhile, it comes back, it goes unneeded."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import gevent
import pytest

from picloud.orchestrator import hasher as hashing
from picloud.orchestrator.hasher import Hasher
from picloud.services.users.hashing import Busy

PASSWORD = b"correct horse"


@pytest.fixture
def hasher() -> Iterator[Hasher]:
    hasher = Hasher()
    yield hasher
    hasher.stop()


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_password_matches_its_own_hash_alone(hasher: Hasher) -> None:
    kept, other = hasher.hashed(PASSWORD), hasher.hashed(PASSWORD)
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert kept != other, "each has a salt of its own"
    assert hasher.matches(PASSWORD, kept)
    assert hasher.matches(PASSWORD, other)
    assert not hasher.matches(PASSWORD + b"\0", kept)
    assert not hasher.matches(b"", kept)
    assert not hasher.matches(PASSWORD, hasher.nobodys), "nobody has this one, and it takes as long"
    assert not hasher.outdated(kept)
    assert not hasher.outdated(hasher.nobodys)
    assert hasher.outdated(kept.replace("m=19456", "m=12288"))


def test_others_go_on_while_a_password_is_hashed(hasher: Hasher) -> None:
    hasher.hashed(PASSWORD)
    turns = 0

    def turn() -> None:
        nonlocal turns
        while True:
            gevent.sleep(0.001)
            turns += 1

    others = gevent.spawn(turn)
    began = time.monotonic()
    gevent.joinall([gevent.spawn(hasher.hashed, PASSWORD) for _ in range(4)], raise_error=True)
    took = time.monotonic() - began
    others.kill()
    assert turns > 10, f"{turns} turns in {took:.3f} s"


def test_a_child_that_was_killed_is_replaced_and_nobody_notices(hasher: Hasher) -> None:
    kept = hasher.hashed(PASSWORD)
    first = hasher.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert hasher.matches(PASSWORD, kept)
    assert hasher.pid != first


def test_who_is_killed_while_it_waits_leaves_no_answer_to_the_next(hasher: Hasher) -> None:
    kept = hasher.hashed(PASSWORD)
    waiting = gevent.spawn(hasher.matches, PASSWORD, kept)
    gevent.sleep(0)
    waiting.kill()
    assert not hasher.matches(b"another one", kept)
    assert hasher.matches(PASSWORD, kept)


def test_only_so_many_wait(hasher: Hasher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "WAITING", 3)
    asked = [gevent.spawn(hasher.hashed, PASSWORD) for _ in range(5)]
    gevent.joinall(asked)
    assert [type(each.exception) for each in asked] == [type(None)] * 3 + [Busy] * 2


def test_the_child_goes_when_nobody_has_asked_for_a_while(hasher: Hasher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "IDLE_SECONDS", 0.05)
    hasher.hashed(PASSWORD)
    pid = hasher.pid
    assert pid is not None
    with gevent.Timeout(10):
        while hasher.pid is not None:
            gevent.sleep(0.01)
    assert not is_there(pid)
    assert hasher.hashed(PASSWORD)
