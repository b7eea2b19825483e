"""Functions on strings and characters: asking, cutting, changing. (Splitting stands in `splitting.py`, `+` in
`operators.py`.)

Positions and lengths count characters; a negative position counts from the end, and what lies outside is cut off. A
function that changes a string returns the new text and a result.
"""

from __future__ import annotations

from typing import Any, Final

from picloud.rhai.packages import spans
from picloud.rhai.packages.budget import PAGE, charge, check_string, pieces, utf8_length
from picloud.rhai.packages.declare import ANY, Package
from picloud.rhai.packages.splitting import replaced
from picloud.rhai.packages.whitespace import trim as trimmed
from picloud.rhai.printing import to_string
from picloud.rhai.runtime.run import Run
from picloud.rhai.values import CHARS, Blob, Char, InclusiveRange, Range

PACKAGE: Final = Package("string")

_Changed = tuple[str, Any]
_WHOLE: Final = 128 * 1024
"""Longer texts are turned into lower case piece by piece."""


@PACKAGE.property("len", "string")
def length(text: str) -> int:
    """Return the number of characters."""
    return len(text)


@PACKAGE.property("is_empty", "string")
def is_empty(text: str) -> bool:
    """Is there no character?"""
    return not text


@PACKAGE.property("bytes", "string", run=True)
def byte_length(run: Run, text: str) -> int:
    """Return the number of bytes in UTF-8."""
    charge(run, len(text))
    return utf8_length(text)


@PACKAGE.function("to_blob", "string", run=True)
def to_blob(run: Run, text: str) -> Blob:
    """Return the text's bytes in UTF-8."""
    charge(run, len(text))
    return Blob(text.encode("utf-8", "replace"))


@PACKAGE.replacer("append", "string", ANY, run=True)
def append(run: Run, text: str, item: Any) -> _Changed:
    """Add the item's display text."""
    return joined(run, text, to_string(run, item)), None


@PACKAGE.replacer("append", "string", "blob", run=True)
def append_blob(run: Run, text: str, utf8: Blob) -> _Changed:
    """Add the text that a blob holds in UTF-8."""
    return joined(run, text, decoded(run, utf8)), None


def decoded(run: Run, utf8: Blob) -> str:
    """Return the text that bytes are in UTF-8, U+FFFD where they are none."""
    charge(run, 4 * len(utf8))
    return utf8.decode("utf-8", "replace")


def joined(run: Run, first: str, second: str) -> str:
    """Return both texts as one; raise ErrorDataTooLarge when that is over the limit."""
    if not second:
        return first
    check_string(run, utf8_length(first) + utf8_length(second))
    return first + second


@PACKAGE.replacer("remove", "string", "string", run=True)
def remove(run: Run, text: str, part: str) -> _Changed:
    """Take out every occurrence of a text."""
    return replaced(run, text, part, ""), None


@PACKAGE.replacer("remove", "string", "char", run=True)
def remove_char(run: Run, text: str, part: Char) -> _Changed:
    """Take out every occurrence of a character."""
    return replaced(run, text, part.text, ""), None


@PACKAGE.replacer("clear", "string")
def clear(text: str) -> _Changed:
    """Make it empty."""
    return "", None


@PACKAGE.replacer("truncate", "string", "i64", run=True)
def truncate(run: Run, text: str, size: int) -> _Changed:
    """Keep the first `size` characters."""
    charge(run, min(size, len(text)))
    return text[: max(size, 0)], None


@PACKAGE.replacer("trim", "string", run=True)
def trim(run: Run, text: str) -> _Changed:
    """Take white space off both ends."""
    return trimmed(run, text), None


@PACKAGE.replacer("pop", "string", run=True)
def pop(run: Run, text: str) -> _Changed:
    """Take the last character off and return it; `()` when there is none."""
    charge(run, len(text))
    return (text[:-1], CHARS[text[-1]]) if text else (text, None)


@PACKAGE.replacer("pop", "string", "i64", run=True)
def pop_text(run: Run, text: str, size: int) -> _Changed:
    """Take the last `size` characters off and return them."""
    charge(run, len(text))
    if size <= 0:
        return text, ""
    kept = max(len(text) - size, 0)
    return text[:kept], text[kept:]


@PACKAGE.function("to_upper", "string", run=True)
def to_upper(run: Run, text: str) -> str:
    """Return the text in upper case."""
    if len(text) < PAGE:
        return text.upper()
    return "".join([piece.upper() for piece in pieces(run, text)])


@PACKAGE.replacer("make_upper", "string", run=True)
def make_upper(run: Run, text: str) -> _Changed:
    """Turn it into upper case."""
    return to_upper(run, text), None


