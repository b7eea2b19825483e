"""``reply::``: full HTTP answers, where a plain value isn't enough.

    reply::json(value)      reply::json(value, status)
    reply::text(text)       reply::text(text, status)
    reply::html(text)       reply::html(text, status)
    reply::bytes(blob)      reply::bytes(blob, content_type)
    reply::file(path)                                          a file of the app (files::), which isn't loaded for it
    reply::redirect(url)    reply::redirect(url, status)       302 unless said otherwise
    reply::status(status)   reply::status(status, value)       the body as if the script had answered the value

A reply is changed by its methods, which give it back, so that they can be chained:

    reply::json(todo, 201).header("location", url).cookie("seen", "yes", #{max_age: 3600})

    .status(code)               .header(name, value)        in the place of that header; an array sets it several times
    .content_type(type)         .add_header(name, value)    beside it
    .headers(map)               .cookie(name, value)        .cookie(name, value, #{path, domain, max_age, secure,
                                                                                   http_only, same_site})

Cookies are for all paths, HttpOnly and SameSite=Lax unless their options say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from picloud.executor.answer import Answers, InvalidAnswer
from picloud.executor.faults import refusal
from picloud.executor.host import active_run
from picloud.executor.reply import BYTES, HTML, TEXT, InvalidReply, ReplyBuilder
from picloud.executor.scheduler import CallRefused
from picloud.rhai.errors import thrown
from picloud.rhai.packages.budget import charge
from picloud.rhai.packages.declare import ANY, Package
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import name_type, type_name

PACKAGE: Final = Package("reply")
METHODS: Final = Package("reply methods")

name_type(ReplyBuilder, ReplyBuilder.rhai_type)

_SAME_SITE: Final = {"strict": "Strict", "lax": "Lax", "none": "None"}
_COOKIE_OPTIONS: Final = frozenset({"path", "domain", "max_age", "secure", "http_only", "same_site"})


def _built(name: str, build: Callable[[], ReplyBuilder]) -> ReplyBuilder:
    try:
        return build()
    except (InvalidReply, InvalidAnswer) as error:
        raise refusal(name, str(error)) from None


def _answers(run: Run) -> Answers:
    active = active_run(run)
    return Answers(active.message.limits.output_bytes, active.pause)


@PACKAGE.function("json", ANY, run=True)
@PACKAGE.function("json", ANY, "i64", run=True)
def json(run: Run, value: Any, status: int = 200) -> ReplyBuilder:
    """Return a reply with a value as JSON."""

    def build() -> ReplyBuilder:
        body = _answers(run).json(value).encode("utf-8", "replace")
        charge(run, len(body) * 8)
        return ReplyBuilder(status, body, "application/json")

    return _built("reply::json", build)


@PACKAGE.function("text", "string", run=True)
@PACKAGE.function("text", "string", "i64", run=True)
def text(run: Run, content: str, status: int = 200) -> ReplyBuilder:
    """Return a reply with plain text."""
    return _text(run, "reply::text", content, status, TEXT)


@PACKAGE.function("html", "string", run=True)
@PACKAGE.function("html", "string", "i64", run=True)
def html(run: Run, content: str, status: int = 200) -> ReplyBuilder:
    """Return a reply with a page."""
    return _text(run, "reply::html", content, status, HTML)


@PACKAGE.function("bytes", "blob", run=True)
@PACKAGE.function("bytes", "blob", "string", run=True)
def bytes_(run: Run, content: bytearray, content_type: str = BYTES) -> ReplyBuilder:
    """Return a reply with the bytes of a blob."""
    charge(run, len(content))
    return _built("reply::bytes", lambda: ReplyBuilder(200, bytes(content), content_type))


@PACKAGE.function("file", "string", run=True, volatile=True)
def file(run: Run, path: str) -> ReplyBuilder:
    """Return a reply with a file of the app. It goes from the store to the client, past the script."""
    try:
        told = active_run(run).call("files", "reply", [path])
    except CallRefused as error:
        raise thrown(str(error)) from None

    def build() -> ReplyBuilder:
        built = ReplyBuilder(200, b"", told["content_type"])
        built.file = told["sha256"]
        return built

    return _built("reply::file", build)


@PACKAGE.function("redirect", "string")
@PACKAGE.function("redirect", "string", "i64")
def redirect(url: str, status: int = 302) -> ReplyBuilder:
    """Return a reply that sends the client elsewhere."""

    def build() -> ReplyBuilder:
        if not 300 <= status <= 399:
            raise InvalidReply(f"a redirect's status is 300 to 399, not {status}")
        built = ReplyBuilder(status, b"", None)
        built.set_header("location", url)
        return built

    return _built("reply::redirect", build)


@PACKAGE.function("status", "i64")
def status(code: int) -> ReplyBuilder:
    """Return a reply without a body."""
    return _built("reply::status", lambda: ReplyBuilder(code, b"", None))


@PACKAGE.function("status", "i64", ANY, run=True)
def status_with(run: Run, code: int, value: Any) -> ReplyBuilder:
    """Return a reply whose body is what the value would have answered."""

    def build() -> ReplyBuilder:
        built = _answers(run).builder(value)
        built.set_status(code)
        return built

    return _built("reply::status", build)


def _text(run: Run, name: str, content: str, code: int, content_type: str) -> ReplyBuilder:
    charge(run, len(content))
    return _built(name, lambda: ReplyBuilder(code, content.encode("utf-8", "replace"), content_type))


def _change(name: str, *parameters: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declare a method that changes a reply and gives it back."""

    def declare(change: Callable[..., None]) -> Callable[..., None]:
        def method(reply: ReplyBuilder, *arguments: Any) -> ReplyBuilder:
            try:
                change(reply, *arguments)
            except InvalidReply as error:
                raise refusal(name, str(error)) from None
            # A copy: what the chain goes on with is another value than the variable.
            return reply.copy()

        METHODS.method(name, "Reply", *parameters)(method)
        return change

    return declare


