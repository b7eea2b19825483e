"""White space as Unicode's property White_Space defines it, which is what Rust's `trim` and `split_whitespace` go by.

Python's own `strip` and `split` also take U+001C to U+001F for space.
"""

from __future__ import annotations

import re
from typing import Final

_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_WORDS: Final = re.compile(f"[^{_SPACE}]+")


def trim(text: str) -> str:
    """Return `text` without white space at its ends."""
    return text.strip(_SPACE)


def words(text: str) -> list[str]:
    """Return the pieces of `text` between white space."""
    return _WORDS.findall(text)
