"""``invoke::``: one script of an app calls another by name.

    invoke::start(script, data)             has it run when this run has succeeded; the id that its invocation will have
    invoke::start(script, data, options)    #{delay or due, ordering_key, priority, attempts}
    invoke::run(script, data)               runs it now, waits for its answer and gives that
    invoke::run(script, data, options)      #{timeout}

What is started commits with the run's outcome, or not at all. What is run is an invocation of its own, committed at
once with its own outcome, whatever becomes of the caller; only when the caller ends before it does, it is cancelled. A
run that is repeated because others changed its keys meets the calls that it has made already, and gets their answers.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from hashlib import sha256
from typing import Any, Final, Protocol
from uuid import UUID

from picloud.domain.duration import parse_duration
from picloud.domain.firing import PLAIN, Order, Target
from picloud.domain.invocation import EventInput, Requested, RetryPolicy
from picloud.domain.message import BYTES, JSON, order_of
from picloud.domain.metadata import Metadata
from picloud.domain.names import stream_id
from picloud.domain.trigger import MAX_ATTEMPTS, Delivery
from picloud.log.contents import content_of, store
from picloud.postgres.sessions import Sessions
from picloud.services.arguments import OF_ORDER, Options, json_of, name_of, options_of, refused_as
from picloud.services.work import ServiceError, Work

KIND: Final = "invoke"
MAX_DATA_BYTES: Final = 1024 * 1024
MAX_INVOKED: Final = 1_000
MAX_QUOTED: Final = 200
"""Characters of a callee's answer in the error that tells of it."""
MAX_ABANDONED: Final = 100
"""So often one call is made again because those of lost runs were abandoned."""

_START: Final = "invoke::start"
_RUN: Final = "invoke::run"
_ONCE: Final = Delivery(retry=RetryPolicy())


