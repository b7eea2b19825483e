"""What goes in and out of the control plane, as marshmallow schemas. Unknown fields are refused."""

from __future__ import annotations

from typing import Final

from marshmallow import Schema, fields, validate

from picloud.domain.invocation import State
from picloud.http.api.flow_schemas import FlowIn, FlowOut

APP_NAME: Final = "[a-z][a-z0-9-]{0,62}"
SCRIPT_NAME: Final = "[a-z][a-z0-9_-]{0,62}"
MAX_INTEGER: Final = 2**62

_LABEL: Final = validate.Length(min=1, max=63)
_DURABILITY: Final = validate.OneOf(["outbox", "outcome"])


class Page(Schema):
    """Query of a list."""

    limit = fields.Int(load_default=50, validate=validate.Range(1, 1000), metadata={"description": "Rows at most."})
    cursor = fields.Str(metadata={"description": "The `next` of the page before."})


class NewApp(Schema):
    """An app to be made."""

    name = fields.Str(required=True, validate=validate.Length(1, 200), metadata={"example": "demo"})


class AppOut(Schema):
    """An app."""

    name = fields.Str(required=True)
    created_at = fields.DateTime(required=True)
    scripts = fields.Int(required=True)
    routes = fields.Int(required=True)


class AppList(Schema):
    """Apps."""

    items = fields.List(fields.Nested(AppOut), required=True)


_DEPENDENTS: Final = {"description": "Deploy the scripts that import it again, in the same commit, on this version."}


class Deploy(Schema):
    """A script to be deployed."""

    source = fields.Str(required=True, metadata={"description": "The Rhai source.", "example": '"Hello!"'})
    routes = fields.List(
        fields.Str(validate=validate.Length(1, 600)),
        load_default=list,
        validate=validate.Length(max=50),
        metadata={"description": "Routes to point to the script.", "example": ["GET /hello/{name}"]},
    )
    durability = fields.Str(load_default=None, allow_none=True, validate=_DURABILITY)
    dependents = fields.Bool(load_default=False, metadata=_DEPENDENTS)


class DeployQuery(Schema):
    """Query of a deploy in plain text."""

    route = fields.List(fields.Str(), load_default=list, metadata={"description": "With a text body: routes."})
    durability = fields.Str(load_default=None, validate=_DURABILITY)
    dependents = fields.Bool(load_default=False, metadata=_DEPENDENTS)


class NewRoute(Schema):
    """A route to be added, or pointed elsewhere."""

    route = fields.Str(required=True, validate=validate.Length(1, 600), metadata={"example": "GET /hello/{name}"})
    script = fields.Str(required=True, metadata={"example": "hello"})
    durability = fields.Str(load_default=None, allow_none=True, validate=_DURABILITY)


class RouteQuery(Schema):
    """Which route."""

    route = fields.Str(required=True, validate=validate.Length(1, 600), metadata={"example": "GET /hello/{name}"})


class RetryIn(Schema):
    """How often a failed run is tried again. Delays are durations such as `30s`; `delays` take the place of the other
    three, and are waited one after the other. `on` names the kinds of errors to try again; empty: all."""

    attempts = fields.Int(load_default=3, strict=True, validate=validate.Range(1, 100))
    first = fields.Str(load_default="1s")
    factor = fields.Float(load_default=2.0, validate=validate.Range(1, 100))
    max = fields.Str(load_default="5m")
    delays = fields.List(fields.Str(), load_default=list, validate=validate.Length(max=100))
    on = fields.List(fields.Str(validate=validate.Length(1, 100)), load_default=list, validate=validate.Length(max=50))
    deadline = fields.Str(load_default=None, allow_none=True)


