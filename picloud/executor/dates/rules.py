"""The rules of time zones, as the parent hands them over: the files of the ``tzdata`` package."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*")
_LONGEST: Final = 64
_MAGIC: Final = b"TZif"

Rules = tuple[bytes | None, str]
"""The rules of a zone; without any, the name that may be meant."""


def rules_of(name: str) -> Rules:
    """The rules of a zone, read from the package. For the parent: it opens files."""
    import tzdata

    folder = Path(tzdata.__path__[0])
    if not is_name(name):
        return None, ""
    try:
        rules = (folder / "zoneinfo" / name).read_bytes()
    except OSError:
        rules = b""
    if rules.startswith(_MAGIC):
        return rules, ""
    wanted = name.lower().replace(" ", "_")
    known = (folder / "zones").read_text(encoding="ascii").split()
    return None, next((each for each in known if wanted in (each.lower(), each.lower().rpartition("/")[2])), "")


def is_name(name: str) -> bool:
    """Whether a zone could be called so; no such name leaves the folder."""
    return len(name) <= _LONGEST and _NAME.fullmatch(name) is not None
