"""Messages: published to topics, sent to queues; and who subscribes to what."""

from __future__ import annotations

import json
from typing import Any, Final
from uuid import UUID

from picloud.domain.access import Role
from picloud.domain.errors import Invalid
from picloud.domain.message import BYTES, MAX_MESSAGES, Message, order_of
from picloud.domain.names import stream_id
from picloud.domain.subject import check_topic, matches
from picloud.domain.trigger_config import Topic
from picloud.http.api.message_schemas import (
    MessageIn,
    MessageOptions,
    PublishedOut,
    SentOut,
    SubscriptionList,
    SubscriptionQuery,
)
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.idempotency import HEADER, idempotency_key
from picloud.log.ids import new_id
from picloud.orchestrator.control import messages as control
from picloud.orchestrator.control.apps import existing_app
from picloud.projections.triggers import triggers_of

_REPLAYED: Final = {"Idempotent-Replayed": "true"}


def _publish(request: Request) -> Reply:
    app, topic = request.params["app"], check_topic(request.params["topic"])
    now = request.context.control.now()
    key = idempotency_key(request.http.get_header(HEADER))
    message = Message(
        id=new_id() if key is None else stream_id("message", app, topic, key),
        data=request.body,
        sent=now,
        content_type=request.http.content_type or BYTES,
        order=order_of(now=now, **request.query),
    )
    context = request.context
    done = control.publish(context.control, context.node.messaging, request.command, app, topic, message)
    content = {"message": message.id, "topic": topic, "invocations": done.invocations, "left_out": done.left_out}
    headers = {"Location": f"/api/v1/events?app={app}&stream={message.id}"}
    return Reply(status=202, content=content, headers=headers | (_REPLAYED if done.again else {}))


def _send(request: Request) -> Reply:
    app, queue = request.params["app"], request.params["queue"]
    key = idempotency_key(request.http.get_header(HEADER))
    many = len(request.body) > 1
    messages = []
    for number, given in enumerate(request.body):
        message_id = new_id() if key is None else stream_id("sent", app, queue, key, str(number))
        messages.append(_message(request, given, message_id, f"{number}." if many else ""))
    context = request.context
    sent = control.send(context.control, context.node.messaging, request.command, app, queue, messages)
    return Reply(
        status=202,
        content={"queue": queue, "messages": [message.id for message in messages]},
        headers={"Location": f"/api/v1/invocations/{messages[0].id}"} | ({} if sent else _REPLAYED),
    )


def _message(request: Request, given: dict[str, Any], message_id: UUID, place: str) -> Message:
    now = request.context.control.now()
    options = {name: value for name, value in given.items() if name != "data"}
    try:
        order = order_of(now=now, **options)
        return Message(id=message_id, data=_as_json(given["data"]), sent=now, order=order)
    except Invalid as error:
        raise Invalid(error.message, field=place + error.field, remedy=error.remedy) from error


def _as_json(data: Any) -> bytes:
    if data is None:
        return b""
    try:
        return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError as error:
        raise Invalid(f"the data is no JSON: {error}", field="data") from error


def _subscriptions(request: Request) -> Reply:
    app, topic = request.params["app"], request.query.get("topic")
    if topic is not None:
        check_topic(topic)
    with request.context.sessions.session() as connection:
        existing_app(connection, app)
        rows = triggers_of(connection, app)
    items = [
        {"pattern": row["config"]["topic"], "trigger": row["name"], "script": row["script"], "paused": row["paused"]}
        for row in rows
        if row["kind"] == Topic.kind and (topic is None or matches(row["config"]["topic"], topic))
    ]
    return Reply(content={"items": sorted(items, key=lambda item: (item["pattern"], item["trigger"]))})


_KEY: Final = {HEADER: "What is sent again under the same key is done once."}
_ONCE: Final = {"Idempotent-Replayed": "`true` if it was done before, under the same key."}

OPERATIONS: Final = [
    Operation(
        method="GET", path="/apps/{app}/topics", summary="List who subscribes to which topics", tag="messages",
        role=Role.VIEWER, handler=_subscriptions, query=SubscriptionQuery, reply=SubscriptionList, problems=(404,),
    ),
    Operation(
        method="POST", path="/apps/{app}/topics/{topic}", summary="Publish a message to a topic", tag="messages",
        role=Role.EDITOR, handler=_publish, any_body="The message's data, 256 KiB at most.", query=MessageOptions,
        status=202, reply=PublishedOut, problems=(404, 503), accepts=_KEY,
        headers={"Location": "The message's event.", **_ONCE},
    ),
    Operation(
        method="POST", path="/apps/{app}/queues/{queue}/messages", summary="Send one message or many to a queue",
        tag="messages", role=Role.EDITOR, handler=_send, body=MessageIn, many=MAX_MESSAGES, status=202, reply=SentOut,
        problems=(404, 503), accepts=_KEY, headers={"Location": "The first message's invocation.", **_ONCE},
    ),
]  # fmt: skip