class TriggerIn(Schema):
    """What a trigger is to be. `config` is that of its kind; what is left out of the rest stays as it is."""

    kind = fields.Str(required=True, validate=validate.Length(1, 40), metadata={"example": "cron"})
    script = fields.Str(required=True, metadata={"example": "hello"})
    config = fields.Dict(keys=fields.Str(), load_default=dict, metadata={"example": {"cron": "0 9 * * 1-5"}})
    retry = fields.Nested(RetryIn, load_default=None, allow_none=True)
    timeout = fields.Str(load_default=None, allow_none=True, metadata={"description": "Of one run, such as `5s`."})
    operations = fields.Int(load_default=None, allow_none=True, strict=True, validate=validate.Range(1, MAX_INTEGER))
    flow = fields.Nested(FlowIn, load_default=None, allow_none=True)


class RetryOut(Schema):
    """How often a failed run is tried again."""

    attempts = fields.Int(required=True)
    first = fields.Str(required=True)
    factor = fields.Float(required=True)
    max = fields.Str(required=True)
    delays = fields.List(fields.Str(), required=True)
    on = fields.List(fields.Str(), required=True)
    deadline = fields.Str(required=True, allow_none=True)


class TriggerOut(Schema):
    """A trigger. `paused` is the note of its pause, or null; `next_due` is that of a schedule."""

    name = fields.Str(required=True)
    kind = fields.Str(required=True)
    script = fields.Str(required=True)
    config = fields.Dict(required=True)
    retry = fields.Nested(RetryOut, required=True)
    timeout = fields.Str(required=True, allow_none=True)
    operations = fields.Int(required=True, allow_none=True)
    flow = fields.Nested(FlowOut, required=True)
    paused = fields.Str(required=True, allow_none=True)
    since = fields.DateTime(required=True)
    last_due = fields.DateTime(required=True, allow_none=True)
    last_invocation = fields.UUID(required=True, allow_none=True)
    next_due = fields.DateTime(required=True, allow_none=True)


class TriggerList(Schema):
    """Triggers, by name."""

    items = fields.List(fields.Nested(TriggerOut), required=True)


class PauseIn(Schema):
    """Why it is paused."""

    note = fields.Str(load_default="", validate=validate.Length(max=500))


class Fire(Schema):
    """What the script is to find as `ctx.event.data`: any JSON; or a `sample` of what the kind gives."""

    data = fields.Raw(load_default=None, allow_none=True)
    sample = fields.Bool(load_default=False)


class PreviewQuery(Schema):
    """From when on, and how many."""

    after = fields.AwareDateTime()
    count = fields.Int(load_default=5, validate=validate.Range(1, 1000))


class ScheduleQuery(PreviewQuery):
    """A schedule that need not belong to a trigger."""

    cron = fields.Str(required=True, metadata={"example": "0 9 * * 1-5"})
    zone = fields.Str(load_default="UTC", metadata={"example": "Europe/Berlin"})


class DueTimes(Schema):
    """Due times in UTC, in order."""

    items = fields.List(fields.DateTime(), required=True)


class BackfillIn(Schema):
    """A range of due times, and whether only to count."""

    since = fields.AwareDateTime(required=True)
    until = fields.AwareDateTime(required=True)
    dry_run = fields.Bool(load_default=False)


class BackfillOut(Schema):
    """How many due times are in the range, and how many had no invocation and were (or would be) fired."""

    due = fields.Int(required=True)
    fired = fields.Int(required=True)


class PinnedImport(Schema):
    """A script that a version imports, and in which version."""

    script = fields.Str(required=True)
    version = fields.Int(required=True)


class Dependent(Schema):
    """A script that imports the one that changed: its version, and which one of the other it uses. `was` is its version
    before it was deployed again; null if it wasn't, and so uses another version than the current one."""

    script = fields.Str(required=True)
    version = fields.Int(required=True)
    uses = fields.Int(required=True)
    was = fields.Int(required=True, allow_none=True)


