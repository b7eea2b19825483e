"""Source text to tokens.

A token is a tuple ``(kind, value, line, column)``. The kind of a sign or a keyword is the sign or keyword itself; for
the rest it is one of

    name                  an identifier
    int float str char    literals, by value
    text                  the part of a text between backticks in front of ``${``; the tokens of ``{ … }`` follow, and
                          then another ``text``, or a ``str`` when the closing backtick is reached
    reserved              a word or sign that can't be used freely: ``this``, ``print``, ``case``, ``@``
    error                 what is no token: the value is the error to raise. Nothing follows but ``end``
    end                   the end of the source

Errors are tokens because a mistake of the parser's that comes before them has to be told first. One compiled pattern
cuts the text; what it can't hold (escapes, raw strings, texts between backticks, nested comments, odd numbers) is read
by :class:`_Lexer` and :mod:`picloud.rhai.texts`.

Lines and columns count from 1, in characters, and stop at 65,535, as Rhai's do. A minus sign before a digit is part of
the number where an operand may begin (``x = -5``, not ``x -5``), as in Rhai.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from operator import itemgetter
from sys import intern
from typing import Any, Final

from picloud.rhai.errors import RhaiError
from picloud.rhai.faults import bad_input
from picloud.rhai.rounding import rounded
from picloud.rhai.texts import STEPS, Cursor, Pause, open_template, quoted, raw, template

Token = tuple[str, Any, int, int]

# fmt: off
KEYWORDS: Final = frozenset((
    "true", "false", "let", "const", "if", "else", "switch", "do", "while", "until", "loop", "for", "in", "continue",
    "break", "return", "throw", "try", "catch", "fn", "private", "import", "export", "as",
))
CALLABLE: Final = frozenset((
    "print", "debug", "eval", "Fn", "is_def_var", "is_def_fn", "call", "curry", "is_shared", "type_of",
))
"""Reserved words that may be called."""
CALLABLE_AS_METHOD: Final = frozenset(("call", "curry", "is_shared", "type_of"))
RESERVED_WORDS: Final = CALLABLE | frozenset((
    "this", "use", "case", "async", "public", "package", "super", "var", "protected", "spawn", "shared", "is", "sync",
    "static", "default", "thread", "yield", "new", "match", "await", "null", "with", "void", "nil", "module", "go",
    "goto",
))
RESERVED_SIGNS: Final = frozenset(("?", "#", "~", "!.", "...", "@", "--", "<|", "$", "|>", "++", "#!"))
_SIGNS: Final = (
    "{", "}", "(", ")", "[", "]", "()", "+", "-", "*", "/", "%", "**", "<<", ">>", ";", ":", "::", "=>", ",", ".",
    "?.", "??", "?[", "..", "..=", "#{", "=", "==", "!=", "<", ">", "<=", ">=", "!", "!in", "|", "||", "&", "&&", "^",
    "+=", "-=", "*=", "/=", "<<=", ">>=", "&=", "|=", "^=", "%=", "**=", "_",
)
_OTHER_LANGUAGES: Final = {
    "===": "'===' is not a valid operator. This is not JavaScript! Should it be '=='?",
    "!==": "'!==' is not a valid operator. This is not JavaScript! Should it be '!='?",
    "->": "'->' is not a valid symbol. This is not C or C++!",
    "<-": "'<-' is not a valid symbol. This is not Go! Should it be '<='?",
    ":=": "':=' is not a valid assignment operator. This is not Go or Pascal! Should it be simply '='?",
    ":;": "':;' is not a valid symbol. Should it be '::'?",
    "::<": "'::<>' is not a valid symbol. This is not Rust! Should it be '::'?",
    "(*": "'(* .. *)' is not a valid comment format. This is not Pascal! Should it be '/* .. */'?",
    "*)": "'(* .. *)' is not a valid comment format. This is not Pascal! Should it be '/* .. */'?",
    "# {": "'#' is not a valid symbol. Should it be '#{'?",
}
_BEFORE_OPERAND: Final = frozenset((
    ";", ":", ",", "??", "..", "..=", "{", "(", "[", "?[", "+", "+=", "-", "-=", "*", "*=", "/", "/=", "%", "%=", "**",
    "**=", "<<", "<<=", ">>", ">>=", "=", "==", "!=", "<", ">", "!", "<=", ">=", "|", "|=", "||", "&", "&=", "&&", "^",
    "^=", "if", "while", "until", "in", "!in", "return", "throw",
))
"""Kinds of tokens behind which a minus sign belongs to the number that follows."""
# fmt: on

_KINDS: Final = (
    {intern(word): intern(word) for word in (*KEYWORDS, *_SIGNS)}
    | dict.fromkeys((*RESERVED_WORDS, *RESERVED_SIGNS), "reserved")
    | dict.fromkeys(_OTHER_LANGUAGES, "error")
)
"""The kinds of all words and signs that have a meaning of their own."""
_KINDS_OUTSIDE: Final[dict[str, str | None]] = {**_KINDS, **dict.fromkeys(("-", *_OTHER_LANGUAGES))}
"""The same, with None for signs that need a closer look."""
_KINDS_IN_BRACES: Final = {**_KINDS_OUTSIDE, **dict.fromkeys(("{", "}", "#{"))}
"""And those that do within an interpolation."""

_BATCH: Final = 256
"""Matches of the pattern."""
_LAST_PLACE: Final = 0xFFFF
"""Lines and columns don't count further."""
_COLUMN: Final = itemgetter(3)
_I64_MAX: Final = (1 << 63) - 1
_DIGITS: Final = frozenset("0123456789")

