"""White space as Unicode's property White_Space defines it, which is what Rust's `trim` and `split_whitespace` go by.

Python's own `strip` and `split` also take U+001C to U+001F for space.
"""

from __future__ import annotations

import re
from typing import Final

from picloud.rhai.packages.budget import PIECE, charge, check_array
from picloud.rhai.runtime.run import Run

_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_WORDS: Final = re.compile(f"[^{_SPACE}]+")


def trim(run: Run, text: str) -> str:
    """Return `text` without white space at its ends."""
    start, end = 0, len(text)
    while start < end:
        piece = text[start : start + PIECE]
        charge(run, 4 * len(piece))
        start += len(piece) - len(piece.lstrip(_SPACE))
        if text[start : start + 1] not in _SPACE:
            break
    while start < end:
        piece = text[max(start, end - PIECE) : end]
        charge(run, 4 * len(piece))
        end -= len(piece) - len(piece.rstrip(_SPACE))
        if text[end - 1 : end] not in _SPACE:
            break
    return text[start:end]


def words(run: Run, text: str) -> list[str]:
    """Return the pieces of `text` between white space."""
    found: list[str] = []
    start = 0
    while start < len(text):
        charge(run, 8 * min(PIECE, len(text) - start))
        end = start + PIECE
        if end < len(text) and text[end - 1] not in _SPACE and text[end] not in _SPACE:
            # A word goes on over the end: it belongs to this piece as a whole.
            word = _WORDS.match(text, end)
            assert word is not None
            charge(run, 4 * (word.end() - end))
            end = word.end()
        found += _WORDS.findall(text, start, end)
        check_array(run, len(found), 0)
        start = end
    return found
