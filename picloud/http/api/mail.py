"""A mail as it came, of the invocation that it led to."""

from __future__ import annotations

from typing import Final

from picloud.domain.access import Role
from picloud.domain.errors import NotFound
from picloud.domain.invocation import Requested
from picloud.http.api.invocations import stream_of
from picloud.http.api.operation import Operation, Reply, Request
from picloud.log.contents import ContentMissing, get_content


def _show(request: Request) -> Reply:
    asked = stream_of(request, Role.VIEWER)[0].event
    assert isinstance(asked, Requested)
    sha256 = asked.event.attributes.get("raw_sha256") if asked.event is not None else None
    if sha256 is None or asked.trigger.kind != "email":
        raise NotFound(f"no mail led to invocation {asked.originator_id}", field="invocation")
    with request.context.sessions.session() as connection:
        try:
            return Reply(mail=get_content(connection, sha256))
        except ContentMissing:
            # Fired by hand with a sample, say.
            raise NotFound(f"no mail came for invocation {asked.originator_id}", field="invocation") from None


OPERATIONS: Final = [
    Operation(
        method="GET", path="/invocations/{invocation}/mail", summary="The mail that led to an invocation, as it came",
        tag="invocations", role=Role.VIEWER, handler=_show, reply_is_mail=True, app_of="any", problems=(404,),
    ),
]  # fmt: skip
