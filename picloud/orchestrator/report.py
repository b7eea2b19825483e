"""The report on a run that was repeated: how it ended then and now, and what differs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from picloud.executor.protocol import LogLine, Reply, Result, RunError
from picloud.executor.redaction import Redaction
from picloud.orchestrator.batches import MESSAGE_FAILED
from picloud.orchestrator.journal import Journal
from picloud.orchestrator.repetition import Effect, Repetition, alike
from picloud.rhai.steps import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended: with a ``reply`` (maybe ``thrown``) or an ``error``; its log lines, its effects and its cost.

    The effects of a run that failed, or threw its answer, are those that it would have had. None if they aren't known.
    """

    succeeded: bool
    reply: Reply | None = None
    thrown: bool = False
    error: RunError | None = None
    logs: list[LogLine] = field(default_factory=list)
    effects: list[Effect] | None = None
    operations: int = 0
    duration_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Of effects: what the inspected run has more and less than the record."""

    added: list[Effect]
    missing: list[Effect]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """Steps of the run: those behind the first ``skipped`` of ``count``; ``sources`` are those of the parts that they
    are in.
    """

    steps: list[Step]
    count: int
    skipped: int
    sources: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """The report.

    ``record`` is how the attempt ended, ``result`` how it ended now. ``exact`` tells whether it did the same again,
    None with another script; ``why_not`` is the first thing that it did otherwise. ``calls`` is how many calls of
    services the record has, None without a journal. ``effects`` is how the effects differ, None if those of the record
    aren't known. ``notes`` say what was not recorded, and what stood for it.
    """

    attempt: int
    record: Ended
    result: Ended
    exact: bool | None
    why_not: str
    calls: int | None
    effects: Difference | None
    notes: list[str]
    trace: Traced | None = None


def ended(result: Result, effects: list[Effect]) -> Ended:
    """How a run ended, with the effects that it had."""
    return Ended(
        succeeded=result.reply is not None,
        reply=result.reply,
        thrown=result.thrown,
        error=result.error,
        logs=result.logs,
        # Who throws an answer gives the work up.
        effects=[] if result.thrown else effects,
        operations=result.operations,
        duration_us=result.wall_us,
    )


def without_secrets(whole: Ended, redaction: Redaction) -> Ended:
    """The same, with the effects as a record may have them; what was printed and the error are that already."""
    if not redaction or whole.effects is None:
        return whole
    effects = [Effect(each.service, each.function, redaction.plain(each.args)) for each in whole.effects]
    return replace(whole, effects=effects)


def why_not(record: Ended, now: Ended, journal: Journal | None, repetition: Repetition, result: Result) -> str:
    """What the repeated run did otherwise, the first thing first; empty if nothing."""
    if repetition.divergence is not None and journal is not None:
        return str(repetition.divergence)
    if repetition.beyond_record and journal is not None:
        return "it went on behind the part of the record that was kept"
    if journal is not None and len(result.readings) > len(journal.readings):
        return "it read timestamp() more often than is recorded"
    if not _is_named(record, now) and not same_end(record, now):
        return "it ended otherwise"
    if not _same_logs(record.logs, now.logs):
        return "it printed something else"
    if journal is None and repetition.calls:
        return "there is no journal: whether services answered the same can't be told"
    return ""


def _is_named(record: Ended, now: Ended) -> bool:
    """Whether it is a message of a batch that the run's answer named as failed: the run itself ended well."""
    return record.error is not None and record.error.kind == MESSAGE_FAILED and now.reply is not None


def same_end(one: Ended, other: Ended) -> bool:
    """Whether both ended with the same answer, or the same error at the same place."""
    return (one.error, one.thrown) == (other.error, other.thrown) and _reply(one.reply) == _reply(other.reply)


def _reply(reply: Reply | None) -> Any:
    return (
        None
        if reply is None
        else (reply.status, [tuple(header) for header in reply.headers], bytes(reply.body), reply.file)
    )


def _same_logs(one: list[LogLine], other: list[LogLine]) -> bool:
    """The same lines; when they were printed is another matter."""
    return [(line.level, line.message, line.line, line.fields) for line in one] == [
        (line.level, line.message, line.line, line.fields) for line in other
    ]


def difference(record: list[Effect], result: list[Effect]) -> Difference:
    """What the effects of a result have more and less than those of the record."""
    left = list(record)
    added = []
    for effect in result:
        same = next((each for each in left if _same_effect(each, effect)), None)
        if same is None:
            added.append(effect)
        else:
            left.remove(same)
    return Difference(added=added, missing=left)


def _same_effect(one: Effect, other: Effect) -> bool:
    return (one.service, one.function) == (other.service, other.function) and alike(one.args, other.args)
