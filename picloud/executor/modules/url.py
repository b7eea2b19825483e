"""``url::``: addresses taken apart and put together (RFC 3986).

    url::parse(text)            #{scheme, username, password, host, port, path, query, fragment, origin}
    url::build(parts)           the text of such a map
    url::join(base, reference)  where a link in a page leads
    url::encode(text)           text as a part of a path or a query       url::decode(text)
    url::query(map)             "a=1&b=2"; an array gives its name several times
    url::parse_query(text)      a map of strings, of arrays of strings where a name is there several times

What isn't there is ``()``. In a query a space is ``+`` or ``%20``; both are read, ``+`` is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import SplitResult, quote, quote_plus, unquote_to_bytes, urljoin, urlsplit

from picloud.executor.faults import refusal
from picloud.executor.plain import with_article
from picloud.rhai.errors import too_large
from picloud.rhai.packages.budget import CEILING, charge, check_map, check_string, paid, pieces
from picloud.rhai.packages.declare import Package
from picloud.rhai.printing import to_string
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import Char

PACKAGE: Final = Package("url")

MOST_CHARACTERS: Final = 64 * 1024
"""Of an address; a query alone may be as long as any string."""

_PIECE: Final = 4096
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f<>\"\\^`{|}]")
_IN_HOST: Final = re.compile(r"[/?#@\[\]:%]")
_PARTS: Final = ("scheme", "username", "password", "host", "port", "path", "query", "fragment")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")


def _checked(run: Run, function: str, text: str) -> None:
    charge(run, len(text) * 8)
    if len(text) > MOST_CHARACTERS:
        raise refusal(function, f"an address has {MOST_CHARACTERS:,} characters at most, this one has {len(text):,}")
    found = _FORBIDDEN.search(text)
    if found is not None:
        at = found.start() + 1
        raise refusal(function, f"{_shown(text)} has {found.group()!r} at {at}, which an address holds encoded only")


def _split(function: str, text: str) -> tuple[SplitResult, int | None]:
    try:
        split = urlsplit(text)
        return split, split.port
    except ValueError as error:
        raise refusal(function, f"{_shown(text)} is no address: {str(error)[:120]}") from None


@PACKAGE.function("parse", "string", run=True)
def parse(run: Run, text: str) -> dict[str, Any]:
    """Return the parts of an absolute address."""
    _checked(run, "url::parse", text)
    split, port = _split("url::parse", text)
    if not split.scheme:
        raise refusal("url::parse", f"{_shown(text)} has no scheme such as https:; url::join completes a link")
    host = split.hostname
    origin = None
    if host and split.scheme in _PORTS:
        origin = f"{split.scheme}://{_bracketed(host)}" + _port_text(split.scheme, port)
    return {
        "scheme": split.scheme,
        "username": None if split.username is None else _decoded(run, "url::parse", split.username),
        "password": None if split.password is None else _decoded(run, "url::parse", split.password),
        "host": host or None,
        "port": port,
        "path": split.path,
        "query": _fields(run, "url::parse", split.query),
        "fragment": _decoded(run, "url::parse", split.fragment) if "#" in text else None,
        "origin": origin,
    }


@PACKAGE.function("build", "map", run=True)
def build(run: Run, parts: dict[str, Any]) -> str:
    """Return the address of parts: the path as it is, everything else encoded."""
    given = {name: value for name, value in parts.items() if value is not None and name != "origin"}
    texts = {}
    for name, value in given.items():
        if name not in _PARTS:
            raise refusal("url::build", f"an address has no {name[:40]!r}; it has {', '.join(_PARTS)}")
        wanted = {"port": (int,), "query": (dict, str)}.get(name, (str,))
        if type(value) not in wanted:
            said = {"port": "an integer", "query": "a map or a string"}.get(name, "a string")
            raise refusal("url::build", f"the {name} is {said}, not {with_article(value)}")
        texts[name] = value
    built = _built(run, texts)
    _checked(run, "url::build", built)
    check_string(run, len(built))
    return built


def _built(run: Run, parts: dict[str, Any]) -> str:
    scheme, host = parts.get("scheme", ""), parts.get("host", "")
    if not _SCHEME.fullmatch(scheme):
        raise refusal("url::build", f"the scheme is like https, not {_shown(scheme)}")
    text = f"{scheme.lower()}:"
    path = parts.get("path", "")
    if host:
        text += "//" + _authority(parts, scheme.lower(), host)
        path = path if path.startswith("/") or not path else f"/{path}"
    elif {"username", "password", "port"} & parts.keys():
        raise refusal("url::build", "a username, a password or a port needs a host")
    elif path.startswith("//"):
        raise refusal("url::build", "a path that begins with // needs a host: it would be taken for one")
    text += quote(path, safe="/%:@!$&'()*+,;=-._~")
    query = parts.get("query")
    if query:
        text += "?" + (query_of(run, query, "url::build") if isinstance(query, dict) else query.replace("#", "%23"))
    if "fragment" in parts:
        text += "#" + quote(parts["fragment"], safe="/?:@!$&'()*+,;=-._~")
    return text


def _authority(parts: dict[str, Any], scheme: str, host: str) -> str:
    named = host.strip("[]") if ":" in host else host
    if ":" not in named and _IN_HOST.search(named):
        raise refusal("url::build", f"the host is a name or an address, not {_shown(host)}")
    text = _bracketed(named.lower())
    if "username" in parts or "password" in parts:
        password = f":{quote(parts['password'], safe='')}" if "password" in parts else ""
        text = f"{quote(parts.get('username', ''), safe='')}{password}@{text}"
    port = parts.get("port")
    if port is not None and not 0 <= port <= 65535:
        raise refusal("url::build", f"a port is 0 to 65535, not {port}")
    return text + _port_text(scheme, port)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _port_text(scheme: str, port: int | None) -> str:
    return "" if port is None or port == _PORTS.get(scheme) else f":{port}"


@PACKAGE.function("join", "string", "string", run=True)
def join(run: Run, base: str, reference: str) -> str:
    """Return the address that a reference means within a base."""
    for text in (base, reference):
        _checked(run, "url::join", text)
        _split("url::join", text)
    if not urlsplit(base).scheme:
        raise refusal("url::join", f"the base {_shown(base)} has no scheme such as https:")
    joined = urljoin(base, reference)
    check_string(run, len(joined))
    return joined


@PACKAGE.function("encode", "string", run=True)
def encode(run: Run, text: str) -> str:
    """Return a text as a part of a path or a query: all but letters, digits and -._~ as %XX of UTF-8."""
    return _encoded(run, text, quote, "")


@PACKAGE.function("decode", "string", run=True)
def decode(run: Run, text: str) -> str:
    """Return the text that an encoded one means."""
    return _decoded(run, "url::decode", text)


def _encoded(run: Run, text: str, write: Callable[..., str], safe: str) -> str:
    parts = [write(piece, safe=safe, errors="surrogatepass") for piece in pieces(run, text, _PIECE)]
    check_string(run, sum(map(len, parts)))
    return "".join(parts)


def _decoded(run: Run, function: str, text: str) -> str:
    if "%" not in text:
        return text
    parts = []
    start = 0
    while start < len(text):
        end = start + _PIECE
        # No piece ends within what stands for a byte.
        end += 2 if "%" in text[end - 2 : end] else 0
        run.pay(1 + _PIECE // 8)
        parts.append(unquote_to_bytes(text[start:end]))
        start = end
    try:
        return b"".join(parts).decode()
    except UnicodeDecodeError:
        raise refusal(function, f"{_shown(text)} is not UTF-8 once decoded") from None


@PACKAGE.function("query", "map", run=True)
def query(run: Run, fields: dict[str, Any]) -> str:
    """Return a query, names in order."""
    return query_of(run, fields, "url::query")


def query_of(run: Run, fields: dict[str, Any], function: str) -> str:
    """The query of fields; ``()`` is left out, an array gives its name several times."""
    pairs = []
    size = 0
    for name in paid(run, sorted(fields)):
        value = fields[name]
        for item in paid(run, value) if type(value) is list else (value,):
            if item is None:
                continue
            if type(item) not in (str, bool, int, float, Char):
                raise refusal(function, f"the field {name[:40]!r} can't be {with_article(item)}")
            shown = to_string(run, item)
            pairs.append("=".join(_encoded(run, each, quote_plus, "~") for each in (name, shown)))
            size += len(pairs[-1]) + 1
            if size > (run.limits.max_string_size or CEILING):
                raise too_large("Length of string")
    return "&".join(pairs)


@PACKAGE.function("parse_query", "string", run=True)
def parse_query(run: Run, text: str) -> dict[str, Any]:
    """Return the fields of a query, with or without its question mark."""
    return _fields(run, "url::parse_query", text.removeprefix("?"))


def _fields(run: Run, function: str, text: str) -> dict[str, Any]:
    charge(run, len(text) * 8)
    fields: dict[str, Any] = {}
    if not text:
        return fields
    check_map(run, text.count("&") + 1)
    for pair in paid(run, text.split("&")):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        name, value = (_decoded(run, function, each.replace("+", " ")) for each in (name, value))
        known = fields.get(name)
        if known is None:
            fields[name] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            fields[name] = [known, value]
    return fields
