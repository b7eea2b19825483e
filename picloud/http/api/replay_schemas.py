"""What goes in and out of replay jobs and of cancelling many."""

from __future__ import annotations

from typing import Final

from marshmallow import Schema, fields, validate

from picloud.domain.invocation import ENDED, State
from picloud.domain.replay_job import JobState
from picloud.http.api.schemas import LETTER_STATES, DeadLetterOut, InvocationWhole, Page

_STATES: Final = sorted({*LETTER_STATES, *(state.value for state in ENDED)} - {"replaying"})
_OPEN: Final = [state.value for state in State if state not in ENDED]
_TEXT: Final = validate.And(
    validate.Length(1, 200), validate.ContainsNoneOf("\x00", error="A NUL character can't be here.")
)


class ReplayFilter(Schema):
    """Which are replayed. `state` is that of dead letters (`open` unless said otherwise) or of ended invocations;
    `kind` and `text` are of dead letters' errors; times are those of deaths, or of requests."""

    script = fields.Str(validate=_TEXT)
    state = fields.Str(validate=validate.OneOf(_STATES))
    trigger = fields.Str(validate=validate.And(validate.Length(1, 700), validate.ContainsNoneOf("\x00")))
    kind = fields.Str(validate=_TEXT)
    text = fields.Str(validate=_TEXT)
    since = fields.AwareDateTime()
    until = fields.AwareDateTime()


class NewReplayJob(Schema):
    """A replay job to be begun, or only looked at. `version` is `current`, `original` or a number. `body` takes the
    place of every payload; `patch` is a JSON merge patch (RFC 7396) that is laid over each."""

    name = fields.Str(required=True, metadata={"example": "mend-orders"})
    source = fields.Str(load_default="dead_letters", validate=validate.OneOf(["dead_letters", "invocations"]))
    filter = fields.Nested(ReplayFilter, load_default=dict)
    version = fields.Str(load_default="current", validate=validate.Length(1, 20))
    body = fields.Str(load_default=None, allow_none=True)
    patch = fields.Raw(load_default=None, allow_none=True, metadata={"description": "A JSON object."})
    rate = fields.Str(
        load_default=None, allow_none=True, metadata={"description": "Replays at most.", "example": "50/s"}
    )
    dry_run = fields.Bool(load_default=False, metadata={"description": "Only count, and show some."})


class ReplayJobOut(Schema):
    """A replay job. `reached` of `total` were dealt with: `asked` for or `skipped`, by `reasons`. Of those asked for
    some go on, the others succeeded, are dead again or were cancelled. `note` tells why it is paused or was aborted."""

    id = fields.UUID(required=True)
    app = fields.Str(required=True)
    name = fields.Str(required=True)
    state = fields.Str(required=True, validate=validate.OneOf([state.value for state in JobState]))
    source = fields.Str(required=True)
    filter = fields.Dict(required=True)
    version = fields.Str(required=True)
    edited = fields.Str(required=True, metadata={"description": "`body`, `patch` or empty."})
    rate = fields.Str(required=True, allow_none=True)
    total = fields.Int(required=True)
    reached = fields.Int(required=True)
    asked = fields.Int(required=True)
    going_on = fields.Int(required=True)
    succeeded = fields.Int(required=True)
    dead = fields.Int(required=True)
    cancelled = fields.Int(required=True)
    skipped = fields.Int(required=True)
    reasons = fields.Dict(required=True, metadata={"description": "How many were skipped, by reason."})
    note = fields.Str(required=True)
    started_at = fields.DateTime(required=True)
    started_by = fields.Str(required=True)
    ended_at = fields.DateTime(required=True, allow_none=True)
    position = fields.Int(required=True)


class ReplayJobList(Schema):
    """Replay jobs, newest first; `next` is the cursor of the page behind, or null."""

    items = fields.List(fields.Nested(ReplayJobOut), required=True)
    next = fields.Str(required=True, allow_none=True)


class ReplayJobBegun(Schema):
    """How many there are, some of them, and the job; that is null after a dry run."""

    count = fields.Int(required=True)
    sample = fields.List(fields.Dict(), required=True)
    job = fields.Nested(ReplayJobOut, required=True, allow_none=True)


class JobsQuery(Page):
    """Which page."""


class PauseJob(Schema):
    """Why it is paused."""

    note = fields.Str(load_default="", validate=validate.Length(max=500))


class AbortJob(Schema):
    """Why it is aborted."""

    reason = fields.Str(load_default="aborted by hand", validate=validate.Length(1, 500))


class CancelFilter(Schema):
    """Which invocations are called off: of those that have not ended. Times are those of the requests."""

    script = fields.Str(validate=_TEXT)
    state = fields.Str(validate=validate.OneOf(_OPEN))
    trigger = fields.Str(validate=validate.And(validate.Length(1, 700), validate.ContainsNoneOf("\x00")))
    since = fields.AwareDateTime()
    until = fields.AwareDateTime()


class CancelMany(Schema):
    """Which invocations are called off, and why. `up_to` is a position: what was requested behind it goes on; to go on
    with what is left, give that of the answer before."""

    filter = fields.Nested(CancelFilter, load_default=dict)
    reason = fields.Str(load_default="called off by hand", validate=validate.Length(1, 500))
    up_to = fields.Int(load_default=None, allow_none=True, strict=True, validate=validate.Range(0, 2**62))
    dry_run = fields.Bool(load_default=False, metadata={"description": "Only count, and show some."})


class CancelledManyOut(Schema):
    """`matching` were there; of them `cancelled` were called off, and `ended` by themselves meanwhile. With `more`, ask
    again with `up_to`: one request calls off 10,000 at most. `sample` are some, the newest."""

    matching = fields.Int(required=True)
    cancelled = fields.Int(required=True)
    ended = fields.Int(required=True)
    more = fields.Bool(required=True)
    up_to = fields.Int(required=True)
    sample = fields.List(fields.Dict(), required=True)


class LetterReplay(Schema):
    """A replay of a dead letter: `cause` is the invocation that was replayed, or the job (then with its name)."""

    id = fields.UUID(required=True)
    state = fields.Str(required=True)
    cause = fields.UUID(required=True)
    job = fields.Str(required=True, allow_none=True)


class DeadLetterWhole(Schema):
    """A dead letter with its replays, the invocation as it was asked for first, and the one that died last, if that is
    another."""

    letter = fields.Nested(DeadLetterOut, required=True)
    replays = fields.List(fields.Nested(LetterReplay), required=True)
    invocation = fields.Nested(InvocationWhole, required=True)
    latest = fields.Nested(InvocationWhole, required=True, allow_none=True)