class Deployed(Schema):
    """What a deploy did."""

    app = fields.Str(required=True)
    script = fields.Str(required=True)
    version = fields.Int(required=True)
    sha256 = fields.Str(required=True)
    size = fields.Int(required=True)
    changed = fields.Bool(required=True)
    urls = fields.List(fields.Str(), required=True)
    imports = fields.List(fields.Nested(PinnedImport), required=True)
    dependents = fields.List(fields.Nested(Dependent), required=True)


class ScriptOut(Schema):
    """A deployed script."""

    app = fields.Str(required=True)
    name = fields.Str(required=True)
    current = fields.Int(required=True)
    sha256 = fields.Str(required=True)
    disabled = fields.Str(required=True, allow_none=True)
    updated_at = fields.DateTime(required=True)
    size = fields.Int(required=True)
    deployed_at = fields.DateTime(required=True)
    deployed_by = fields.Str(required=True)


class ScriptList(Schema):
    """Scripts."""

    items = fields.List(fields.Nested(ScriptOut), required=True)


class VersionOut(Schema):
    """A version of a script."""

    number = fields.Int(required=True)
    sha256 = fields.Str(required=True)
    size = fields.Int(required=True)
    deployed_at = fields.DateTime(required=True)
    deployed_by = fields.Str(required=True)
    current = fields.Bool(required=True)
    imports = fields.List(
        fields.Nested(PinnedImport),
        required=True,
        allow_none=True,
        metadata={"description": "null: from before imports were pinned; what is deployed counts."},
    )


class VersionList(Schema):
    """Versions, newest first."""

    items = fields.List(fields.Nested(VersionOut), required=True)


class SourceQuery(Schema):
    """Which version's source."""

    version = fields.Int(validate=validate.Range(1, MAX_INTEGER), metadata={"description": "Default: the current one."})


class RollBack(Schema):
    """The version to go back to."""

    version = fields.Int(required=True, strict=True, validate=validate.Range(1, MAX_INTEGER))
    dependents = fields.Bool(load_default=False, metadata=_DEPENDENTS)


class RolledBack(Schema):
    """What a rollback did."""

    version = fields.Int(required=True)
    from_version = fields.Int(required=True)
    dependents = fields.List(fields.Nested(Dependent), required=True)


class Disable(Schema):
    """Why calls are refused."""

    reason = fields.Str(required=True, validate=_LABEL)


class NewToken(Schema):
    """A token to be issued."""

    name = fields.Str(required=True, validate=_LABEL)
    role = fields.Str(required=True, validate=validate.OneOf(["owner", "editor", "viewer"]))
    apps = fields.List(fields.Str(), load_default=list, metadata={"description": "Only for these apps; empty: all."})


class TokenOut(Schema):
    """A token, without its secret."""

    id = fields.UUID(required=True)
    name = fields.Str(required=True)
    role = fields.Str(required=True)
    apps = fields.List(fields.Str(), required=True)
    issued_at = fields.DateTime(required=True)
    revoked_at = fields.DateTime(required=True, allow_none=True)


class TokenList(Schema):
    """Tokens."""

    items = fields.List(fields.Nested(TokenOut), required=True)


class IssuedToken(Schema):
    """A new token. The secret is shown this once."""

    id = fields.UUID(required=True)
    token = fields.Str(required=True)


class Me(Schema):
    """Who the token says you are."""

    name = fields.Str(required=True)
    role = fields.Str(required=True)
    apps = fields.List(fields.Str(), required=True)


LETTER_STATES: Final = ["open", "replaying", "saved", "discarded"]