@PACKAGE.function("to_lower", "string", run=True)
def to_lower(run: Run, text: str) -> str:
    """Return the text in lower case."""
    if len(text) <= _WHOLE:
        charge(run, len(text))
        return text.lower()
    lower = []
    start = 0
    while start < len(text):
        # How a sigma looks depends on the letters around it: a piece ends at a space, if there is any.
        end = start + _WHOLE
        end = text.rfind(" ", start, end) + 1 or end
        charge(run, end - start)
        lower.append(text[start:end].lower())
        start = end
    return "".join(lower)


@PACKAGE.replacer("make_lower", "string", run=True)
def make_lower(run: Run, text: str) -> _Changed:
    """Turn it into lower case."""
    return to_lower(run, text), None


@PACKAGE.function("to_upper", "char")
def char_to_upper(character: Char) -> Char:
    """Return the character in upper case, unless that takes more than one."""
    upper = character.text.upper()
    return CHARS[upper] if len(upper) == 1 else character


@PACKAGE.replacer("make_upper", "char")
def make_char_upper(character: Char) -> tuple[Char, None]:
    """Turn it into upper case."""
    return char_to_upper(character), None


@PACKAGE.function("to_lower", "char")
def char_to_lower(character: Char) -> Char:
    """Return the character in lower case, unless that takes more than one."""
    lower = character.text.lower()
    return CHARS[lower] if len(lower) == 1 else character


@PACKAGE.replacer("make_lower", "char")
def make_char_lower(character: Char) -> tuple[Char, None]:
    """Turn it into lower case."""
    return char_to_lower(character), None


@PACKAGE.function("contains", "string", "string", run=True)
def contains(run: Run, text: str, part: str) -> bool:
    """Does the text hold that part?"""
    charge(run, len(text))
    return part in text


@PACKAGE.function("contains", "string", "char", run=True)
def contains_char(run: Run, text: str, part: Char) -> bool:
    """Does the text hold that character?"""
    return contains(run, text, part.text)


@PACKAGE.function("starts_with", "string", "string", run=True)
def starts_with(run: Run, text: str, part: str) -> bool:
    """Does the text start with that part?"""
    charge(run, len(part))
    return text.startswith(part)


@PACKAGE.function("starts_with", "string", "char")
def starts_with_char(text: str, part: Char) -> bool:
    """Does the text start with that character?"""
    return text.startswith(part.text)


@PACKAGE.function("ends_with", "string", "string", run=True)
def ends_with(run: Run, text: str, part: str) -> bool:
    """Does the text end with that part?"""
    charge(run, len(part))
    return text.endswith(part)


@PACKAGE.function("ends_with", "string", "char")
def ends_with_char(text: str, part: Char) -> bool:
    """Does the text end with that character?"""
    return text.endswith(part.text)


@PACKAGE.function("index_of", "string", "string", run=True)
def index_of(run: Run, text: str, part: str) -> int:
    """Return where the part first stands, -1 when nowhere."""
    charge(run, len(text))
    return text.find(part) if text else -1


@PACKAGE.function("index_of", "string", "string", "i64", run=True)
def index_of_from(run: Run, text: str, part: str, start: int) -> int:
    """Return where the part first stands at or after `start`, -1 when nowhere."""
    charge(run, len(text))
    if start < 0:
        start = max(len(text) + start, 0)
    if not text or (start >= len(text) and start > 0):
        return -1
    return text.find(part, start)


@PACKAGE.function("index_of", "string", "char", run=True)
def index_of_char(run: Run, text: str, part: Char) -> int:
    """Return where the character first stands, -1 when nowhere."""
    return index_of(run, text, part.text)


@PACKAGE.function("index_of", "string", "char", "i64", run=True)
def index_of_char_from(run: Run, text: str, part: Char, start: int) -> int:
    """Return where the character first stands at or after `start`, -1 when nowhere."""
    return index_of_from(run, text, part.text, start)


@PACKAGE.function("get", "string", "i64")
def get(text: str, position: int) -> Char | None:
    """Return the character at a position, `()` when there is none."""
    found = spans.index(len(text), position)
    return None if found is None else CHARS[text[found]]


@PACKAGE.replacer("set", "string", "i64", "char", run=True)
def set_char(run: Run, text: str, position: int, character: Char) -> _Changed:
    """Put a character at a position; nothing happens when there is none."""
    found = spans.index(len(text), position)
    if found is None:
        return text, None
    charge(run, len(text))
    return text[:found] + character.text + text[found + 1 :], None


@PACKAGE.function("sub_string", "string", "i64", "i64", run=True)
def sub_string(run: Run, text: str, start: int, size: int) -> str:
    """Return `size` characters from `start` on."""
    if start >= 0 <= size:
        return text[start : start + size]
    start, size = spans.offset_and_length(len(text), start, size)
    charge(run, size)
    return text[start : start + size]


