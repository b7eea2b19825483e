"""JSON merge patches (RFC 7396): what of a value is to be another, and what is to go."""

from __future__ import annotations

from typing import Any


def merge(target: Any, patch: Any) -> Any:
    """``target`` with ``patch`` laid over it: members that are null are taken away, objects go together member by
    member, and everything else takes the place of what was there. Neither argument is changed.
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged
