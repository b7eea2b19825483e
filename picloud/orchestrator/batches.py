"""Several messages of a queue in one run: each has its own outcome, all in one commit.

The script finds them in ``ctx.event.messages``. If it ends well they have all succeeded, but for those that its value
names: ``#{failed: [id, #{id: …, error: …}]}``; these are tried again as the trigger says, each on its own account. If
it fails, all have failed. What the run wrote is kept unless all have failed.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final

from picloud.domain import lifecycle
from picloud.domain.invocation import AttemptFailed, Failure, Invocation, InvocationEvent, RunError, Succeeded
from picloud.domain.metadata import Metadata
from picloud.log.appender import Appender, EffectRefused, Entry, QuotaExceeded, StreamConflict
from picloud.log.repository import load_invocation
from picloud.orchestrator.attempt import Attempt
from picloud.orchestrator.inbox import Inbox
from picloud.orchestrator.messaging import metadata_of
from picloud.orchestrator.outcome import Answer
from picloud.orchestrator.runner import MAX_COLLISIONS, QUOTA_EXCEEDED, Runner
from picloud.orchestrator.slots import Slots
from picloud.postgres.sessions import Sessions
from picloud.services.work import OutsideAnswers

MESSAGE_FAILED: Final = "MessageFailed"
"""The kind of error of a message that the script's value names; ``retry.on`` may speak of it."""
MAX_REASON: Final = 2_000


@dataclass(frozen=True, slots=True)
class Member:
    """An invocation that was started as part of a batch, and the metadata of its attempt's events."""

    state: Invocation
    metadata: Metadata


class Batches:
    """See the module."""

    def __init__(self, *, appender: Appender, sessions: Sessions, runner: Runner, inbox: Inbox, slots: Slots) -> None:
        self._appender = appender
        self._sessions = sessions
        self._runner = runner
        self._inbox = inbox
        self._slots = slots

    def run(self, members: Sequence[Member]) -> None:
        """Run a batch, and append how each of its members ended. The caller has taken one slot for it.

        Members that ask for another version of the script are run apart, one version after the other.
        """
        with self._slots.kept_by(members[0].state.requested.app):
            for _, group in groupby(sorted(members, key=_version), key=_version):
                self._run(list(group))

    def _run(self, members: list[Member]) -> None:
        now = datetime.now(UTC)
        for member in [each for each in members if _expired(each.state, now)]:
            # The runner says so of each without running anything.
            members.remove(member)
            self._append([(member, self._runner.attempt(member.state, member.metadata).events)])
        outside: OutsideAnswers | None = None
        before: Attempt | None = None
        for _ in range(MAX_COLLISIONS):
            if not members:
                return
            lead = members[0]
            batch = [member.state for member in members]
            attempt = self._runner.attempt(lead.state, lead.metadata, batch=batch, again=outside)
            attempt = before = attempt.besides(before)
            outcomes = _outcomes(members, attempt)
            keeper = next((member for member, events in outcomes if isinstance(events[0], Succeeded)), None)
            effects = _effects(attempt, keeper.metadata) if keeper is not None else []
            try:
                self._append(outcomes, effects)
            except (StreamConflict, EffectRefused):
                # A member was called off or taken over, or another run changed a key: again, with who is left.
                left = self._still_ours(members)
                outside = attempt.outside if left == members else None
                members = left
            except QuotaExceeded as exceeded:
                failure = attempt.failed_by(RunError(QUOTA_EXCEEDED, str(exceeded)))
                others = replace(failure, secrets=[])
                told = [failure, *(others for _ in members[1:])]
                self._append(
                    [(member, _failed(member, failure)) for member, failure in zip(members, told, strict=True)]
                )
                return
            else:
                return
        error = RunError("WriteConflict", "other runs kept changing the same keys")
        for member in self._still_ours(members):
            self._append([(member, _failed(member, Failure(error=error, lost=True)))])

    def _append(self, outcomes: list[_Outcome], effects: Sequence[Entry] = ()) -> None:
        entries = [*effects, *(Entry(event, member.metadata) for member, events in outcomes for event in events)]
        ended = [member.state for member, events in outcomes if not _goes_on(events)]
        wakes = [wake for state in ended for wake in self._inbox.wake_for(state.requested.owner, state.id)]
        self._appender.append(entries, wakes=wakes, timeout=None)
        for state in ended:
            self._inbox.ended(state.id)

    def _still_ours(self, members: list[Member]) -> list[Member]:
        """Those that stand where this attempt began."""
        ids = [member.state.id for member in members]
        now = self._sessions.patiently(lambda connection: [load_invocation(connection, stream) for stream in ids])
        kept = []
        for member, state in zip(members, now, strict=True):
            if state is not None and state.version == member.state.version:
                kept.append(member)
        return kept


