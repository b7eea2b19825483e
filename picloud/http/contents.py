"""Contents of any size over HTTP: taken in and sent out piece by piece, with conditions, ranges and digests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import falcon

from picloud.http.conditions import Span, Unsatisfiable, Verdict, etag_of, judge, span_of
from picloud.http.digests import HEADERS as DIGESTS
from picloud.http.digests import digest_of, expected
from picloud.http.problems import Problem
from picloud.log.blobs import CHUNK_BYTES, Stored, Upload, UploadLost, stream
from picloud.log.contents import ContentMissing
from picloud.postgres.sessions import Sessions

_PLAIN_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&+-.^_`|~ ()@,=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """A content as it is to be sent. ``headers`` come on top of those of the content itself."""

    sha256: str
    size: int
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


def send(req: falcon.Request, resp: falcon.Response, sent: Representation, sessions: Sessions) -> None:
    """Answer a GET or HEAD with the content, or with the part of it that is asked for, or that it is as it was.

    Raises a 410 :class:`Problem` if the content isn't there any more, 412 and 416 ones as the request's headers ask;
    then nothing of it is in the response.
    """
    verdict = judge(sent.sha256, req.get_header("If-Match"), req.get_header("If-None-Match"), reading=True)
    if verdict is Verdict.FAILED:
        raise Problem(412, "version-mismatch", "the file isn't the one that If-Match names", field="If-Match")
    if verdict is Verdict.GO_ON:
        span = _span(req, sent)
        start, stop = (0, sent.size) if span is None else (span.start, span.stop)
        if req.method != "HEAD":
            try:
                resp.stream = stream(sessions, sent.sha256, start, stop)
            except ContentMissing as error:
                raise gone() from error
        if span is not None:
            resp.status = falcon.HTTP_206
            resp.set_header("Content-Range", f"bytes {start}-{stop - 1}/{sent.size}")
        resp.content_length = stop - start
        resp.content_type = sent.content_type
        resp.set_header("Repr-Digest", digest_of(sent.sha256))
        resp.set_header("Accept-Ranges", "bytes")
    else:
        resp.status = falcon.HTTP_304
    resp.set_header("ETag", etag_of(sent.sha256))
    for name, value in sent.headers.items():
        resp.append_header(name, value)


def send_whole(resp: falcon.Response, sent: Representation, status: int, sessions: Sessions) -> None:
    """Send the content with another status than 200: then there are no conditions and no ranges.

    Raises a 410 :class:`Problem` if it isn't there any more.
    """
    try:
        resp.stream = stream(sessions, sent.sha256)
    except ContentMissing as error:
        raise gone() from error
    resp.status = status
    resp.content_length = sent.size
    resp.content_type = sent.content_type
    for name, value in sent.headers.items():
        resp.append_header(name, value)


def _span(req: falcon.Request, sent: Representation) -> Span | None:
    # Only GET has ranges: RFC 9110, section 14.2.
    asked = req.get_header("Range") if req.method == "GET" else None
    try:
        return span_of(asked, req.get_header("If-Range"), sha256=sent.sha256, size=sent.size)
    except Unsatisfiable:
        raise Problem(
            416,
            "range-not-satisfiable",
            f"the range {asked!r:.100} lies behind the end: there are {sent.size:,} bytes",
            field="Range",
            headers={"Content-Range": f"bytes */{sent.size}", "Accept-Ranges": "bytes"},
        ) from None


def gone() -> Problem:
    """The content of a file was given up: its file was overwritten or deleted long ago."""
    return Problem(410, "content-gone", "the content was overwritten or deleted, and is not kept any more")


def receive(req: falcon.Request, sessions: Sessions, app: str, *, limit: int, sha256: str | None = None) -> Stored:
    """Store a request's body, of ``limit`` bytes at most, for ``app``, without ever holding it.

    It is compared with the digests that the request tells, and with ``sha256``. What breaks off leaves nothing. Raises
    a :class:`Problem`.
    """
    wanted = {name: expected(req.get_header(name), name) for name in DIGESTS}
    encoding = (req.get_header("Content-Encoding") or "identity").strip().lower()
    if encoding != "identity":
        raise Problem(
            415,
            "unsupported-encoding",
            f"Content-Encoding is {encoding[:60]!r}; a file is stored as it is",
            field="Content-Encoding",
            remedy="Send it without a coding, or as a file of its own, such as app.js.br.",
        )
    declared = req.content_length
    if declared is not None and declared > limit:
        raise _too_large(f"{declared:,} bytes", limit)
    upload = Upload(sessions)
    try:
        for piece in _pieces(req, declared):
            if upload.size + len(piece) > limit:
                raise _too_large("more", limit)
            upload.write(piece)
        if declared is not None and upload.size < declared:
            raise Problem(400, "body-cut-short", f"the body ended after {upload.size:,} of {declared:,} bytes")
        found = upload.sha256
        for name, digest in {**wanted, "sha256": sha256}.items():
            if digest is not None and digest != found:
                raise Problem(
                    400,
                    "digest-mismatch",
                    f"{name} tells the SHA-256 {digest}, what came has {found}; nothing was stored",
                    field=name,
                    remedy="Send it again: it was damaged on its way, or the digest is of something else.",
                )
        return upload.finish(app)
    except UploadLost as error:
        raise Problem.unavailable(f"{error}; send it again") from error
    except BaseException:
        # A client that went away ends the greenlet by an error of its own kind.
        upload.discard()
        raise


def _pieces(req: falcon.Request, declared: int | None) -> Iterator[bytes]:
    if declared is None and "HTTP_TRANSFER_ENCODING" not in req.env:
        return
    read, left = req.env["wsgi.input"].read, declared
    try:
        while left is None or left > 0:
            piece = read(CHUNK_BYTES if left is None else min(CHUNK_BYTES, left))
            if not piece:
                return
            if left is not None:
                left -= len(piece)
            yield piece
    except OSError as error:
        raise Problem(400, "body-cut-short", "the connection ended before the body did") from error


def disposition(kind: str, path: str) -> str:
    """A Content-Disposition (RFC 6266) with the last part of ``path`` as the name of the file, whatever is in it."""
    name = path.rpartition("/")[2]
    plain = "".join(each if each in _PLAIN_NAME else "_" for each in name)
    if plain == name:
        return f'{kind}; filename="{name}"'
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _too_large(found: str, limit: int) -> Problem:
    return Problem(
        413,
        "file-too-large",
        f"the file has {found}, the limit is {limit:,} bytes",
        remedy="PICLOUD_FILE_BYTES allows more.",
    )
