"""A trigger: what makes a script run without a request: a schedule, a topic, and what else has a kind.

Routes are triggers too, but have aggregates of their own, because their names are patterns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from eventsourcing.domain import Aggregate

from picloud.domain.errors import Conflict, Invalid, NotFound
from picloud.domain.flow import TRIGGER, FlowControl
from picloud.domain.invocation import RetryPolicy, RunLimits
from picloud.domain.names import check_app_name, check_script_name, stream_id
from picloud.domain.trigger_config import Config, Queue, checked_config, read_config

MAX_NOTE: Final = 500
MAX_ATTEMPTS: Final = 100


DEFAULT_CONCURRENCY: Final = 10
"""Runs at a time of a queue that doesn't say otherwise."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How what a trigger asks for is run: how often it is tried, what a run may use, and what it waits for."""

    retry: RetryPolicy = RetryPolicy(attempts=3)
    limits: RunLimits = RunLimits()
    flow: FlowControl = FlowControl()

    def check(self) -> Delivery:
        """Return it if it can be kept. Raises :class:`Invalid`."""
        if not 1 <= self.retry.attempts <= MAX_ATTEMPTS:
            raise Invalid(f"attempts are 1 to {MAX_ATTEMPTS}, found {self.retry.attempts}", field="retry.attempts")
        if not 1.0 <= self.retry.factor <= 100.0:
            raise Invalid(f"the factor is 1 to 100, found {self.retry.factor:g}", field="retry.factor")
        self.flow.check()
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerLimits:
    """What holds for all that a trigger asked for and that waits.

    ``concurrency`` is 0 for no limit. ``holds`` tells that what was asked for waits while the trigger is paused.
    ``batch`` invocations go into one run, which waits ``batch_wait_ms`` milliseconds for them.
    """

    concurrency: int
    holds: bool
    batch: int = 1
    batch_wait_ms: int = 0

    @classmethod
    def of(cls, kind: str, config: Mapping[str, Any], delivery: Delivery) -> TriggerLimits:
        """The limits of a trigger with this configuration."""
        asked = delivery.flow.concurrency
        if kind != Queue.kind:
            return cls(concurrency=asked, holds=False)
        queue = read_config(kind, config)
        assert isinstance(queue, Queue)
        return cls(
            concurrency=asked or DEFAULT_CONCURRENCY,
            holds=True,
            batch=queue.batch,
            batch_wait_ms=queue.batch_wait_ms,
        )


class TriggerCreated(Aggregate.Created):
    """From now on what ``config`` describes makes the script run."""

    app: str
    name: str
    kind: str
    script: str
    config: dict[str, Any]
    delivery: Delivery


class TriggerChanged(Aggregate.Event):
    """The trigger is another one now; a removed one is back, and isn't paused."""

    kind: str
    script: str
    config: dict[str, Any]
    delivery: Delivery

    def apply(self, aggregate: Trigger) -> None:
        if aggregate.removed:
            aggregate.paused = None
        aggregate.kind = self.kind
        aggregate.script = self.script
        aggregate.config = self.config
        aggregate.delivery = self.delivery
        aggregate.removed = False


class TriggerPaused(Aggregate.Event):
    """Nothing comes of it until it is resumed; ``note`` says why."""

    note: str

    def apply(self, aggregate: Trigger) -> None:
        aggregate.paused = self.note


class TriggerResumed(Aggregate.Event):
    """It works again."""

    def apply(self, aggregate: Trigger) -> None:
        aggregate.paused = None


class TriggerRemoved(Aggregate.Event):
    """It is no more; what it asked for before still runs."""

    def apply(self, aggregate: Trigger) -> None:
        aggregate.removed = True


class Trigger(Aggregate):
    """See the module. ``paused`` is the note of the pause, or None."""

    def __init__(self, app: str, name: str, kind: str, script: str, config: dict[str, Any], delivery: Delivery) -> None:
        self.app = app
        self.name = name
        self.kind = kind
        self.script = script
        self.config = config
        self.delivery = delivery
        self.paused: str | None = None
        self.removed = False

    @staticmethod
    def id_of(app: str, name: str) -> UUID:
        """The stream id of the trigger ``name`` of ``app``."""
        return stream_id("trigger", app, name)

    @classmethod
    def create(
        cls, app: str, name: str, *, kind: str, script: str, config: Mapping[str, Any], delivery: Delivery, at: datetime
    ) -> Trigger:
        """A new trigger. Raises :class:`Invalid`."""
        check_app_name(app)
        check_script_name(name, field="name")
        checked = checked_config(kind, config)
        _check_batch(checked, delivery)
        return cls._create(
            TriggerCreated,
            id=cls.id_of(app, name),
            app=app,
            name=name,
            kind=kind,
            script=check_script_name(script),
            config=checked,
            delivery=delivery.check(),
            timestamp=at,
        )

    @property
    def settings(self) -> Config:
        """The configuration of its kind."""
        return read_config(self.kind, self.config)

    def change(self, *, kind: str, script: str, config: Mapping[str, Any], delivery: Delivery, at: datetime) -> bool:
        """Make it another one; return whether anything changed.

        Raises :class:`Invalid`, or :class:`Conflict` for another kind than it has.
        """
        if not self.removed and kind != self.kind:
            raise Conflict(
                f"the trigger {self.name!r} of {self.app} is of kind {self.kind}, not {kind}",
                field="kind",
                remedy="Remove it first, or choose another name.",
            )
        checked = checked_config(kind, config)
        _check_batch(checked, delivery)
        now = (self.kind, self.script, self.config, self.delivery)
        if not self.removed and now == (kind, script, checked, delivery.check()):
            return False
        self.trigger_event(
            TriggerChanged,
            kind=kind,
            script=check_script_name(script),
            config=checked,
            delivery=delivery.check(),
            timestamp=at,
        )
        return True

    def pause(self, note: str, *, at: datetime) -> None:
        """Let nothing come of it. Raises :class:`Conflict` if it is paused already."""
        self._there()
        if self.paused is not None:
            raise Conflict(f"the trigger {self.name!r} of {self.app} is paused already: {self.paused or 'no note'}")
        if len(note) > MAX_NOTE:
            raise Invalid(f"a note has at most {MAX_NOTE} characters, found {len(note)}", field="note")
        self.trigger_event(TriggerPaused, note=note, timestamp=at)

    def resume(self, *, at: datetime) -> None:
        """Let it work again. Raises :class:`Conflict` unless it is paused."""
        self._there()
        if self.paused is None:
            raise Conflict(f"the trigger {self.name!r} of {self.app} is not paused")
        self.trigger_event(TriggerResumed, timestamp=at)

    def remove(self, *, at: datetime) -> None:
        """Take it away. Raises :class:`NotFound` if it is gone."""
        self._there()
        self.trigger_event(TriggerRemoved, timestamp=at)

    def _there(self) -> None:
        if self.removed:
            raise NotFound(f"there is no trigger {self.name!r} in {self.app}", field="trigger")


def _check_batch(config: Mapping[str, Any], delivery: Delivery) -> None:
    if config.get("batch", 1) > 1 and delivery.flow.concurrency_key != TRIGGER:
        raise Invalid(
            "a queue with batches counts its runs as a whole: it can't have a concurrency key",
            field="concurrency_key",
            remedy="Leave the key out, or set batch to 1.",
        )
