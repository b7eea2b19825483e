"""Strings and characters as Rust's `{:?}` shows them: quoted, with escapes for what can't be printed.

Rust escapes a character when it has a short escape, extends the character before it (Unicode property
Grapheme_Extend) or is not printable (controls, formats, surrogates, private use, unassigned, and separators but the
space).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_SHORT: Final = {"\0": "\\0", "\t": "\\t", "\r": "\\r", "\n": "\\n", "\\": "\\\\"}
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs", "Mn", "Me"})

# The spacing marks and formats that Unicode lists as Other_Grapheme_Extend (the rest of the property is categories Mn
# and Me).
_EXTENDING: Final = frozenset(
    [
        *(
            0x09BE,
            0x09D7,
            0x0B3E,
            0x0B57,
            0x0BBE,
            0x0BD7,
            0x0CC2,
            0x0CD5,
            0x0CD6,
            0x0D3E,
            0x0D57,
            0x0DCF,
            0x0DDF,
            0x1B35,
        ),
        *(0x302E, 0x302F, 0xFF9E, 0xFF9F, 0x1133E, 0x11357, 0x114B0, 0x114BD, 0x115AF, 0x11930, 0x1D165),
        *range(0x1D16E, 0x1D173),
    ]
)

_PLAIN_STRING: Final = re.compile(r"[ !#-\[\]-~]*")


def _escaped(character: str, quote: str) -> str:
    if character == quote:
        return "\\" + quote
    if character in _SHORT:
        return _SHORT[character]
    if " " <= character <= "~":
        return character
    if unicodedata.category(character) in _UNPRINTABLE or ord(character) in _EXTENDING:
        return f"\\u{{{ord(character):x}}}"
    return character


def string_debug(text: str) -> str:
    """Return `text` in double quotes, with Rust's escapes."""
    if _PLAIN_STRING.fullmatch(text):
        return f'"{text}"'
    return f'"{text.translate(_IN_QUOTES)}"'


class _Escapes(dict[int, str]):
    """What stands for each character in double quotes, found out when it is first asked for."""

    def __missing__(self, code: int) -> str:
        escaped = _escaped(chr(code), '"')
        if len(self) < 4096:
            self[code] = escaped
        return escaped


_IN_QUOTES: Final = _Escapes()


def char_debug(character: str) -> str:
    """Return one character in single quotes, with Rust's escapes."""
    return f"'{_escaped(character, chr(39))}'"