@_change("status", "i64")
def _set_status(reply: ReplyBuilder, code: int) -> None:
    reply.set_status(code)


@_change("header", "string", ANY)
def _put_header(reply: ReplyBuilder, name: str, value: Any) -> None:
    reply.put_header(name, value)


@_change("add_header", "string", "string")
def _add_header(reply: ReplyBuilder, name: str, value: str) -> None:
    reply.add_header(name, value)


@_change("headers", "map")
def _put_headers(reply: ReplyBuilder, headers: dict[str, Any]) -> None:
    for name, value in headers.items():
        reply.put_header(name, value)


@_change("content_type", "string")
def _set_content_type(reply: ReplyBuilder, content_type: str) -> None:
    reply.set_header("content-type", content_type)


@_change("cookie", "string", "string")
def _add_cookie(reply: ReplyBuilder, name: str, value: str) -> None:
    reply.add_cookie(name, value, _attributes({}))


@_change("cookie", "string", "string", "map")
def _add_cookie_with(reply: ReplyBuilder, name: str, value: str, options: dict[str, Any]) -> None:
    reply.add_cookie(name, value, _attributes(options))


def _attributes(options: dict[str, Any]) -> str:
    unknown = sorted(options.keys() - _COOKIE_OPTIONS)
    if unknown:
        raise InvalidReply(f"there is no option {unknown[0]}; there are {', '.join(sorted(_COOKIE_OPTIONS))}")
    said = f"; Path={_option(options, 'path', str, '/')}"
    if "domain" in options:
        said += f"; Domain={_option(options, 'domain', str, '')}"
    if "max_age" in options:
        said += f"; Max-Age={_option(options, 'max_age', int, 0)}"
    if _option(options, "secure", bool, False):
        said += "; Secure"
    if _option(options, "http_only", bool, True):
        said += "; HttpOnly"
    same_site = _SAME_SITE.get(_option(options, "same_site", str, "lax").lower())
    if same_site is None:
        raise InvalidReply("same_site is strict, lax or none")
    return f"{said}; SameSite={same_site}"


def _option(options: dict[str, Any], name: str, kind: type, default: Any) -> Any:
    value = options.get(name, default)
    if type(value) is not kind:
        raise InvalidReply(f"{name} can't be a {type_name(value)}")
    if isinstance(value, str) and (";" in value or "," in value):
        raise InvalidReply(f"{name} can't hold {value!r}")
    return value
