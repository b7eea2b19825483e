"""The path of a request as the client wrote it."""

from __future__ import annotations

import falcon


def raw_path(req: falcon.Request) -> str:
    """The path, percent-encoded, without the query."""
    target: str = req.env.get("RAW_URI") or req.path
    path = target.partition("?")[0].partition("#")[0]
    if not path.startswith("/"):
        # The absolute form of a request target, as proxies send it: RFC 9112, section 3.2.2.
        path = "/" + path.partition("://")[2].partition("/")[2]
    return path
