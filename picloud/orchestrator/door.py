"""The one door between scripts and services: every service call of a run comes through here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

import msgspec

from picloud.executor.pool import ServiceError as RefusedCall
from picloud.executor.protocol import RunRequest
from picloud.executor.redaction import SECRETS
from picloud.log.contents import ContentMissing, get_content
from picloud.orchestrator import course as courses
from picloud.orchestrator.course import Course
from picloud.orchestrator.journal import RecordedCall, Recorder
from picloud.orchestrator.messaging import Messaging
from picloud.postgres.sessions import OUTAGE, Sessions
from picloud.services.crypto import Crypto
from picloud.services.files import offer_again, read_again
from picloud.services.kv import Kv
from picloud.services.modules import Modules
from picloud.services.queues import Queues
from picloud.services.topics import Topics
from picloud.services.work import Caller, Disguised, OutOfStore, OutsideAnswers, ServiceError, Withheld, Work

Answering = Callable[[str, str, list[Any]], Any]
"""``answering(service, function, args)`` answers a call, or raises the pool's ``ServiceError``."""
AsKept = Callable[[str, str, list[Any]], list[Any]]
"""``as_kept(app, function, args)`` are the arguments of a call as a record may keep them."""
AsTold = Callable[[str, str, Any], Any]
"""``as_told(app, function, answer)`` is the answer that a script got, from that which a record keeps."""

_WRAPPED: Final = (Withheld, Disguised, OutOfStore)
"""Answers of which a record keeps something else than the script gets."""


