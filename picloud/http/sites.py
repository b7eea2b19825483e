"""Static sites: what answers below ``/apps/{app}/`` where no route does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import falcon

from picloud.domain.site import SiteSettings, candidates
from picloud.http.contents import Representation, send, send_whole
from picloud.orchestrator.control.files import EntryRow, files_at
from picloud.orchestrator.routing import split_path
from picloud.postgres.sessions import Sessions

_CODINGS: Final = {"br": ".br", "gzip": ".gz"}
"""The endings of files that are packed; of what is there in both, the first is sent."""
_HTML: Final = frozenset({"text/html", "application/xhtml+xml"})
_NO_WEIGHT: Final = re.compile(r"q\s*=\s*0(?:\.0*)?", re.IGNORECASE)


class Sites:
    """See the module."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def answer(self, app: str, settings: SiteSettings, path: str, req: falcon.Request, resp: falcon.Response) -> bool:
        """Answer a GET or HEAD of ``path`` (percent-encoded, from the app on) with a file, if one is to answer it.

        Raises :class:`Invalid` for a path that isn't UTF-8 once decoded, and what :func:`send` raises.
        """
        parts = split_path(path)
        found = candidates(settings, parts, navigation=_takes_html(req))
        packed = [found.path + ending for ending in _CODINGS.values()] if found.path is not None else []
        entries = files_at(self._sessions, app, [*found.paths, *packed])
        if found.path is not None and found.path in entries:
            if not path:
                # Without the slash, links of the page would lead beside the app.
                _to_slash(app, req, resp)
                return True
            self._send(settings, found.path, entries, req, resp)
        elif found.folder in entries:
            _to_slash(parts[-1], req, resp)
        elif found.not_found is not None and found.not_found in entries:
            self._send_not_found(entries[found.not_found], resp)
        elif found.fallback is not None and found.fallback in entries:
            # Who takes other things than pages got none.
            resp.set_header("Vary", "Accept")
            self._send(settings, found.fallback, entries, req, resp)
        else:
            return False
        return True

    def _send(
        self,
        settings: SiteSettings,
        path: str,
        entries: Mapping[str, EntryRow],
        req: falcon.Request,
        resp: falcon.Response,
    ) -> None:
        sent = entry = entries[path]
        headers = {
            "Cache-Control": settings.cache_control(path.removeprefix(settings.prefix)),
            "X-Content-Type-Options": "nosniff",
        }
        packed = {coding: entries[path + ending] for coding, ending in _CODINGS.items() if path + ending in entries}
        if packed:
            headers["Vary"] = "Accept-Encoding"
        taken = _codings(req)
        for coding, found in packed.items():
            if coding in taken:
                headers["Content-Encoding"], sent = coding, found
                break
        assert sent.sha256 is not None
        representation = Representation(
            sha256=sent.sha256, size=sent.size, content_type=entry.content_type, headers=headers
        )
        send(req, resp, representation, self._sessions)

    def _send_not_found(self, entry: EntryRow, resp: falcon.Response) -> None:
        """The site's own page for what isn't there."""
        assert entry.sha256 is not None
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache", "Vary": "Accept"}
        page = Representation(sha256=entry.sha256, size=entry.size, content_type=entry.content_type, headers=headers)
        send_whole(resp, page, 404, self._sessions)


def _to_slash(name: str, req: falcon.Request, resp: falcon.Response) -> None:
    query = req.env.get("QUERY_STRING", "")
    resp.status = falcon.HTTP_302
    # It begins with a dot, so that no name is taken for a host or a scheme.
    resp.set_header("Location", f"./{quote(name, safe='')}/" + (f"?{query}" if query and query.isascii() else ""))
    resp.set_header("Cache-Control", "no-cache")


def _takes_html(req: falcon.Request) -> bool:
    accepted = (kind.partition(";")[0].strip().lower() for kind in (req.get_header("Accept") or "").split(","))
    return any(kind in _HTML for kind in accepted)


def _codings(req: falcon.Request) -> set[str]:
    """The codings that the client takes."""
    taken = set()
    for said in (req.get_header("Accept-Encoding") or "").split(","):
        name, _, parameters = said.partition(";")
        if not _NO_WEIGHT.fullmatch(parameters.strip()):
            taken.add(name.strip().lower())
    return taken