class InvocationOut(Schema):
    """An invocation in a list."""

    id = fields.UUID(required=True)
    app = fields.Str(required=True)
    script = fields.Str(required=True)
    version = fields.Int(required=True)
    state = fields.Str(required=True, validate=validate.OneOf([state.value for state in State]))
    trigger = fields.Str(required=True)
    route = fields.Str(required=True)
    method = fields.Str(required=True)
    path = fields.Str(required=True)
    attempt = fields.Int(required=True)
    requested_at = fields.DateTime(required=True)
    started_at = fields.DateTime(required=True, allow_none=True)
    ended_at = fields.DateTime(required=True, allow_none=True)
    due = fields.DateTime(required=True, allow_none=True)
    status = fields.Int(required=True, allow_none=True)
    duration_us = fields.Int(required=True, allow_none=True)
    cpu_us = fields.Int(required=True, allow_none=True)
    operations = fields.Int(required=True, allow_none=True)
    error_kind = fields.Str(required=True, allow_none=True)
    error_message = fields.Str(required=True, allow_none=True)
    error_line = fields.Int(required=True, allow_none=True)
    error_column = fields.Int(required=True, allow_none=True)
    replay_of = fields.UUID(required=True, allow_none=True)
    replayed_by = fields.List(fields.UUID(), required=True)
    correlation_id = fields.UUID(required=True)
    waits_for = fields.Str(
        required=True, metadata={"description": "The topic that a suspended one waits for; `due` is until when."}
    )
    position = fields.Int(required=True)


class InvocationList(Schema):
    """Invocations, newest first; `next` is the cursor of the page behind, or null."""

    items = fields.List(fields.Nested(InvocationOut), required=True)
    next = fields.Str(required=True, allow_none=True)


class InvocationQuery(Page):
    """Which invocations."""

    script = fields.Str()
    trigger = fields.Str(metadata={"description": "A kind (`http`, `api`), or a name, such as `GET /hello/{name}`."})
    state = fields.Str(validate=validate.OneOf([state.value for state in State]))
    since = fields.AwareDateTime()
    until = fields.AwareDateTime()


class Wait(Schema):
    """How long to wait for an end, in seconds: the answer comes at once if there is one."""

    wait = fields.Int(load_default=0, validate=validate.Range(0, 60))


class DeadLetterOut(Schema):
    """An invocation that used up its attempts, with its last error and what became of it since. `died_as` is the latest
    invocation that died: itself, or a replay of it. `saved_by` is the replay that succeeded."""

    id = fields.UUID(required=True)
    app = fields.Str(required=True)
    script = fields.Str(required=True)
    version = fields.Int(required=True)
    state = fields.Str(required=True, validate=validate.OneOf(LETTER_STATES))
    trigger = fields.Str(required=True)
    route = fields.Str(required=True)
    method = fields.Str(required=True)
    path = fields.Str(required=True)
    requested_at = fields.DateTime(required=True)
    died_as = fields.UUID(required=True)
    died_at = fields.DateTime(required=True)
    reason = fields.Str(required=True)
    attempts = fields.Int(required=True)
    error_kind = fields.Str(required=True)
    error_message = fields.Str(required=True)
    error_line = fields.Int(required=True)
    error_column = fields.Int(required=True)
    replays = fields.Int(required=True)
    saved_by = fields.UUID(required=True, allow_none=True)
    saved_at = fields.DateTime(required=True, allow_none=True)
    discarded_by = fields.Str(required=True, allow_none=True)
    discarded_at = fields.DateTime(required=True, allow_none=True)
    discard_reason = fields.Str(required=True, allow_none=True)
    replay_of = fields.UUID(required=True, allow_none=True)
    correlation_id = fields.UUID(required=True)
    position = fields.Int(required=True)


class Cause(Schema):
    """What led to an invocation, directly or not: an `invocation` (`name` is its script), a `replay job`, a `trigger`;
    `actor` is who asked for it."""

    id = fields.UUID(required=True)
    kind = fields.Str(required=True)
    app = fields.Str(required=True)
    name = fields.Str(required=True)
    trigger = fields.Str(required=True, allow_none=True)
    actor = fields.Str(required=True)
    at = fields.DateTime(required=True)


