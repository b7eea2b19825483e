"""The way in: a request becomes an invocation, claimed at birth if there is room here, and waits for its end if asked.

A request that is claimed at birth has ``Requested`` and ``Started`` in one commit and never sees the outbox. With no
room here it goes to the outbox, and any node runs it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import gevent

from picloud.domain.errors import Disabled
from picloud.domain.flow import Flow
from picloud.domain.invocation import (
    Authenticated,
    HttpInput,
    Requested,
    RetryPolicy,
    RunLimits,
    Started,
    State,
    Suspended,
    Trigger,
)
from picloud.domain.lifecycle import evolve
from picloud.domain.metadata import Metadata
from picloud.domain.names import stream_id
from picloud.domain.route import Durability
from picloud.log.appender import Appender, Entry, LogUnavailable, StreamConflict
from picloud.log.ids import new_id
from picloud.log.reader import read_stream
from picloud.orchestrator.catalog import ScriptEntry
from picloud.orchestrator.identity import Identity
from picloud.orchestrator.inbox import Inbox, Waiter
from picloud.orchestrator.outcome import Outcome, outcome_of
from picloud.orchestrator.privacy import Privacy
from picloud.orchestrator.runner import Runner
from picloud.orchestrator.slots import Slots
from picloud.postgres.sessions import Sessions

ONCE: Final = RetryPolicy()


class NoAnswerYet(Exception):
    """The invocation has not ended in time; it goes on, and its end will be recorded."""

    def __init__(self, invocation: UUID) -> None:
        super().__init__(f"invocation {invocation} has not ended yet")
        self.invocation = invocation


class KeyReused(Exception):
    """The idempotency key belongs to an invocation on another input."""

    def __init__(self, invocation: UUID) -> None:
        super().__init__(f"the key belongs to invocation {invocation}, whose input was another one")
        self.invocation = invocation


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is to run, on which input, and on whose behalf. ``correlation_id`` is None to begin a new chain.

    With an ``idempotency_key`` the invocation's id follows from ``trigger_id``, the stream of what triggers it, the
    key, and the ``identity`` of whoever called, if that was asked for: nobody gets what another one's key stands for.
    What has a ``flow`` goes through the outbox.
    """

    script: ScriptEntry
    trigger: Trigger
    input: HttpInput
    actor: str
    correlation_id: UUID | None = None
    retry: RetryPolicy = ONCE
    trigger_id: UUID | None = None
    idempotency_key: str | None = None
    identity: str = ""
    auth: Authenticated | None = None
    limits: RunLimits = RunLimits()
    flow: Flow | None = None

    @property
    def invocation(self) -> UUID | None:
        """The id that the invocation is to have; None for a new one."""
        if self.idempotency_key is None:
            return None
        assert self.trigger_id is not None, "a key belongs to a trigger"
        caller = (self.identity,) if self.identity else ()
        return stream_id("invocation", str(self.trigger_id), self.idempotency_key, *caller)


