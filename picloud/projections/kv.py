"""Keys and values, written inline by the append: a run that starts after a commit reads what it wrote.

What events do to the rows is one function of the database, ``log.change_kv``, for the append and for rebuilds. A
deleted key keeps its row, with no value, because its version goes on counting; so does one that has expired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Final

from picloud.domain.kv import MAX_VALUE_BYTES, KeyAppended, KeyDeleted, KeyIncremented, KeyWritten
from picloud.domain.metadata import Metadata
from picloud.domain.quota import DEFAULTS

_KINDS: Final = {
    KeyWritten: "set",
    KeyDeleted: "delete",
    KeyIncremented: "increment",
    KeyAppended: "append",
}


@dataclass(frozen=True, slots=True)
class Step:
    """What ``events`` events of one kind, one behind the other, do to a key at one time."""

    kind: str
    value: str | None
    expires: datetime | None
    at: datetime | None
    events: int = 1

    def then(self, later: Step) -> Step | None:
        """Both as one; None if that isn't the same."""
        if self.kind != later.kind or self.at != later.at:
            return None
        events = self.events + later.events
        if self.kind == "increment":
            return replace(self, value=str(int(self.value or 0) + int(later.value or 0)), events=events)
        if self.kind == "append":
            return replace(self, value=f"{self.value},{later.value}", events=events)
        return replace(later, events=events)


class KvChange:
    """What a run of events, in order, does to the entries: for each key its steps."""

    __slots__ = ("steps",)

    types: ClassVar[tuple[type, ...]] = tuple(_KINDS)
    call: ClassVar[str] = (
        "log.change_kv(%b::text, %b::boolean, %b::bigint, %b::bigint, %b::integer, %b::text[], %b::text[], %b::text[],"
        " %b::text[], %b::timestamptz[], %b::bigint[], %b::timestamptz[])"
    )

    def __init__(self) -> None:
        self.steps: dict[tuple[str, str], list[Step]] = {}

    def add(
        self,
        event: KeyWritten | KeyDeleted | KeyIncremented | KeyAppended,
        metadata: Metadata,
        at: datetime | None = None,
    ) -> None:
        """Fold one more event."""
        match event:
            case KeyWritten(value=value, expires=expires):
                step = Step("set", value, expires, at)
            case KeyIncremented(by=by, expires=expires):
                step = Step("increment", str(by), expires, at)
            case KeyAppended(items=items, expires=expires):
                step = Step("append", items, expires, at)
            case KeyDeleted():
                step = Step("delete", None, None, at)
        self._put((metadata.app, event.key), step)

    def _put(self, key: tuple[str, str], step: Step) -> None:
        steps = self.steps.setdefault(key, [])
        joined = steps[-1].then(step) if steps else None
        if joined is None:
            steps.append(step)
        else:
            steps[-1] = joined

    def rounds(self) -> list[KvChange]:
        """The same as changes of one step for each key, to be done one after the other."""
        rounds: list[KvChange] = []
        for key, steps in self.steps.items():
            for number, step in enumerate(steps):
                if number == len(rounds):
                    rounds.append(KvChange())
                rounds[number].steps[key] = [step]
        return rounds

    @staticmethod
    def arguments(changes: Sequence[KvChange], store: str | None = None) -> tuple[Any, ...]:
        """See :class:`picloud.projections.inlining.InlineChange`. No key may have several steps."""
        joined = KvChange()
        for change in changes:
            for key, steps in change.steps.items():
                for step in steps:
                    joined._put(key, step)
        rows = [(*key, step) for key, steps in joined.steps.items() for step in steps]
        assert len(rows) == len(joined.steps), "a key may change in one way only in one append"
        quota = DEFAULTS["kv"]
        return (
            store or "kv",
            store is None,
            quota.items,
            quota.bytes,
            MAX_VALUE_BYTES,
            [app for app, _, _ in rows],
            [key for _, key, _ in rows],
            [step.kind for _, _, step in rows],
            [step.value for _, _, step in rows],
            [step.expires for _, _, step in rows],
            [step.events for _, _, step in rows],
            [step.at for _, _, step in rows],
        )
