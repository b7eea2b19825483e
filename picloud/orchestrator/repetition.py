"""What answers a repeated run: its record, call by call, and the log where the run asks what it didn't ask then.

As long as the run asks the same as it did, it is answered the same. With the first other call it has *diverged*, as a
corrected script is meant to. From there on, services whose past the log can tell (``kv::``, ``config::``, ``import``,
documents of ``docs::`` by their ids) answer as they would have then, on the run's own writes; of the others the record
answers the same question, in whatever place; a question that it doesn't know is refused, and what only changes
something is answered with ``()``.

No record has secrets. A repeated run gets the versions that it read, as far as they are still readable, for whoever may
inspect may read them too: by deploying a script. Where the record has a secret's name, it gets the value back; from the
report they are taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from picloud.executor.pool import ServiceError as RefusedCall
from picloud.executor.redaction import SECRETS, Redaction
from picloud.log.contents import ContentMissing
from picloud.orchestrator.journal import Journal, RecordedCall, as_kept
from picloud.postgres.sessions import Sessions
from picloud.services.crypto import Crypto
from picloud.services.files import read_again
from picloud.services.past import PastConfig, PastKv, PastModules
from picloud.services.past_docs import PastDocs
from picloud.services.secrets import Secrets
from picloud.services.work import Caller, ServiceError, Work

READS: Final[dict[str, frozenset[str]]] = {
    "config": frozenset({"all", "get"}),
    "docs": frozenset({"count", "find", "get", "page"}),
    "http": frozenset({"get", "delete", "post", "put", "patch", "request"}),
    "crypto": frozenset({"random_bytes", "verify"}),
    "files": frozenset({"exists", "list", "metadata", "read", "read_text", "reply"}),
    "kv": frozenset({"get", "get_many", "list", "page"}),
    "modules": frozenset({"source"}),
    "secrets": frozenset({"get", "live"}),
    "users": frozenset(
        {"find", "get", "has_role", "list", "session", "sessions", "token", "tokens", "verify", "verify_code"}
    ),
    "steps": frozenset({"step", "done", "sleep", "wait_for"}),
}
"""Functions of services that change nothing in PiCloud; what isn't here counts as an effect of the run that calls it.
An answer of the world outside can't be made up, so a call there that isn't recorded is refused like a read."""

_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that a run would have done when it succeeded."""

    service: str
    function: str
    args: list[Any]


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first call (counted from 1) that isn't that of the record; ``expected`` is empty behind the record's end."""

    call: int
    expected: str
    found: str

    def __str__(self) -> str:
        if not self.expected:
            return f"it went on behind the record, at call {self.call}: {self.found}"
        return f"diverged at call {self.call}: the record has {self.expected}, it asked {self.found}"


class Repetition:
    """The services of one repeated run; see the module."""

    def __init__(self, journal: Journal | None, past: Past, caller: Caller) -> None:
        self._recorded = journal.calls if journal is not None else []
        self._complete = journal is not None and not journal.truncated
        self._past = past
        self._used: set[int] = set()
        self._work = Work(past.app, caller)
        self.redaction = Redaction()
        """The secrets that the run was given."""
        self.calls: list[RecordedCall] = []
        """The calls that were made."""
        self.divergence: Divergence | None = None
        self.unknown: list[str] = []
        """Calls that were answered with less than the record or the log could tell, each with what was done."""
        self.beyond_record = False
        """Whether there was a call behind the part of the record that was kept."""

    @property
    def app(self) -> str:
        """The app whose run it is."""
        return self._past.app

    def answer(self, service: str, function: str, args: list[Any]) -> Any:
        """Answer a call, with its arguments as records keep them. Raises the pool's ``ServiceError`` for a refusal."""
        if (service, function) == ("steps", "done"):
            # That a step is done is no question; the record has the step itself.
            return None
        args = as_kept(service, args)
        try:
            value = self._answer(service, function, args)
        except RefusedCall as refused:
            self.calls.append(RecordedCall(service, function, args, refused.thrown, refusal=str(refused)))
            raise
        self.calls.append(RecordedCall(service, function, args, None if service == SECRETS else value))
        return value

    def finished(self) -> None:
        """The run is over. Calls of the record that it didn't come to make it diverge too."""
        number = len(self.calls)
        if self.divergence is None and number < len(self._recorded):
            self.divergence = Divergence(number + 1, shown(self._recorded[number]), "nothing more")

    def _answer(self, service: str, function: str, args: list[Any]) -> Any:
        at = len(self.calls)
        asked = RecordedCall(service, function, args)
        if self.divergence is None and at < len(self._recorded):
            recorded = self._recorded[at]
            if self._same(recorded, asked):
                self._used.add(at)
                return self._as_recorded(recorded, asked)
        if self.divergence is None:
            if at >= len(self._recorded) and not self._complete:
                self.beyond_record = True
            else:
                expected = shown(self._recorded[at]) if at < len(self._recorded) else ""
                self.divergence = Divergence(at + 1, expected, self._shown(asked))
        return self._otherwise(asked)

    def _as_recorded(self, recorded: RecordedCall, asked: RecordedCall) -> Any:
        if recorded.withheld:
            return self._withheld(asked, recorded.value)
        if recorded.refusal is not None:
            raise RefusedCall(self.redaction.restored(recorded.refusal), thrown=recorded.value)
        if recorded.sha256 is not None and recorded.service == "files":
            return self._out_of_store(asked, recorded.sha256)
        if recorded.sha256 is not None:
            return self._past.call(self._work, recorded)
        if recorded.service in self._past.functions and recorded.function not in READS[recorded.service]:
            # What it wrote is there for what it reads later on.
            self._past.record(self._work, asked, self.redaction.restored(recorded.value))
        return self.redaction.restored(recorded.value)

    def _otherwise(self, asked: RecordedCall) -> Any:
        if asked.service in self._past.functions:
            return self.redaction.restored(self._past.call(self._work, asked))
        for at, recorded in enumerate(self._recorded):
            if at not in self._used and self._same(recorded, asked):
                self._used.add(at)
                return self._as_recorded(recorded, asked)
        if asked.service == "steps":
            # A step is done here, a time is over at once; of a message nothing is known.
            if asked.function == "wait_for":
                self.unknown.append(f"{self._shown(asked)} was not recorded: () stands for its answer")
            return None
        if asked.service == SECRETS and self._past.secrets is not None:
            return self._withheld(asked, None)
        if asked.function in READS.get(asked.service, frozenset()):
            self.unknown.append(f"{self._shown(asked)} was not recorded: it was refused")
            raise RefusedCall(f"{self._shown(asked)} was not recorded")
        self.unknown.append(f"{self._shown(asked)} was not recorded: () stands for its answer")
        return None

    def _out_of_store(self, asked: RecordedCall, sha256: str) -> Any:
        try:
            return self._past.read_file(asked, sha256)
        except ContentMissing:
            self.unknown.append(f"what {self._shown(asked)} read isn't kept any more: it was refused")
            raise RefusedCall(f"what {self._shown(asked)} read isn't kept any more") from None

    def _withheld(self, asked: RecordedCall, kept: Any) -> Any:
        if asked.service != SECRETS or self._past.secrets is None:
            self.unknown.append(f"the answer to {self._shown(asked)} was not to be kept: it was refused")
            raise RefusedCall(f"the answer to {self._shown(asked)} was not kept")
        try:
            value, said = self._past.secret(self._work, asked, kept)
        except RefusedCall as refused:
            self.unknown.append(str(refused))
            raise
        if said:
            self.unknown.append(said)
        self.redaction.learn(str(asked.args[0]), value)
        return value

    def _same(self, recorded: RecordedCall, asked: RecordedCall) -> bool:
        if (recorded.service, recorded.function) != (asked.service, asked.function):
            return False
        return alike(recorded.args, self.redaction.plain(asked.args))

    def _shown(self, asked: RecordedCall) -> str:
        return shown(RecordedCall(asked.service, asked.function, self.redaction.plain(asked.args)))


