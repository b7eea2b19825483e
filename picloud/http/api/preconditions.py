"""What a caller expects to be there: the version that it saw last, as ``If-Match`` and ``If-None-Match`` say it."""

from __future__ import annotations

import re
from typing import Final

import falcon

from picloud.http.problems import Problem

ETAG_HEADER: Final = {"ETag": "The current version, in quotes."}
PRECONDITIONS: Final = {
    "If-Match": 'Only on top of this version, such as `"3"`.',
    "If-None-Match": "`*`: only if there is none.",
}
"""The headers as an operation declares that it answers and takes them."""

_ETAG: Final = re.compile(r'(?:W/)?"?([0-9]{1,18})"?')


def expected_version(req: falcon.Request) -> int | None:
    """The version that the caller takes for current: ``If-Match: "3"``, or 0 by ``If-None-Match: *``; or None.

    Raises a 400 :class:`Problem` for what is no version.
    """
    if (req.get_header("If-None-Match") or "").strip() == "*":
        return 0
    given = req.get_header("If-Match")
    if given is None or given.strip() == "*":
        return None
    match = _ETAG.fullmatch(given.strip())
    if match is None:
        raise Problem(400, "bad-etag", f'If-Match is {given!r}; expected a version such as "3"', field="If-Match")
    return int(match[1])


def etag(version: int) -> dict[str, str]:
    """The header that tells the version."""
    return {"ETag": f'"{version}"'}