_TOKEN: Final = re.compile(
    r"""[ \t\r\f]*(?:
  ([A-Za-z][A-Za-z0-9_]*)
| ( [;,{}\[\])] | \([)*]? | => | ={1,3} | \.(?:\.[.=]?)? | ::<? | :[=;]? | \+[+=]? | -[->=]? | \*\*=? | \*[)=]?
  | /= | /(?![/*]) | %=? | <<=? | <[-=|]? | >>=? | >=? | !==? | !\. | !in(?![A-Za-z0-9_]) | ! | \|[|=>]? | &[&=]?
  | \^=? | [~@$] | \?[.?\[]? | \#\{ )
| (\n[ \t\r\f\n]*)
| ([0-9]+(?:\.[0-9]+(?![A-Za-z0-9_.])|(?=\.\.)|(?![A-Za-z0-9_.])))
| ("[^"\\\r\n]*"(?!"))
| (//[^\r\n]*(?:\r\n?|\n)?)
| (\Z)
| (.)
)""",
    re.VERBOSE | re.DOTALL,
)
_SIGN, _LINES, _NUMBER, _STRING, _COMMENT = range(2, 7)
"""The groups of the pattern; what none of them takes is read by :class:`_Lexer`."""
_ODD_NUMBER: Final = re.compile(
    r"""(0_*[xX][0-9a-fA-F_]* | 0_*[oO][0-7_]* | 0_*[bB][01_]*)
    | [0-9][0-9_]*(?:\.(?:[0-9][0-9_]*|(?![0-9_.A-Za-z]|\Z)))?(?:[eE](?=[0-9+-])[+-]?[0-9_]*)?""",
    re.VERBOSE,
)
_BASES: Final = {"x": 16, "o": 8, "b": 2}
_COMMENT_PART: Final = re.compile(r"/\*|\*/|\n")
_UNDERSCORED: Final = re.compile("_[A-Za-z0-9_]*")


class Tokens(list[Token]):
    """The tokens of a source; ``documents`` holds its documentation comments by the token behind them."""

    __slots__ = ("documents",)

    def __init__(self, tokens: list[Token], documents: dict[Token, list[str]]) -> None:
        super().__init__(tokens)
        self.documents = documents


def tokens(source: str, max_string_size: int = 0) -> Tokens:
    """Return the tokens of a source. ``max_string_size`` is in bytes, 0 for no limit."""
    lexer = _Lexer(source, max_string_size)
    for _ in _batches(lexer):
        pass
    return lexer.result()


def one_by_one(source: str, max_string_size: int, pause: Pause | None) -> Iterator[Token]:
    """Give the tokens of a source as they are asked for, so that a long one is never there in tokens as a whole;
    without its documentation."""
    lexer = _Lexer(source, max_string_size, pause)
    for _ in _batches(lexer):
        lexer.pause(len(lexer.found))
        yield from lexer.taken()