def _effects(attempt: Attempt, metadata: Metadata) -> list[Entry]:
    return [Entry(effect, metadata_of(effect, metadata)) for effect in attempt.effects]


_Outcome = tuple[Member, Sequence[InvocationEvent]]


def _outcomes(members: list[Member], attempt: Attempt) -> list[_Outcome]:
    """How each member ended, from how the run did; ``attempt`` speaks of the first one."""
    ended = attempt.events[0]
    if isinstance(ended, AttemptFailed):
        failure = Failure(error=ended.error, lost=ended.lost, usage=ended.usage, logs=ended.logs, journal=ended.journal)
        return [(members[0], attempt.events), *((member, _failed(member, failure)) for member in members[1:])]
    assert isinstance(ended, Succeeded)
    failed = {} if ended.thrown else _named_as_failed(attempt.answer)
    unknown = failed.keys() - {str(member.state.id) for member in members}
    if unknown:
        text = f"the answer's failed names {sorted(unknown)[0][:80]!r}, which is no message of this batch"
        failed = dict.fromkeys((str(member.state.id) for member in members), RunError("InvalidAnswer", text))
    outcomes: list[_Outcome] = []
    logs, effects, journal, secrets = ended.logs, ended.effects, ended.journal, ended.secrets
    for member in members:
        error = failed.get(str(member.state.id))
        if error is not None:
            # Whoever looks into a message that failed wants to see what was said.
            failure = Failure(error=error, usage=ended.usage, logs=ended.logs, journal=attempt.journal, secrets=secrets)
            outcomes.append((member, _failed(member, failure)))
            secrets = []
        else:
            version = member.state.version + 1
            succeeded = replace(
                ended,
                originator_id=member.state.id,
                originator_version=version,
                attempt=member.state.attempt,
                logs=logs,
                effects=effects,
                journal=journal,
                secrets=secrets,
            )
            outcomes.append((member, [succeeded]))
            logs, effects, journal, secrets = [], 0, None, []
    return outcomes


def _named_as_failed(answer: Answer | None) -> dict[str, RunError]:
    """The messages that the script's value says have failed, by id."""
    if answer is None or not answer.body.startswith(b"{"):
        return {}
    try:
        value = json.loads(answer.body)
    except ValueError:
        return {}
    failed: dict[str, RunError] = {}
    told = value.get("failed", []) if isinstance(value, dict) else []
    for each in told if isinstance(told, list) else [told]:
        named: Any = each.get("id") if isinstance(each, dict) else each
        reason = each.get("error") if isinstance(each, dict) else None
        said = "the script says that it failed" if reason is None else str(reason)[:MAX_REASON]
        failed[str(named)] = RunError(MESSAGE_FAILED, said)
    return failed


def _failed(member: Member, failure: Failure) -> list[InvocationEvent]:
    return lifecycle.fail(member.state, failure, now=datetime.now(UTC), random=random.random())


def _goes_on(events: Sequence[InvocationEvent]) -> bool:
    return isinstance(events[-1], AttemptFailed)


def _expired(state: Invocation, now: datetime) -> bool:
    expires = state.requested.expires
    return expires is not None and now >= expires


def _version(member: Member) -> tuple[str, str]:
    return member.state.requested.script, member.state.requested.sha256
