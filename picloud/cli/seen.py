"""Which version of each script this user last saw, so that a deploy can't overwrite another's unknowingly."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def version(url: str, app: str, script: str) -> int | None:
    """The version last seen, or None."""
    found = _read().get(_key(url, app, script))
    return found if isinstance(found, int) else None


def remember(url: str, app: str, script: str, number: int) -> None:
    """This version was seen. A folder that can't be written is no reason to fail: the next deploy is unguarded."""
    path = _path()
    known = _read()
    known[_key(url, app, script)] = number
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.{os.getpid()}")
        new.write_text(json.dumps(known, indent=1), encoding="utf-8")
        new.replace(path)
    except OSError:
        return


def _read() -> dict[str, Any]:
    try:
        found = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _path() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "picloud" / "seen.json"


def _key(url: str, app: str, script: str) -> str:
    return f"{url} {app}/{script}"