def _batches(lexer: _Lexer) -> Iterator[None]:
    """Read a source. Gives way whenever some more tokens were found."""
    source, most = lexer.source, lexer.limit
    add = lexer.found.append
    group, kind = 0, ";"
    while True:
        line, before = lexer.line, lexer.line_start - 1  # columns count from 1
        kinds = _KINDS_IN_BRACES if lexer.braces else _KINDS_OUTSIDE
        for match in islice(_TOKEN.finditer(source, lexer.at), _BATCH):
            group = match.lastindex or 0
            text = match[group]
            if group <= _SIGN:
                meaning = kinds.get(text, "name")
                if meaning is None:  # a sign that needs a closer look
                    if text != "-" or (kind in _BEFORE_OPERAND and source[match.end() : match.end() + 1] in _DIGITS):
                        break
                    meaning = "-"
                kind = meaning
                add((kind, text, line, match.start(group) - before))
            elif group == _LINES:
                line += text.count("\n")
                before = match.start(_LINES) + text.rindex("\n")
            elif group == _NUMBER:
                if len(text) >= 19:
                    break
                kind = "float" if "." in text else "int"
                add((kind, float(text) if "." in text else int(text), line, match.start(_NUMBER) - before))
            elif group == _STRING:
                if most and len(text) > most // 4:
                    break
                kind = "str"
                add((kind, text[1:-1], line, match.start(_STRING) - before))
            elif group == _COMMENT:
                if text.startswith("///") and not text.startswith("////"):
                    lexer.document(text)
                if text[-1] in "\r\n":
                    line += 1
                    before = match.end() - 1
            else:
                break
        else:
            lexer.at, lexer.line, lexer.line_start = match.end(), line, before + 1
            yield
            continue
        lexer.at, lexer.line, lexer.line_start = match.start(group), line, before + 1
        kind = lexer.read(kind)
        if kind == "end":
            yield
            return
        if len(lexer.found) >= _BATCH:
            yield


