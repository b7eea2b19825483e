"""Many invocations called off at once."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from picloud.domain.access import Role
from picloud.http.api.operation import Operation, Reply, Request
from picloud.http.api.replay_schemas import CancelledManyOut, CancelMany
from picloud.orchestrator.control.cancellations import Wanted, cancel_many


def _cancel(request: Request) -> Reply:
    body = request.body
    done = cancel_many(
        request.context.control,
        request.command,
        Wanted(app=request.params["app"], up_to=body["up_to"], **body["filter"]),
        reason=body["reason"],
        dry_run=body["dry_run"],
    )
    return Reply(content=asdict(done))


OPERATIONS: Final = [
    Operation(
        method="POST", path="/apps/{app}/cancellations", summary="Call off many invocations; `dry_run` only counts",
        tag="invocations", role=Role.EDITOR, handler=_cancel, body=CancelMany, optional_body=True,
        reply=CancelledManyOut, problems=(404,),
    ),
]  # fmt: skip
