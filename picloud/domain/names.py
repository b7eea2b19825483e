"""Names that people give: what is allowed, and the stream ids made from them.

A thing with a name has a stream id that follows from the name (UUIDv5), so that two nodes that create it
at the same time meet in one stream, and the log's key on (stream, version) lets only one of them win.
"""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID, uuid5

from picloud.domain.errors import Invalid

NAMESPACE: Final = UUID("6f2ac0de-51c1-4a0f-9d3c-70696c6f7564")
MAX_NAME: Final = 63

_APP = re.compile(r"[a-z][a-z0-9-]{0,62}")
_SCRIPT = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL = re.compile(r"[^\x00-\x1f\x7f]{1,63}")


def check_app_name(name: str, *, field: str = "app") -> str:
    """Return ``name`` if it can name an app; raise :class:`Invalid` otherwise."""
    if not _APP.fullmatch(name):
        raise Invalid(
            f"{_shown(name)} can't name an app: expected 1 to {MAX_NAME} lower-case letters, digits or '-', "
            "beginning with a letter",
            field=field,
            remedy=_suggest(name, underscore=False),
        )
    return name


def check_script_name(name: str, *, field: str = "script") -> str:
    """Return ``name`` if it can name a script; raise :class:`Invalid` otherwise."""
    if not _SCRIPT.fullmatch(name):
        raise Invalid(
            f"{_shown(name)} can't name a script: expected 1 to {MAX_NAME} lower-case letters, digits, '_' or '-', "
            "beginning with a letter",
            field=field,
            remedy=_suggest(name, underscore=True),
        )
    return name


def check_label(label: str, *, field: str) -> str:
    """Return ``label`` if it is 1 to 63 printable characters; raise :class:`Invalid` otherwise."""
    if not _LABEL.fullmatch(label):
        raise Invalid(
            f"{_shown(label)} can't be used here: expected 1 to {MAX_NAME} printable characters",
            field=field,
            remedy="Choose a short name on one line.",
        )
    return label


def stream_id(kind: str, *parts: str) -> UUID:
    """The id of the stream of the ``kind`` of thing that ``parts`` name."""
    return uuid5(NAMESPACE, "\x1f".join((kind, *parts)))


def _shown(name: str) -> str:
    return repr(name if len(name) <= 80 else name[:77] + "…")


def _suggest(name: str, *, underscore: bool) -> str:
    kept = re.sub(r"[^a-z0-9_-]+" if underscore else r"[^a-z0-9-]+", "-", name.lower()).strip("-_")
    kept = re.sub(r"^[^a-z]+", "", kept)[:MAX_NAME]
    return f"For example: {kept!r}." if kept else "For example: 'hello'."