class Callee(Protocol):
    """A deployed script; ``disabled`` is the reason, or None while it takes calls."""

    @property
    def name(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def sha256(self) -> str: ...
    @property
    def disabled(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Answered:
    """What a called script answered."""

    status: int
    content_type: str
    body: bytes


class Unanswered(Exception):
    """A call ended without an answer; the message says how: ``failed: …``, ``was cancelled: …``."""


class Abandoned(Unanswered):
    """A call that an earlier run of its caller made came to nothing, for want of somebody who waited for it."""


Scripts = Callable[[str], Mapping[str, Callee]]
"""The deployed scripts of an app, by name."""
Call = Callable[[Requested, Metadata, float], Answered]
"""Runs what is requested and waits for its end, so many seconds at most. Raises :class:`Unanswered`."""


class Invoke:
    """See the module."""

    def __init__(self, scripts: Scripts, call: Call, sessions: Sessions) -> None:
        self._scripts = scripts
        self._call = call
        self._sessions = sessions
        self.functions: dict[str, Callable[..., Any]] = {"start": self.start, "run": self.run}

    def start(self, work: Work, script: Any, data: Any, options: Any = None) -> str:
        """Have ``script`` run on ``data`` when this run has succeeded; return the invocation's id."""
        now = datetime.now(UTC)
        given = options_of(_START, options, _OF_START)
        attempts = given.pop("attempts", Delivery().retry.attempts)
        with refused_as(_START):
            order = order_of(now=now, **given)
            delivery = Delivery(retry=replace(Delivery().retry, attempts=attempts)).check()
        requested, content = self._requested(work, _START, (script, data), delivery, now=now, order=order)
        try:
            work.ask([requested], [content] if _is_apart(requested) else [])
        except ServiceError as error:
            raise ServiceError(f"{_START}: {error}") from None
        return str(requested.originator_id)

    def run(self, work: Work, script: Any, data: Any, options: Any = None) -> Any:
        """The answer of ``script`` to ``data``: JSON as its value, a text, a blob, None for 204."""
        now = datetime.now(UTC)
        given = options_of(_RUN, options, _OF_RUN)
        timeout_ms = left_ms = work.caller.deadline_ms - time.time_ns() // 1_000_000
        if "timeout" in given:
            with refused_as(_RUN):
                timeout_ms = parse_duration(given["timeout"], field="timeout", least_ms=1)
        timeout_ms = min(timeout_ms, left_ms)
        if timeout_ms <= 0:
            raise ServiceError(f"{_RUN}: the caller's own time is over")
        requested, content = self._requested(work, _RUN, (script, data), _ONCE, now=now)
        if _is_apart(requested):
            store([content], self._sessions)
        requested = replace(requested, expires=now + timedelta(milliseconds=timeout_ms))
        caller, callee = work.caller, f"{requested.app}/{requested.script}"
        metadata = Metadata(work.app, f"script:{caller.title}", caller.correlation_id, caller.invocation)
        for again in range(MAX_ABANDONED):
            try:
                answer = self._call(requested, metadata, timeout_ms / 1000)
                break
            except Abandoned:
                # Nothing came of it, so that it may be asked for anew.
                anew = stream_id(_RUN, str(requested.originator_id), str(again))
                requested = replace(requested, originator_id=anew)
            except Unanswered as error:
                raise ServiceError(f"{callee} {error} (invocation {requested.originator_id})") from None
        else:
            raise ServiceError(f"{callee} was abandoned too often (invocation {requested.originator_id})")
        if answer.status >= 400:
            said = answer.body.decode("utf-8", "replace")
            quoted = said if len(said) <= MAX_QUOTED else said[: MAX_QUOTED - 1] + "…"
            raise ServiceError(f"{callee} answered {answer.status}: {quoted} (invocation {requested.originator_id})")
        return _value(answer)

    def _requested(
        self,
        work: Work,
        function: str,
        asked: tuple[Any, Any],
        delivery: Delivery,
        *,
        now: datetime,
        order: Order = PLAIN,
    ) -> tuple[Requested, bytes]:
        """What is to be run, and its data."""
        name, data = asked
        callee = self._callee(work.app, function, name)
        content, content_type = _content(function, data)
        work.invoked += 1
        if work.invoked > MAX_INVOKED:
            raise ServiceError(f"{function}: a run may invoke {MAX_INVOKED:,} scripts at most")
        caller = work.caller
        target = Target(
            app=work.app,
            kind=KIND,
            trigger=caller.title,
            script=callee.name,
            number=callee.number,
            sha256=callee.sha256,
            delivery=delivery,
        )
        attributes = {"caller": caller.title, "caller_invocation": str(caller.invocation)}
        event = EventInput(attributes, content_of(content), content_type)
        invocation = _invocation_id(work, function, callee.name, content)
        with refused_as(function):
            return target.request(
                invocation, event, now=now, order=order, payload=content, callers=caller.chain
            ), content

    def _callee(self, app: str, function: str, name: Any) -> Callee:
        name = name_of(name, function, "name of a script")
        scripts = self._scripts(app)
        callee = scripts.get(name)
        if callee is None:
            near = get_close_matches(name.removeprefix(f"{app}/"), scripts, n=1)
            meant = f": did you mean {near[0]!r}?" if near else ""
            raise ServiceError(f"{function}: there is no script {name[:63]!r} in {app}{meant}")
        if callee.disabled is not None:
            raise ServiceError(f"{function}: {app}/{name} is disabled: {callee.disabled}")
        return callee


def _is_apart(requested: Requested) -> bool:
    """Whether the request names its data by a hash, so that it has to be stored."""
    return requested.event is not None and requested.event.data.sha256 is not None


def _invocation_id(work: Work, function: str, callee: str, content: bytes) -> UUID:
    """The same for the same question: by which call of which attempt, to whom, on what."""
    caller = work.caller
    about = (str(caller.invocation), str(caller.attempt), str(work.invoked), callee, sha256(content).hexdigest())
    return stream_id(function, *about)


_OF_START: Final[Options] = {**OF_ORDER, "attempts": (int, f"an integer from 1 to {MAX_ATTEMPTS}")}
_OF_RUN: Final[Options] = {"timeout": (str, 'a string such as "500ms"')}


def _content(function: str, data: Any) -> tuple[bytes, str]:
    content, content_type = (data, BYTES) if isinstance(data, bytes) else (json_of(function, data), JSON)
    if len(content) > MAX_DATA_BYTES:
        raise ServiceError(f"{function}: the data has {len(content):,} bytes, more than {MAX_DATA_BYTES:,}")
    return content, content_type


def _value(answer: Answered) -> Any:
    if answer.status == 204:
        return None
    kind = answer.content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return json.loads(answer.body)
        except ValueError:
            return answer.body.decode("utf-8", "replace")
    return answer.body.decode("utf-8", "replace") if kind.startswith("text/") else answer.body
