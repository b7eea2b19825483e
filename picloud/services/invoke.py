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
from picloud.domain.errors import DomainError, Invalid
from picloud.domain.firing import PLAIN, Order, Target
from picloud.domain.flow import check_key, check_priority
from picloud.domain.invocation import EventInput, Requested, RetryPolicy
from picloud.domain.metadata import Metadata
from picloud.domain.names import stream_id
from picloud.domain.trigger import MAX_ATTEMPTS, Delivery
from picloud.log.contents import pack
from picloud.postgres.sessions import Sessions
from picloud.services.work import ServiceError, Work

KIND: Final = "invoke"
MAX_DATA_BYTES: Final = 1024 * 1024
MAX_INVOKED: Final = 1_000
MAX_QUOTED: Final = 200
"""Characters of a callee's answer in the error that tells of it."""

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
        function, now = "invoke::start", datetime.now(UTC)
        given = _options(function, options, _OF_START)
        try:
            order, delivery = _order(given, now), _delivery(given)
        except Invalid as error:
            raise ServiceError(f"{function}: {_said(error)}") from None
        requested = self._requested(work, function, (script, data), delivery, now=now, order=order)
        work.ask([requested])
        return str(requested.originator_id)

    def run(self, work: Work, script: Any, data: Any, options: Any = None) -> Any:
        """The answer of ``script`` to ``data``: JSON as its value, a text, a blob, None for 204."""
        function, now = "invoke::run", datetime.now(UTC)
        given = _options(function, options, _OF_RUN)
        left_ms = work.caller.deadline_ms - time.time_ns() // 1_000_000
        try:
            timeout_ms = (
                parse_duration(given["timeout"], field="timeout", least_ms=1) if "timeout" in given else left_ms
            )
        except Invalid as error:
            raise ServiceError(f"{function}: {_said(error)}") from None
        timeout_ms = min(timeout_ms, left_ms)
        if timeout_ms <= 0:
            raise ServiceError(f"{function}: the caller's own time is over")
        requested = self._requested(work, function, (script, data), _ONCE, now=now)
        requested = replace(requested, expires=now + timedelta(milliseconds=timeout_ms))
        caller, callee = work.caller, f"{requested.app}/{requested.script}"
        metadata = Metadata(work.app, f"script:{caller.title}", caller.correlation_id, caller.invocation)
        try:
            answer = self._call(requested, metadata, timeout_ms / 1000)
        except Unanswered as error:
            raise ServiceError(f"{callee} {error} (invocation {requested.originator_id})") from None
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
    ) -> Requested:
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
        event = EventInput(attributes, pack(content, self._sessions), content_type)
        try:
            return target.request(
                _invocation_id(work, function, callee.name, content),
                event,
                now=now,
                order=order,
                payload=content,
                callers=caller.chain,
            )
        except DomainError as error:
            raise ServiceError(f"{function}: {_said(error)}") from None

    def _callee(self, app: str, function: str, name: Any) -> Callee:
        if not isinstance(name, str):
            raise ServiceError(f"{function} takes the name of a script as a string, not {_kind(name)}")
        scripts = self._scripts(app)
        callee = scripts.get(name)
        if callee is None:
            near = get_close_matches(name.removeprefix(f"{app}/"), scripts, n=1)
            meant = f": did you mean {near[0]!r}?" if near else ""
            raise ServiceError(f"{function}: there is no script {name[:63]!r} in {app}{meant}")
        if callee.disabled is not None:
            raise ServiceError(f"{function}: {app}/{name} is disabled: {callee.disabled}")
        return callee


def _invocation_id(work: Work, function: str, callee: str, content: bytes) -> UUID:
    """The same for the same question: by which call of which attempt, to whom, on what."""
    caller = work.caller
    about = (str(caller.invocation), str(caller.attempt), str(work.invoked), callee, sha256(content).hexdigest())
    return stream_id(function, *about)


_OF_START: Final[dict[str, tuple[type, str]]] = {
    "delay": (str, 'a string such as "5m"'),
    "due": (str, 'a string such as "2030-01-31T08:00:00Z"'),
    "ordering_key": (str, "a string"),
    "priority": (int, "an integer from 0 to 9"),
    "attempts": (int, f"an integer from 1 to {MAX_ATTEMPTS}"),
}
_OF_RUN: Final[dict[str, tuple[type, str]]] = {"timeout": (str, 'a string such as "500ms"')}


def _options(function: str, options: Any, known: dict[str, tuple[type, str]]) -> dict[str, Any]:
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise ServiceError(f"{function} takes its options as a map, such as #{{{next(iter(known))}: …}}, "
                           f"not {_kind(options)}")  # fmt: skip
    for name, value in options.items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(known)}"
            raise ServiceError(f"{function} has no option {name[:40]!r}: {meant}")
        wanted, said = known[name]
        if type(value) is not wanted:
            raise ServiceError(f"{function}: {name} is {said}, not {_kind(value)}")
    return dict(options)


def _order(given: Mapping[str, Any], now: datetime) -> Order:
    if "delay" in given and "due" in given:
        raise Invalid("delay and due exclude each other", field="due")
    due: datetime | None = None
    if "delay" in given:
        due = now + timedelta(milliseconds=parse_duration(given["delay"], field="delay"))
    elif "due" in given:
        due = _due(given["due"])
    priority = check_priority(given["priority"]) if "priority" in given else None
    return Order(
        due=due, ordering_key=check_key(given.get("ordering_key", ""), field="ordering_key"), priority=priority
    )


def _due(text: str) -> datetime:
    try:
        due = datetime.fromisoformat(text)
    except ValueError:
        due = None
    if due is None or due.tzinfo is None:
        raise Invalid(
            f"{text[:40]!r} is no time with a zone", field="due", remedy="For example: '2030-01-31T08:00:00Z'."
        )
    return due


def _delivery(given: Mapping[str, Any]) -> Delivery:
    if "attempts" not in given:
        return Delivery()
    return Delivery(retry=replace(Delivery().retry, attempts=given["attempts"])).check()


def _content(function: str, data: Any) -> tuple[bytes, str]:
    if isinstance(data, bytes):
        content, content_type = data, "application/octet-stream"
    elif data is None:
        content, content_type = b"", "application/json"
    else:
        try:
            text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            content, content_type = text.encode(), "application/json"
        except (TypeError, ValueError) as error:
            raise ServiceError(f"{function}: the data can't be sent as JSON: {error}") from None
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


def _said(error: DomainError) -> str:
    return f"{error.message}. {error.remedy}" if error.remedy else error.message


def _kind(value: Any) -> str:
    names = {type(None): "()", bool: "bool", int: "i64", float: "f64", bytes: "blob", list: "array", dict: "map"}
    return names.get(type(value), "string")
