"""What goes in and out of inspections."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

MAX_STEPS = 10_000


class TraceWanted(Schema):
    """Which steps of the run: `limit` of them, from number `skip` on; the last ones without `skip`."""

    limit = fields.Int(load_default=1_000, strict=True, validate=validate.Range(1, MAX_STEPS))
    skip = fields.Int(load_default=None, allow_none=True, strict=True, validate=validate.Range(0, 2**53))


class Inspect(Schema):
    """Which attempt (the last that failed, else the last), and a `source` to run in place of the script's."""

    attempt = fields.Int(load_default=None, allow_none=True, strict=True, validate=validate.Range(1, 2**31))
    source = fields.Str(load_default=None, allow_none=True, validate=validate.Length(1, 256 * 1024))
    trace = fields.Nested(TraceWanted, load_default=None, allow_none=True)


class EffectOut(Schema):
    """A call of a service that changes something."""

    service = fields.Str(required=True)
    function = fields.Str(required=True)
    args = fields.List(fields.Raw(allow_none=True), required=True)


class EndedOut(Schema):
    """How a run ended. The effects of a run that failed are those it would have had; null if they aren't known."""

    succeeded = fields.Bool(required=True)
    reply = fields.Dict(required=True, allow_none=True)
    thrown = fields.Bool(required=True)
    error = fields.Dict(required=True, allow_none=True)
    logs = fields.List(fields.Dict(), required=True)
    effects = fields.List(fields.Nested(EffectOut), required=True, allow_none=True)
    operations = fields.Int(required=True)
    duration_us = fields.Int(required=True)


class DifferenceOut(Schema):
    """Which effects the inspected run has more and less than the record."""

    added = fields.List(fields.Nested(EffectOut), required=True)
    missing = fields.List(fields.Nested(EffectOut), required=True)


class ChangeOut(Schema):
    """What a step gave to a variable, or to a part of it: as text, shortened. `old` is null if it wasn't there."""

    name = fields.Str(required=True)
    old = fields.Str(required=True, allow_none=True)
    new = fields.Str(required=True, allow_none=True)


class StepOut(Schema):
    """A step: `line`, `after` a line that called, `enter` and `leave` of a function, `call` of a service, `log`."""

    kind = fields.Str(required=True)
    part = fields.Str(required=True, metadata={"description": "The module; empty for the script itself."})
    function = fields.Str(required=True)
    line = fields.Int(required=True)
    depth = fields.Int(required=True)
    text = fields.Str(required=True)
    changes = fields.List(fields.Nested(ChangeOut), required=True)


class TraceOut(Schema):
    """Steps of the run: those behind the first `skipped` of `count`, and the `sources` of their parts."""

    steps = fields.List(fields.Nested(StepOut), required=True)
    count = fields.Int(required=True)
    skipped = fields.Int(required=True)
    sources = fields.Dict(keys=fields.Str(), values=fields.Str(), required=True)


class InspectionOut(Schema):
    """How the attempt ended (`record`) and how it ends when it is run again on its record (`result`).

    `exact` tells whether it did the same again, null with another script; `why_not` what it did otherwise first.
    `calls` is how many calls of services are recorded, null if nothing is.
    """

    invocation = fields.UUID(required=True)
    app = fields.Str(required=True)
    script = fields.Str(required=True)
    version = fields.Int(required=True)
    attempt = fields.Int(required=True)
    record = fields.Nested(EndedOut, required=True)
    result = fields.Nested(EndedOut, required=True)
    exact = fields.Bool(required=True, allow_none=True)
    why_not = fields.Str(required=True)
    calls = fields.Int(required=True, allow_none=True)
    effects = fields.Nested(DifferenceOut, required=True, allow_none=True)
    notes = fields.List(fields.Str(), required=True)
    trace = fields.Nested(TraceOut, required=True, allow_none=True)
