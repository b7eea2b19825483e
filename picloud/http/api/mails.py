"""Mails that scripts sent: the local mailbox, and the list of what the server was given."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from picloud.domain.access import Role
from picloud.domain.errors import NotFound
from picloud.domain.mail import MailQueued
from picloud.http.api.events import cursor_position
from picloud.http.api.mail_schemas import CancelMail, MailList, MailOut, MailsQuery, MailWhole
from picloud.http.api.operation import Operation, Reply, Request
from picloud.log.contents import ContentMissing, get_content
from picloud.log.disclosure import disclosed
from picloud.log.reader import read_head
from picloud.orchestrator.control import NotCaughtUp
from picloud.orchestrator.control import mails as control
from picloud.orchestrator.control.apps import existing_app
from picloud.projections.mails import MailFilter, mail_of, mails
from picloud.projections.waiting import wait_for_position

CATCH_UP_SECONDS: Final = 2.0


def _list(request: Request) -> Reply:
    app, query = request.params["app"], request.query
    before, limit = cursor_position(query.get("cursor")), query["limit"]
    chosen = {name: query[name] for name in ("state", "recipient", "invocation") if name in query}
    with request.context.sessions.session() as connection:
        existing_app(connection, app)
        head = read_head(connection)
    # Whoever has just called a script finds what it sent; without a leader the list is what it is.
    wait_for_position(request.context.sessions, "mails", head, timeout=CATCH_UP_SECONDS)
    with request.context.sessions.session() as connection:
        rows = mails(connection, MailFilter(app=app, before=before, limit=limit, **chosen))
    return Reply(content={"items": rows, "next": str(rows[-1]["position"]) if len(rows) == limit else None})


def _show(request: Request) -> Reply:
    with request.context.sessions.session() as connection:
        stream = control.existing_mail(connection, request.params["app"], request.id("mail"))
    events = [{"type": each.type, "at": each.at, "actor": each.actor, "content": disclosed(each)} for each in stream]
    return Reply(content=_row(request) | _read(_whole(request)) | {"events": events})


def _raw(request: Request) -> Reply:
    return Reply(mail=_whole(request))


def _cancel(request: Request) -> Reply:
    app, mail = request.params["app"], request.id("mail")
    control.cancel(request.context.control, request.command, app, mail, request.body["reason"])
    return Reply(content=_row(request))


def _retry(request: Request) -> Reply:
    control.requeue(request.context.control, request.command, request.params["app"], request.id("mail"))
    return Reply(content=_row(request))


def _row(request: Request) -> dict[str, Any]:
    app, mail = request.params["app"], request.id("mail")
    sessions = request.context.sessions
    with sessions.session() as connection:
        last = control.existing_mail(connection, app, mail)[-1]
    if not wait_for_position(sessions, "mails", last.position, timeout=CATCH_UP_SECONDS):
        raise NotCaughtUp(last.position, "list of mails")
    with sessions.session() as connection:
        row = mail_of(connection, app, mail)
    assert row is not None, "what is in the log is in the list"
    return row


def _whole(request: Request) -> bytes:
    app, mail = request.params["app"], request.id("mail")
    with request.context.sessions.session() as connection:
        queued = control.existing_mail(connection, app, mail)[0].event
        assert isinstance(queued, MailQueued)
        try:
            return get_content(connection, queued.content)
        except ContentMissing as error:
            raise NotFound(f"the mail {mail} is lost: {error}", field="mail") from None


def _read(raw: bytes) -> dict[str, Any]:
    """A mail of our own making as its reader sees it."""
    from email import message_from_bytes
    from email.message import EmailMessage
    from email.policy import default

    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    plain, rich = message.get_body(("plain",)), message.get_body(("html",))
    attachments = []
    for part in message.iter_attachments():
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        attachments.append(
            {
                "name": part.get_filename() or "",
                "content_type": part.get_content_type(),
                "size": len(data),
                "sha256": sha256(data).hexdigest(),
            }
        )
    return {
        "headers": [[name, str(value)] for name, value in message.items()],
        "text": None if plain is None else plain.get_content().replace("\r\n", "\n"),
        "html": None if rich is None else rich.get_content().replace("\r\n", "\n"),
        "attachments": attachments,
    }


_ALL: Final = "/apps/{app}/mails"
_ONE: Final = _ALL + "/{mail}"

OPERATIONS: Final = [
    Operation(
        method="GET", path=_ALL, summary="List the mails that an app's scripts sent, newest first", tag="mails",
        role=Role.VIEWER, handler=_list, query=MailsQuery, reply=MailList, problems=(404,),
    ),
    Operation(
        method="GET", path=_ONE, summary="A mail with its texts, its attachments and what happened to it", tag="mails",
        role=Role.VIEWER, handler=_show, reply=MailWhole, problems=(404,),
    ),
    Operation(
        method="GET", path=_ONE + "/raw", summary="A mail as it is sent", tag="mails", role=Role.VIEWER, handler=_raw,
        reply_is_mail=True, problems=(404,),
    ),
    Operation(
        method="POST", path=_ONE + "/cancel", summary="Don't send a mail that is queued", tag="mails",
        role=Role.EDITOR, handler=_cancel, body=CancelMail, optional_body=True, reply=MailOut, problems=(404, 409),
    ),
    Operation(
        method="POST", path=_ONE + "/retry", summary="Send a mail to those who didn't get it, from the beginning",
        tag="mails", role=Role.EDITOR, handler=_retry, reply=MailOut, problems=(404, 409),
    ),
]  # fmt: skip