class Door:
    """Finds the service, and the unit of work of the run that calls; keeps what was answered."""

    def __init__(self, sessions: Sessions, messaging: Messaging, *, journal_bytes: int) -> None:
        """``journal_bytes`` is how much is kept of a run's calls, to repeat it."""
        self._services: dict[str, dict[str, Callable[..., Any]]] = {
            "crypto": Crypto().functions,
            "kv": Kv(sessions).functions,
            "modules": Modules(sessions).functions,
            "queue": Queues(messaging.send).functions,
            "topic": Topics(messaging.publish).functions,
        }
        self._outside: set[tuple[str, str]] = set()
        self._forms: dict[str, tuple[AsKept, AsTold]] = {}
        self._journal_bytes = journal_bytes
        # By what the executor was asked: one invocation may have several runs here for a moment, when it was taken over
        # or is asked for twice at once. None knows of the others, and the log takes the end of one.
        self._courses: dict[int, Course] = {}
        self._sessions = sessions
        self._instead: dict[str, Answering] = {}

    def add(
        self,
        service: str,
        functions: dict[str, Callable[..., Any]],
        *,
        outside: frozenset[str] = frozenset(),
        forms: tuple[AsKept, AsTold] | None = None,
    ) -> None:
        """Let scripts call one more service; with secrets in its calls it has ``forms`` of them for records.

        The functions named in ``outside`` reach what no commit can take back. If the run is repeated because others
        got in its way, it meets the answers that it has got already.
        """
        self._services[service] = functions
        self._outside |= {(service, function) for function in outside}
        if forms is not None:
            self._forms[service] = forms

    def open(self, app: str, caller: Caller, again: OutsideAnswers | None = None) -> tuple[Work, Recorder]:
        """A unit of work for a run, or for what it does behind a checkpoint, and the record of its calls.

        One that is run ``again`` has been answered from outside.
        """
        work = Work(app, caller) if again is None else Work(app, caller, careful=True, outside=again.again())
        return work, Recorder(self._journal_bytes)

    @contextmanager
    def following(self, course: Course) -> Iterator[None]:
        """Take the calls of the run whose course it is, which has begun."""
        run = id(course.request)
        self._courses[run] = course
        try:
            yield
        finally:
            del self._courses[run]

    def recorder(self, invocation: UUID) -> Recorder | None:
        """What was kept of the calls of an invocation that runs here; None if it doesn't."""
        return next((course.recorder for course in self._courses.values() if course.state.id == invocation), None)

    @contextmanager
    def answering(self, run: str, answer: Answering) -> Iterator[None]:
        """Have ``answer`` take the calls of the run of that name, instead of the services."""
        self._instead[run] = answer
        try:
            yield
        finally:
            del self._instead[run]

    def as_kept(self, app: str, service: str, function: str, args: list[Any]) -> list[Any]:
        """The arguments of a call as records have them; the same for those that it gets."""
        form = self._forms.get(service)
        return args if form is None else form[0](app, function, args)

    def as_told(self, app: str, service: str, function: str, answer: Any) -> Any:
        """The answer of a call as the script got it, from that which a record has."""
        form = self._forms.get(service)
        return answer if form is None else form[1](app, function, answer)

    def answer(self, request: RunRequest, service: str, function: str, args: list[Any]) -> Any:
        """The service's answer. Raises the pool's ``ServiceError`` with what the script is to be told."""
        instead = self._instead.get(request.invocation)
        if instead is not None:
            return instead(service, function, args)
        course = self._courses.get(id(request))
        if course is None:
            raise RefusedCall(f"there is no service function {service}::{function}")
        app = course.state.requested.app
        kept = self.as_kept(app, service, function, args)
        recorded = course.recorded(service, function, kept)
        if recorded is not None:
            return self.as_told(app, service, function, self._repeated(course, recorded, args))
        work, recorder = course.work, course.recorder
        work.calls[service] = work.calls.get(service, 0) + 1
        if service == courses.SERVICE:
            return course.call(function, args)
        try:
            value = self._answer(work, service, function, args)
        except RefusedCall as refused:
            recorder.refused(service, function, kept, str(refused), refused.thrown)
            raise
        recorder.answered(service, function, kept, value.recorded if type(value) is Disguised else value)
        return value.value if type(value) in _WRAPPED else value

    def _repeated(self, course: Course, recorded: RecordedCall, args: list[Any]) -> Any:
        """The answer to a call that an earlier run of the invocation made; what wasn't to be kept is asked for anew."""
        if recorded.withheld:
            value = self._answer(course.work, recorded.service, recorded.function, args)
            if type(value) is not Withheld:
                return value
            if recorded.service == SECRETS:
                course.redaction.learn(str(args[0]), value.value)
            return value.value
        if recorded.refusal is not None:
            raise RefusedCall(course.redaction.restored(recorded.refusal), thrown=recorded.value)
        try:
            if (recorded.service, recorded.function) == ("files", "reply"):
                offer_again(course.work, self._sessions, recorded.value["sha256"])
            if recorded.sha256 is None:
                return course.redaction.restored(recorded.value)
            if recorded.service == "files":
                return read_again(self._sessions, recorded.function, recorded.args, recorded.sha256)
            with self._sessions.session() as connection:
                return get_content(connection, recorded.sha256).decode("utf-8", "surrogatepass")
        except ContentMissing as error:
            raise RefusedCall(f"what {recorded.name} gave before a step isn't kept any more") from error
        except ServiceError as error:
            raise RefusedCall(str(error)) from error
        except OUTAGE as error:
            course.work.interrupted = True
            raise RefusedCall(f"{recorded.name} could not reach the database") from error

    def _answer(self, work: Work, service: str, function: str, args: list[Any]) -> Any:
        called = self._services.get(service, {}).get(function)
        if called is None:
            raise RefusedCall(f"there is no service function {service}::{function}")
        try:
            if (service, function) in self._outside:
                return _once(work, service, function, args, called)
            return called(work, *args)
        except ServiceError as error:
            raise RefusedCall(str(error), thrown=error.thrown) from error
        except TypeError as error:
            raise RefusedCall(f"{service}::{function} doesn't take {len(args)} arguments") from error
        except OUTAGE as error:
            work.interrupted = True
            raise RefusedCall(f"{service}::{function} could not reach the database") from error


def _once(work: Work, service: str, function: str, args: list[Any], called: Callable[..., Any]) -> Any:
    """The answer that the first try of the run got, or that of the call made now."""
    asked = msgspec.msgpack.encode((service, function, args))
    try:
        answer = work.outside.take(asked)
    except LookupError:
        try:
            answer = called(work, *args)
        except ServiceError as refused:
            answer = refused
        work.outside.keep(asked, answer)
    if isinstance(answer, ServiceError):
        raise answer
    return answer
