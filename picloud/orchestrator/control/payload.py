"""What a replay's payload is to be: that of the request, another one, or the request's with a patch laid over it."""

from __future__ import annotations

import json

from picloud.domain.errors import Conflict
from picloud.domain.invocation import Content, Requested
from picloud.domain.merge_patch import merge
from picloud.domain.replay_job import Edit
from picloud.log.contents import pack, unpack
from picloud.postgres.sessions import Sessions


def edited(edit: Edit, asked: Requested, sessions: Sessions) -> Content | None:
    """The payload that takes the place of that of ``asked``; None if that stays.

    Raises :class:`Conflict` if it is to be patched and is no JSON.
    """
    if edit.patch is None:
        return edit.body
    if asked.input.sealed is not None:
        raise Conflict("its input is private: it can be run again as it was, and not patched", field="patch")
    payload = unpack(asked.input.body if asked.event is None else asked.event.data, sessions)
    try:
        merged = merge(json.loads(payload), json.loads(edit.patch))
        text = json.dumps(merged, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        raise Conflict("its payload is no JSON, so it can't be patched", field="patch") from None
    return pack(text.encode("utf-8", "replace"), sessions)