@dataclass(frozen=True, slots=True)
class PastSecrets:
    """The service that opens secrets, and the numbers of the versions that the run read, newest first."""

    service: Secrets
    numbers: dict[str, list[int]]


class Past:
    """The services whose past the log tells, at a position of it and with what the journal knows better."""

    def __init__(
        self,
        sessions: Sessions,
        app: str,
        position: int,
        journal: Journal | None,
        caller: Caller,
        secrets: PastSecrets | None = None,
    ) -> None:
        self.app = app
        self.secrets = secrets
        self._caller = caller
        self._sessions = sessions
        self._kv = PastKv(sessions, position)
        calls = journal.calls if journal is not None else []
        sources = {str(call.args[0]): call.sha256 for call in calls if call.service == "modules" and not call.refusal}
        modules = PastModules(sessions, position, sources)
        config = PastConfig(sessions, position)
        self._docs = PastDocs(sessions, position)
        self.functions: dict[str, dict[str, Callable[..., Any]]] = {
            "config": config.functions,
            # Any random bytes will do where the record has none.
            "crypto": Crypto().functions,
            "docs": self._docs.functions,
            "kv": self._kv.functions,
            "modules": modules.functions,
        }
        work = Work(app, caller)
        for call in calls:
            if call.service == "kv" and call.refusal is None:
                self._kv.learn(call.function, call.args, call.value, work)
                if call.function not in READS["kv"]:
                    self.call(work, call)
            elif call.service == "config" and call.refusal is None:
                config.learn(call.function, call.args, call.value)
            elif call.service == "docs" and call.refusal is None:
                self._docs.learn(call.function, call.args, call.value, work)
                if call.function not in READS["docs"]:
                    self.record(work, call, call.value)

    def secret(self, work: Work, asked: RecordedCall, kept: Any) -> tuple[Any, str]:
        """What a secret is for the repeated run, and what is to be said of that. Raises the pool's ``ServiceError``."""
        assert self.secrets is not None
        name = asked.args[0]
        numbers = [kept] if isinstance(kept, int) else kept or self.secrets.numbers.get(str(name), [])
        try:
            return self.secrets.service.again(work, asked.function, name, numbers)
        except ServiceError as error:
            raise RefusedCall(str(error)) from error

    def call(self, work: Work, call: RecordedCall) -> Any:
        """The answer of a past service on the run's own writes. Raises the pool's ``ServiceError``."""
        function = self.functions[call.service].get(call.function)
        if function is None:
            raise RefusedCall(f"there is no service function {call.name}")
        try:
            return function(work, *call.args)
        except ServiceError as error:
            raise RefusedCall(str(error)) from error
        except psycopg.Error as error:
            raise RefusedCall(f"{call.name} could not look into the log: {error}") from error
        except TypeError as error:
            raise RefusedCall(f"{call.name} doesn't take {len(call.args)} arguments") from error

    def read_file(self, call: RecordedCall, sha256: str) -> Any:
        """What a call read of the content with that hash. Raises :class:`ContentMissing`, or as :meth:`call` does."""
        try:
            return read_again(self._sessions, call.function, call.args, sha256)
        except psycopg.Error as error:
            raise RefusedCall(f"{call.name} could not look into the store: {error}") from error

    def record(self, work: Work, call: RecordedCall, answer: Any) -> None:
        """Do to the run's own writes what a call did that was answered so."""
        if call.service == "docs":
            self._docs.record(work, call.function, call.args, answer)
        else:
            self.call(work, call)

    def effects(self, calls: Iterable[RecordedCall]) -> list[Effect]:
        """What calls come to: of ``kv::`` one for each key, of ``docs::`` one for each document, and each call of the
        others that changes something.
        """
        work = Work(self.app, self._caller)
        others = []
        for call in calls:
            if call.refusal is not None or call.function in READS.get(call.service, frozenset()):
                continue
            if call.service in ("docs", "kv"):
                self.record(work, call, call.value)
            else:
                others.append(Effect(call.service, call.function, call.args))
        of_keys = (Effect("kv", function, args) for function, args in self._kv.effects(work))
        of_documents = (Effect("docs", function, args) for function, args in self._docs.effects(work))
        return [*of_keys, *of_documents, *others]


def shown(call: RecordedCall) -> str:
    """A call as a script writes it, its arguments shortened."""
    if call.service == "modules":
        return f'import "{call.args[0]}"'
    if call.service == "steps":
        return f"{call.function}({', '.join(map(_short, call.args))})"
    return f"{call.name}({', '.join(map(_short, call.args))})"


def _short(value: Any) -> str:
    if value is None:
        return "()"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = '"' + value.replace('"', '\\"') + '"' if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def alike(one: Any, other: Any) -> bool:
    """Whether two plain values are the same, types too: 1 is not 1.0."""
    if type(one) is not type(other):
        return isinstance(one, list | tuple) and isinstance(other, list | tuple) and alike([*one], [*other])
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(value, other[key]) for key, value in one.items())
    return bool(one == other) or (one != one and other != other)
