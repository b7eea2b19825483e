"""What an executor is asked for a run: the script, what it finds in ``ctx``, clock, seed and limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import msgspec

from picloud.domain.invocation import Invocation, Requested
from picloud.domain.metadata import Metadata
from picloud.executor.protocol import Limits, RunRequest
from picloud.log.contents import get_content, unpack
from picloud.orchestrator.privacy import Privacy
from picloud.orchestrator.programs import Programs
from picloud.postgres.sessions import Sessions
from picloud.services.invoke import KIND as INVOKE
from picloud.services.work import Caller

_SEED_MASK: Final = (1 << 63) - 1


class Requests:
    """See the module. ``limits`` are the node's."""

    def __init__(self, *, sessions: Sessions, programs: Programs, privacy: Privacy, limits: Limits) -> None:
        self._sessions = sessions
        self._programs = programs
        self._privacy = privacy
        self._limits = limits

    def of(self, state: Invocation, clock_ms: int, batch: Sequence[Invocation] = ()) -> RunRequest:
        """What an executor is asked for the attempt that ``state`` stands at, begun at ``clock_ms`` (Unix time)."""
        requested = state.requested
        return RunRequest(
            invocation=str(state.id),
            sha256=requested.sha256,
            source=lambda: self._source(requested.sha256),
            program=lambda: self._programs.kept(requested.sha256),
            name=f"{requested.app}/{requested.script}",
            ctx=self._context(state, clock_ms, batch),
            seed=seed_of(state),
            now_ms=clock_ms,
            limits=self.limits(state),
            nested=is_nested(state),
        )

    def caller(self, state: Invocation, metadata: Metadata, clock_ms: int, deadline_ms: int = 0) -> Caller:
        """Whose run the attempt is that ``state`` stands at."""
        requested = state.requested
        return Caller(
            invocation=state.id,
            attempt=state.part,
            title=f"{requested.app}/{requested.script}",
            version=requested.number,
            callers=requested.callers,
            correlation_id=metadata.correlation_id,
            clock_ms=clock_ms,
            deadline_ms=deadline_ms or clock_ms + self.limits(state).wall_ms,
        )

    def _source(self, sha256: str) -> str:
        with self._sessions.session() as connection:
            return get_content(connection, sha256).decode()

    def _context(self, state: Invocation, clock_ms: int, batch: Sequence[Invocation]) -> dict[str, Any]:
        requested, first = state.requested, state.first_stretch
        told = self._input(requested)
        if batch:
            told["event"] |= {"messages": [self._message(member) for member in batch]}
        return {
            **told,
            "invocation": {
                "id": str(state.id),
                "attempt": first.attempt if first is not None else state.attempt,
                "trigger": requested.trigger.kind,
                "replay_of": str(requested.replay_of) if requested.replay_of else None,
                "deadline_ms": clock_ms + self.limits(state).wall_ms,
            },
            "app": requested.app,
            "script": {"name": requested.script, "version": requested.number},
        }

    def _input(self, requested: Requested) -> dict[str, Any]:
        event, asked = requested.event, requested.input
        if event is not None:
            told = {"type": requested.trigger.kind, "trigger": requested.trigger.name, **event.attributes}
            if requested.ordering_key:
                told["ordering_key"] = requested.ordering_key
            return {"event": told | {"content_type": event.content_type, "body": unpack(event.data, self._sessions)}}
        private = self._privacy.opened_input(asked)
        return {
            "request": {
                "method": asked.method,
                "path": asked.path,
                "params": asked.params,
                "query": private.query,
                "headers": private.headers,
                "body": private.body,
                "auth": asdict(requested.auth) if requested.auth is not None else None,
            }
        }

    def _message(self, member: Invocation) -> dict[str, Any]:
        """A batch's message as the script finds it; its body becomes ``data``."""
        event: dict[str, Any] = self._input(member.requested)["event"]
        return event | {"id": str(member.id), "attempt": member.attempt}

    def limits(self, state: Invocation) -> Limits:
        """What a run of the invocation may use: what its trigger says, within what the node gives."""
        asked = state.requested.limits
        if not asked.wall_ms and not asked.operations:
            return self._limits
        given = self._limits
        return msgspec.structs.replace(
            given,
            wall_ms=min(asked.wall_ms or given.wall_ms, given.wall_ms),
            operations=min(asked.operations or given.operations, given.operations),
        )


def seed_of(state: Invocation) -> int:
    """What the run's random numbers come from: the same in all runs of a history."""
    first = state.first_stretch
    return first.seed if first is not None else (state.id.int ^ state.attempt) & _SEED_MASK


def is_nested(state: Invocation) -> bool:
    """Whether another run waits for it, in whose place it runs."""
    requested = state.requested
    return requested.trigger.kind == INVOKE and requested.owner is not None