class Invoker:
    """See the module."""

    def __init__(
        self,
        *,
        appender: Appender,
        sessions: Sessions,
        identity: Identity,
        inbox: Inbox,
        slots: Slots,
        runner: Runner,
        privacy: Privacy,
    ) -> None:
        self._appender = appender
        self._sessions = sessions
        self._identity = identity
        self._inbox = inbox
        self._slots = slots
        self._runner = runner
        self._privacy = privacy

    def call(self, call: Call, *, durability: Durability, timeout: float) -> Outcome:
        """Run the script and wait for the end, ``timeout`` seconds at most, or until the run is suspended.

        Raises :class:`Disabled`, :class:`NoAnswerYet`, or :class:`LogUnavailable` if the request could not be
        recorded.
        """
        deadline = time.monotonic() + timeout
        requested, metadata = self._requested(call, owner=self._inbox.id)
        node = self._identity.wait(timeout)
        if self._slots.take():
            # A greenlet of its own: the run is recorded to its end also when the caller has given up waiting.
            job = gevent.spawn(self._run_here, requested, metadata, node, durability)
            try:
                outcome = job.get(timeout=timeout)
            except gevent.Timeout:
                raise NoAnswerYet(requested.originator_id) from None
            if isinstance(outcome, StreamConflict | LogUnavailable):
                raise outcome
            if outcome is not None:
                return outcome
            with self._inbox.expect(requested.originator_id) as waiter:
                waiter.wake()
                return self._wait(waiter, requested.originator_id, deadline, until_suspended=True)
        with self._inbox.expect(requested.originator_id) as waiter:
            self._appender.append([Entry(requested, metadata)], timeout=timeout)
            return self._wait(waiter, requested.originator_id, deadline, until_suspended=True)

    def request(self, call: Call, *, timeout: float) -> UUID:
        """Accept the call and return its invocation's id once that is committed; the run follows on its own.

        Raises :class:`Disabled` or :class:`LogUnavailable`.
        """
        requested, metadata = self._requested(call, owner=None)
        node = self._identity.current
        if node is None or call.flow is not None or not self._slots.take():
            self._appender.append([Entry(requested, metadata)], timeout=timeout)
            return requested.originator_id
        started = _started(requested, node)
        self._append_born([Entry(requested, metadata), Entry(started, _for_node(metadata, node, requested))], timeout)
        state = evolve(evolve(None, requested), started)
        gevent.spawn(self._runner.run, state, _for_node(metadata, node, requested)).name = f"run {state.id}"
        return requested.originator_id

    def wait(self, invocation: UUID, *, timeout: float, until_suspended: bool = False) -> Outcome:
        """Wait for the end of an invocation that anybody may have asked for, wherever it runs.

        What is suspended is waited for too, unless it is to be waited for only ``until_suspended``.
        Raises :class:`NoAnswerYet` after ``timeout`` seconds.
        """
        with self._inbox.expect(invocation, watch=True) as waiter:
            waiter.wake()
            return self._wait(waiter, invocation, time.monotonic() + timeout, until_suspended=until_suspended)

    def earlier(self, call: Call) -> UUID | None:
        """The invocation that was accepted under the call's idempotency key already; None if there is none.

        Raises :class:`KeyReused` if that was for another input.
        """
        invocation = call.invocation
        if invocation is None:
            return None
        with self._sessions.session() as connection:
            stream = read_stream(connection, invocation)
        if not stream:
            return None
        requested = stream[0].event
        assert isinstance(requested, Requested)
        if not self._privacy.same_input(requested.input, call.input):
            raise KeyReused(invocation)
        return invocation

    def _run_here(
        self, requested: Requested, metadata: Metadata, node: UUID, durability: Durability
    ) -> Outcome | StreamConflict | LogUnavailable | None:
        """Run it to its end. Why it could not be recorded is returned: gevent would print what a greenlet raises."""
        started = _started(requested, node)
        node_metadata = _for_node(metadata, node, requested)
        born = (Entry(requested, metadata), Entry(started, node_metadata))
        state = evolve(evolve(None, requested), started)
        if durability is Durability.OUTCOME:
            return self._runner.run(state, node_metadata, born)
        try:
            self._append_born(born, timeout=30.0)
        except (StreamConflict, LogUnavailable) as refused:
            return refused
        return self._runner.run(state, node_metadata)

    def _append_born(self, entries: tuple[Entry, ...] | list[Entry], timeout: float) -> None:
        try:
            self._appender.append(entries, timeout=timeout)
        except BaseException as error:
            self._slots.release()
            if isinstance(error, LogUnavailable) and error.unknown:
                # It may be in the log as started here, although nothing runs it: under a new id it is given back.
                self._identity.renew()
            raise

    def _requested(self, call: Call, *, owner: UUID | None) -> tuple[Requested, Metadata]:
        script = call.script
        if script.disabled is not None:
            raise Disabled(f"{script.app}/{script.name} is disabled: {script.disabled}")
        invocation = call.invocation or new_id()
        metadata = Metadata(script.app, call.actor, call.correlation_id or invocation, invocation)
        requested = Requested(
            originator_id=invocation,
            originator_version=1,
            app=script.app,
            script=script.name,
            number=script.number,
            sha256=script.sha256,
            trigger=call.trigger,
            input=call.input,
            retry=call.retry,
            owner=owner,
            idempotency_key=call.idempotency_key,
            auth=call.auth,
            limits=call.limits,
            expires=_expiry(call.retry),
            flow=call.flow,
        )
        return requested, metadata

    def _wait(self, waiter: Waiter, invocation: UUID, deadline: float, *, until_suspended: bool) -> Outcome:
        while waiter.wait(deadline):
            with self._sessions.session() as connection:
                stream = read_stream(connection, invocation)
            outcome = outcome_of(stream, self._privacy.answer)
            if outcome is not None:
                return outcome
            if until_suspended and stream and stream[-1].type == Suspended.__name__:
                return Outcome(invocation, State.SUSPENDED)
        raise NoAnswerYet(invocation)


def _started(requested: Requested, node: UUID) -> Started:
    return Started(originator_id=requested.originator_id, originator_version=2, attempt=1, node=node)


def _expiry(retry: RetryPolicy) -> datetime | None:
    return datetime.now(UTC) + timedelta(milliseconds=retry.deadline_ms) if retry.deadline_ms else None


def _for_node(metadata: Metadata, node: UUID, requested: Requested) -> Metadata:
    return Metadata(metadata.app, f"node:{node}", metadata.correlation_id, requested.originator_id)