@PACKAGE.function("sub_string", "string", "i64", run=True)
def sub_string_from(run: Run, text: str, start: int) -> str:
    """Return all characters from `start` on."""
    return sub_string(run, text, start, len(text))


@PACKAGE.function("sub_string", "string", "range", run=True)
def sub_string_range(run: Run, text: str, span: Range) -> str:
    """Return the characters in a range."""
    return sub_string(run, text, *spans.of_range(span))


@PACKAGE.function("sub_string", "string", "range=", run=True)
def sub_string_inclusive(run: Run, text: str, span: InclusiveRange) -> str:
    """Return the characters in a range."""
    return sub_string(run, text, *spans.of_inclusive(span))


@PACKAGE.replacer("crop", "string", "i64", "i64", run=True)
def crop(run: Run, text: str, start: int, size: int) -> _Changed:
    """Keep `size` characters from `start` on."""
    return sub_string(run, text, start, size), None


@PACKAGE.replacer("crop", "string", "i64", run=True)
def crop_from(run: Run, text: str, start: int) -> _Changed:
    """Keep all characters from `start` on."""
    return sub_string_from(run, text, start), None


@PACKAGE.replacer("crop", "string", "range", run=True)
def crop_range(run: Run, text: str, span: Range) -> _Changed:
    """Keep the characters in a range."""
    return sub_string_range(run, text, span), None


@PACKAGE.replacer("crop", "string", "range=", run=True)
def crop_inclusive(run: Run, text: str, span: InclusiveRange) -> _Changed:
    """Keep the characters in a range."""
    return sub_string_inclusive(run, text, span), None


def _replaced(run: Run, text: str, old: str, new: str) -> _Changed:
    if not text:
        return text, None
    growth = utf8_length(new) - utf8_length(old)
    if growth > 0:
        charge(run, len(text))
        found = text.count(old)
        check_string(run, utf8_length(text) + found * growth)
    return replaced(run, text, old, new), None


@PACKAGE.replacer("replace", "string", "string", "string", run=True)
def replace(run: Run, text: str, old: str, new: str) -> _Changed:
    """Put `new` in place of every `old`."""
    return _replaced(run, text, old, new)


@PACKAGE.replacer("replace", "string", "string", "char", run=True)
def replace_with_char(run: Run, text: str, old: str, new: Char) -> _Changed:
    """Put `new` in place of every `old`."""
    return _replaced(run, text, old, new.text)


@PACKAGE.replacer("replace", "string", "char", "string", run=True)
def replace_char_with_text(run: Run, text: str, old: Char, new: str) -> _Changed:
    """Put `new` in place of every `old`."""
    return _replaced(run, text, old.text, new)


@PACKAGE.replacer("replace", "string", "char", "char", run=True)
def replace_char(run: Run, text: str, old: Char, new: Char) -> _Changed:
    """Put `new` in place of every `old`."""
    return _replaced(run, text, old.text, new.text)


@PACKAGE.replacer("pad", "string", "i64", "char", run=True)
def pad(run: Run, text: str, size: int, character: Char) -> _Changed:
    """Add a character at the end until there are `size` of them."""
    return pad_with_text(run, text, size, character.text)


@PACKAGE.replacer("pad", "string", "i64", "string", run=True)
def pad_with_text(run: Run, text: str, size: int, padding: str) -> _Changed:
    """Add a text at the end, over and over, until there are `size` characters; nothing happens for an empty one."""
    missing = size - len(text)
    if missing <= 0 or not padding:
        return text, None
    check_string(run, size)
    whole, rest = divmod(missing, len(padding))
    check_string(run, utf8_length(text) + whole * utf8_length(padding) + utf8_length(padding[:rest]))
    return text + padding * whole + padding[:rest], None


@PACKAGE.function("max", "string", "string", run=True)
def maximum(run: Run, first: str, second: str) -> str:
    """Return the later text in the order of code points."""
    charge(run, min(len(first), len(second)))
    return max(first, second)


@PACKAGE.function("min", "string", "string", run=True)
def minimum(run: Run, first: str, second: str) -> str:
    """Return the earlier text in the order of code points."""
    charge(run, min(len(first), len(second)))
    return min(first, second)


@PACKAGE.function("max", "char", "char")
def maximum_char(first: Char, second: Char) -> Char:
    """Return the character with the higher code point."""
    return first if first.text >= second.text else second


@PACKAGE.function("min", "char", "char")
def minimum_char(first: Char, second: Char) -> Char:
    """Return the character with the lower code point."""
    return first if first.text <= second.text else second
