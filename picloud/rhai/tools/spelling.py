"""Which of several names somebody may have meant.

Near is what differs by case, by underscores, or by a few edits (a letter put in, left out, changed, or swapped with
its neighbour), few in proportion to the length.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_LONGEST: Final = 40
"""Longer names are compared by case and underscores alone."""


def near(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that is nearest to ``name``; None if none is near. The name itself is not looked for."""
    best: tuple[int, str] | None = None
    folded = _folded(name)
    for candidate in dict.fromkeys(candidates):
        if candidate == name:
            continue
        most = _allowed(name, candidate)
        if _folded(candidate) == folded:
            found = 0
        elif max(len(name), len(candidate)) > _LONGEST or abs(len(name) - len(candidate)) > most:
            continue
        else:
            found = distance(name.lower(), candidate.lower())
            if found > most:
                continue
        if best is None or found < best[0]:
            best = found, candidate
    return best[1] if best else None


def distance(left: str, right: str) -> int:
    """Return how many edits of one letter, or swaps of two that stand side by side, lead from one to the other."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        older, before = before, row
        row = [i]
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _allowed(name: str, candidate: str) -> int:
    """How many edits are few: one in names of three letters and more, two from six on, three from ten on."""
    length = min(len(name), len(candidate))
    return 0 if length < 3 else 1 if length < 6 else 2 if length < 10 else 3


def _folded(name: str) -> str:
    return name.replace("_", "").lower()