class Checkpoint(Schema):
    """A durable step that is done, a `sleep` or a `wait_for`: its `name` is the step's, or the time or the topic."""

    number = fields.Int(required=True)
    kind = fields.Str(required=True, validate=validate.OneOf(["step", "sleep", "wait_for"]))
    name = fields.Str(required=True)
    attempt = fields.Int(required=True)
    at = fields.DateTime(required=True)
    effects = fields.Int(required=True)
    duration_us = fields.Int(required=True, allow_none=True)
    until = fields.DateTime(required=True, allow_none=True)
    filter = fields.Dict(required=True, allow_none=True)
    message = fields.UUID(required=True, allow_none=True, metadata={"description": "The one that ended the wait."})


class InvocationWhole(Schema):
    """One invocation with everything that is known of it."""

    id = fields.UUID(required=True)
    state = fields.Str(required=True)
    app = fields.Str(required=True)
    script = fields.Str(required=True)
    version = fields.Int(required=True)
    trigger = fields.Dict(required=True)
    actor = fields.Str(required=True)
    requested_at = fields.DateTime(required=True)
    ended_at = fields.DateTime(required=True, allow_none=True)
    correlation_id = fields.UUID(required=True)
    replay_of = fields.UUID(required=True, allow_none=True)
    replayed_by = fields.List(fields.UUID(), required=True)
    idempotency_key = fields.Str(required=True, allow_none=True)
    input = fields.Dict(required=True)
    auth = fields.Dict(required=True, allow_none=True)
    event = fields.Dict(required=True, allow_none=True)
    reply = fields.Dict(required=True, allow_none=True)
    reason = fields.Str(required=True, allow_none=True)
    discard_reason = fields.Str(required=True, allow_none=True)
    dead_letter = fields.Nested(DeadLetterOut, required=True, allow_none=True)
    causes = fields.List(fields.Nested(Cause), required=True, metadata={"description": "The direct one first."})
    attempts = fields.List(fields.Dict(), required=True)
    steps = fields.List(fields.Nested(Checkpoint), required=True)
    logs = fields.List(fields.Dict(), required=True)
    events = fields.List(fields.Dict(), required=True)


class Run(Schema):
    """A run asked for by API: the request that the script is to see."""

    method = fields.Str(load_default="POST", validate=validate.OneOf(["GET", "POST", "PUT", "PATCH", "DELETE"]))
    path = fields.Str(load_default="/", validate=validate.Length(1, 4096))
    params = fields.Dict(keys=fields.Str(), values=fields.Str(), load_default=dict)
    query = fields.Dict(keys=fields.Str(), values=fields.Str(), load_default=dict)
    headers = fields.Dict(keys=fields.Str(), values=fields.Str(), load_default=dict)
    body = fields.Str(load_default="")
    attempts = fields.Int(load_default=1, strict=True, validate=validate.Range(1, 100))


class Accepted(Schema):
    """An invocation that was accepted."""

    invocation = fields.UUID(required=True)


class Replay(Schema):
    """On which version: `current`, `original` or a number. A `body` takes the place of the input's; a `patch` is a JSON
    merge patch (RFC 7396) that is laid over it."""

    version = fields.Str(load_default="current", validate=validate.Length(1, 20))
    body = fields.Str(load_default=None, allow_none=True)
    patch = fields.Raw(load_default=None, allow_none=True, metadata={"description": "A JSON object."})


class Cancel(Schema):
    """Why it is called off."""

    reason = fields.Str(load_default="called off by hand", validate=_LABEL)


class DeadLetterList(Schema):
    """Dead letters, newest first; `next` is the cursor of the page behind, or null."""

    items = fields.List(fields.Nested(DeadLetterOut), required=True)
    next = fields.Str(required=True, allow_none=True)


class DeadLetterQuery(Page):
    """Which dead letters: `kind` is that of the error, `text` is in its message, times are those of deaths."""

    script = fields.Str()
    state = fields.Str(validate=validate.OneOf(LETTER_STATES))
    trigger = fields.Str(metadata={"description": "A kind (`http`, `api`, `cron`), or a name."})
    kind = fields.Str(validate=validate.Length(1, 100))
    text = fields.Str(validate=validate.Length(1, 200))
    since = fields.AwareDateTime()
    until = fields.AwareDateTime()


class Discard(Schema):
    """Why it is given up."""

    reason = fields.Str(required=True, validate=validate.Length(1, 500))


class LogLine(Schema):
    """What a script printed or logged."""

    position = fields.Int(required=True)
    seq = fields.Int(required=True)
    invocation = fields.UUID(required=True)
    script = fields.Str(required=True)
    attempt = fields.Int(required=True)
    at = fields.DateTime(required=True)
    level = fields.Str(required=True)
    message = fields.Str(required=True)
    fields_ = fields.Dict(required=True, allow_none=True, data_key="fields")
    line = fields.Int(required=True)


class LogList(Schema):
    """Log lines, oldest first; `next` is the cursor behind the last one."""

    items = fields.List(fields.Nested(LogLine), required=True)
    next = fields.Str(required=True, allow_none=True)


class LogQuery(Page):
    """Which log lines. Without a cursor: the newest."""

    script = fields.Str()
    invocation = fields.UUID()
    level = fields.Str()
    follow = fields.Bool(metadata={"description": "Stream lines as NDJSON as they come."})


class EventOut(Schema):
    """An event of the audit trail."""

    position = fields.Int(required=True)
    type = fields.Str(required=True)
    at = fields.DateTime(required=True)
    app = fields.Str(required=True)
    actor = fields.Str(required=True)
    stream = fields.UUID(required=True)
    version = fields.Int(required=True)
    correlation_id = fields.UUID(required=True)
    causation_id = fields.UUID(required=True)
    content = fields.Dict(required=True)


class EventList(Schema):
    """Events; `next` is the cursor of the page behind, or null."""

    items = fields.List(fields.Nested(EventOut), required=True)
    next = fields.Str(required=True, allow_none=True)


class EventQuery(Page):
    """Which events."""

    app = fields.Str()
    type = fields.Str()
    actor = fields.Str()
    stream = fields.UUID()
    correlation = fields.UUID()
    since = fields.AwareDateTime()
    until = fields.AwareDateTime()
    order = fields.Str(load_default="desc", validate=validate.OneOf(["asc", "desc"]))


class ProjectionOut(Schema):
    """A projection."""

    name = fields.Str(required=True)
    version = fields.Int(required=True)
    position = fields.Int(required=True)
    head = fields.Int(required=True)
    lag = fields.Int(required=True, metadata={"description": "Events behind the head of the log."})
    state = fields.Str(required=True)
    error = fields.Str(required=True, allow_none=True)
    updated_at = fields.DateTime(required=True)


class ProjectionList(Schema):
    """Projections."""

    items = fields.List(fields.Nested(ProjectionOut), required=True)


class NewRebuild(Schema):
    """How to rebuild."""

    verify = fields.Bool(load_default=False, metadata={"description": "Compare with the live rows before the swap."})


class RebuildOut(Schema):
    """A rebuild."""

    id = fields.UUID(required=True)
    projection = fields.Str(required=True)
    verify = fields.Bool(required=True)
    state = fields.Str(required=True)
    phase = fields.Str(required=True, allow_none=True)
    events_done = fields.Int(required=True)
    events_total = fields.Int(required=True)
    seconds = fields.Float(required=True)
    difference = fields.Str(required=True, allow_none=True)
    reason = fields.Str(required=True, allow_none=True)


class RebuildId(Schema):
    """A rebuild that was asked for."""

    rebuild = fields.UUID(required=True)


class NodeOut(Schema):
    """A node."""

    id = fields.UUID(required=True)
    host = fields.Str(required=True)
    pid = fields.Int(required=True)
    capacity = fields.Int(required=True)
    state = fields.Str(required=True)
    started_at = fields.DateTime(required=True)
    ended_at = fields.DateTime(required=True, allow_none=True)


class NodeList(Schema):
    """Nodes."""

    items = fields.List(fields.Nested(NodeOut), required=True)