class _Lexer(Cursor):
    """Reads what the pattern can't, one token or comment at a time."""

    __slots__ = ("braces", "documents", "found")

    def __init__(self, source: str, limit: int, pause: Pause | None = None) -> None:
        super().__init__(source, limit, pause)
        self.found: list[Token] = []
        self.documents: dict[int, list[str]] = {}
        self.braces: list[int] = []
        """For each interpolation that we are in, how many braces are open within its own."""

    def result(self) -> Tokens:
        """Return all tokens."""
        found = self._placed()
        return Tokens(found, {found[index]: texts for index, texts in self.documents.items()})

    def taken(self) -> list[Token]:
        """Return the tokens that were found since the last call."""
        found = list(self._placed())
        self.found.clear()
        self.documents.clear()
        return found

    def _placed(self) -> list[Token]:
        found = self.found
        if self.line >= _LAST_PLACE or max(map(_COLUMN, found), default=0) >= _LAST_PLACE:
            return [(kind, value, min(line, _LAST_PLACE), min(at, _LAST_PLACE)) for kind, value, line, at in found]
        return found

    def document(self, text: str) -> None:
        """Keep a documentation comment for the function that follows."""
        self.documents.setdefault(len(self.found), []).append(text.rstrip("\r\n"))

    def read(self, before: str) -> str:
        """Read what is at ``at``. Returns its kind; that of the token ``before`` for a comment."""
        source, at = self.source, self.at
        sign = source[at : at + 1]
        self.at += 1
        if sign == '"' or sign == "'":
            return self._quoted(sign, at)
        if sign == "`":
            opened = self.place(at)
            open_template(self)
            return self._template(opened)
        if sign in _DIGITS or (sign == "-" and source[self.at : self.at + 1] in _DIGITS):
            return self._number(at)
        if source.startswith("/*", at):
            self._comment(at)
            return before
        if (sign and sign in "{}") or source.startswith("#{", at):
            return self._brace(at)
        if sign == "#":
            return self._hash(at)
        return self._wrong(at) if sign else self._end(at)

    def _add(self, kind: str, value: Any, place: tuple[int, int]) -> str:
        if isinstance(value, RhaiError):
            self.found.append(("error", value, *place))
            return self._end(len(self.source))
        self.found.append((kind, value, *place))
        return kind

    def _end(self, at: int) -> str:
        line, column = self.place(at)
        # A parser that takes the end for something else still looks one token further.
        self.found += (("end", "{EOF}", line, column), ("end", "{EOF}", line, column + 1))
        return "end"

    def _quoted(self, quote: str, at: int) -> str:
        place = self.place(at)
        if quote == '"':
            return self._add("str", quoted(self, quote), place)
        text = "" if self.source.startswith("'", self.at) else quoted(self, quote)
        if isinstance(text, str) and len(text) != 1:
            text = bad_input("MalformedChar", place, text)
        return self._add("char", text, place)

    def _template(self, opened: tuple[int, int] | None) -> str:
        """Read a text between backticks up to its end or to an interpolation."""
        text, interpolated, place = template(self, opened)
        if interpolated and isinstance(text, str):
            self.braces.append(-1)  # its own brace is still to come
        if isinstance(text, RhaiError):
            place = text.line, text.column
        return self._add("text" if interpolated else "str", text, place)

    def _brace(self, at: int) -> str:
        """Read a brace within an interpolation: when its own closes, the text goes on."""
        sign = "#{" if self.source[at] == "#" else self.source[at]
        self.at = at + len(sign)
        self._add(_KINDS[sign], sign, self.place(at))
        if sign != "}":
            self.braces[-1] += 1
        elif self.braces[-1]:
            self.braces[-1] -= 1
        else:
            self.braces.pop()
            return self._template(None)
        return sign

    def _number(self, at: int) -> str:
        place = self.place(at)
        sign = "-" if self.source[at] == "-" else ""
        match = _ODD_NUMBER.match(self.source, at + len(sign))
        assert match is not None
        self.at = match.end()
        text = match[0].replace("_", "")
        value = _radix_number(sign, text) if match[1] else _decimal_number(sign + text)
        if value is None:
            # Rhai cuts two characters off a number with a radix, be the first one a sign or not.
            shown = (sign + text)[2:] if match[1] else sign + text.replace("E", "e")
            return self._add("error", bad_input("MalformedNumber", place, shown), place)
        return self._add("float" if isinstance(value, float) else "int", value, place)

    def _comment(self, at: int) -> None:
        """Read a block comment, which may hold others."""
        depth = 0
        for step, part in enumerate(_COMMENT_PART.finditer(self.source, at), 1):
            if step % STEPS == 0:
                self.pause(STEPS)
            if part[0] == "\n":
                self.new_line(part.end())
                continue
            depth += 1 if part[0] == "/*" else -1
            if depth == 0:
                self.at = part.end()
                text = self.source[at : self.at]
                if text.startswith("/**") and not text.startswith("/***") and len(text) > 4:
                    self.document(text)
                return
        self.at = len(self.source)

    def _hash(self, at: int) -> str:
        """Read a raw string, or a sign that means nothing."""
        place = self.place(at)
        if self.source.startswith(('"', "#"), self.at):
            return self._add("str", raw(self), place)
        if self.source.startswith(" {", self.at):
            return self._improper("# {", place)
        sign = "#!" if self.source.startswith("!", self.at) else "#"
        self.at += self.source.startswith(" ", self.at)
        return self._add("reserved", sign, place)

    def _wrong(self, at: int) -> str:
        """Read a sign of another language, a name that can't be one, or a character that begins nothing."""
        place = self.place(at)
        for length in (3, 2):
            if self.source[at : at + length] in _OTHER_LANGUAGES:
                return self._improper(self.source[at : at + length], place)
        match = _UNDERSCORED.match(self.source, at)
        if match is None:
            return self._add("error", bad_input("UnexpectedInput", place, self.source[at]), place)
        self.at = match.end()
        if match[0] == "_":
            return self._add("_", "_", place)
        return self._add("error", bad_input("MalformedIdentifier", place, match[0]), place)

    def _improper(self, sign: str, place: tuple[int, int]) -> str:
        return self._add("error", bad_input("ImproperSymbol", place, sign, _OTHER_LANGUAGES[sign]), place)


def _radix_number(sign: str, text: str) -> int | None:
    """Return the number; None if there are no digits, too many of them, or a sign."""
    value = int(text[2:], _BASES[text[1].lower()]) if text[2:] and not sign else -1
    if not 0 <= value <= 2 * _I64_MAX + 1:
        return None
    return value - 2 * _I64_MAX - 2 if value > _I64_MAX else value


def _decimal_number(text: str) -> int | float | None:
    """Return the number, as float if it is no 64-bit integer; None for an exponent without digits."""
    if text[-1] in "eE+-":
        return None
    digits = text.lstrip("-").lstrip("0") or "0"
    if len(digits) < 20 and digits.isdigit():
        value = int(text[0] + digits) if text[0] == "-" else int(digits)
        if -_I64_MAX - 1 <= value <= _I64_MAX:
            return value
    return rounded(text)
