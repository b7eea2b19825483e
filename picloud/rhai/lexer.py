"""Source text to tokens.

One compiled pattern cuts the text; what it can't hold (nested comments, escapes, texts between backticks) is read by hand
from where the pattern found it. A token is a tuple ``(kind, value, line, column)``; columns count characters from 1. Kinds:

    int float str char   literals; ``char`` holds its one character
    huge                 2**63, which is an integer only behind a minus sign
    interp               a text with ``${…}`` in it: a list of texts and of token lists
    id  kw  sym          names, keywords, signs
    reserved             words and signs that mean nothing in Rhai but can't be names
    doc                  a documentation comment
    eof                  the end
"""

from __future__ import annotations

import re
from typing import Any, Final

from picloud.rhai.errors import RhaiError, parse_error

Token = tuple[str, Any, int, int]

KEYWORDS: Final = frozenset(
    [
        "true",
        "false",
        "let",
        "const",
        "if",
        "else",
        "switch",
        "do",
        "while",
        "until",
        "loop",
        "for",
        "in",
        "continue",
        "break",
        "return",
        "throw",
        "try",
        "catch",
        "fn",
        "private",
        "import",
        "export",
        "as",
        "this",
    ]
)
RESERVED_WORDS: Final = frozenset(
    [
        "use",
        "case",
        "async",
        "public",
        "package",
        "super",
        "var",
        "protected",
        "spawn",
        "shared",
        "is",
        "sync",
        "static",
        "default",
        "thread",
        "yield",
        "new",
        "match",
        "await",
        "null",
        "with",
        "void",
        "nil",
        "module",
        "go",
        "goto",
    ]
)
RESERVED_SIGNS: Final = frozenset({"?", "#", "~", "!.", "...", "@", "--", "<|", "$", "|>", "++", "#!"})

_IMPROPER: Final = {
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
_I64_LIMIT: Final = 1 << 63

_TOKEN: Final = re.compile(
    r"""
  (?P<space>[ \t\r\f\v]+) | (?P<newline>\n) | (?P<line>//[^\n]*) | (?P<comment>/\*)
| (?P<id>[A-Za-z_][A-Za-z0-9_]*)
| (?P<number>0[xX][0-9a-fA-F_]+ | 0[oO][0-7_]+ | 0[bB][01_]+
    | [0-9][0-9_]*(?:\.(?![._A-Za-z])[0-9_]*)?(?:[eE][+-]?[0-9][0-9_]*)?)
| (?P<sign>===|!==|\*\*=|<<=|>>=|\.\.=|\.\.\.|::<|\#\{|\#\ \{|=>|==|!=|<=|>=|<<|>>|&&|\|\||\+=|-=|\*=|/=|%=|&=|\|=|\^=
    |\+\+|--|\*\*|\.\.|\?\?|\?\.|\?\[|::|->|<-|:=|:;|<\||\|>|!\.|\(\*|\*\)|[-+*/%(){}\[\];,.:=<>!&|^~?@$])
| (?P<quote>") | (?P<backtick>`) | (?P<apostrophe>') | (?P<raw>\#+") | (?P<hash>\#!?)
""",
    re.X,
)
_COMMENT_PARTS: Final = re.compile(r"/\*|\*/|\n")
_PLAIN_TEXT: Final = re.compile(r'[^"\\\n]+')
_PLAIN_TEMPLATE: Final = re.compile(r"[^`$\\\n]+")
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "`": "`"}
_HEX_DIGITS: Final = {"x": 2, "u": 4, "U": 8}


def tokens(source: str) -> list[Token]:
    """The tokens of ``source``, with ``eof`` at the end. Raises a parse error for what is no token."""
    return _Lexer(source).read()


def bad_input(kind: str, text: str, line: int, column: int, *arguments: str) -> RhaiError:
    """A ``BadInput`` of the given kind of lexer error."""
    shown = f"{kind}({', '.join(map(rust_debug, arguments))})" if arguments else kind
    return parse_error("BadInput", text, line, column, f"BadInput({shown})")


def rust_debug(text: str) -> str:
    """A text as Rust's debug format quotes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return '"' + escaped.replace("\r", "\\r").replace("\0", "\\0") + '"'


class _Lexer:
    """Reads one source from ``position`` on; ``line_start`` is where the present line begins."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.position = 0
        self.line = 1
        self.line_start = 0
        self.nesting = 0

    def read(self, *, interpolated: bool = False) -> list[Token]:
        """All tokens, or those up to the brace that closes an interpolation."""
        found_tokens: list[Token] = []
        add = found_tokens.append
        source, match, size = self.source, _TOKEN.match, len(self.source)
        braces = 0
        while self.position < size:
            at = self.position
            column = at - self.line_start + 1
            found = match(source, at)
            if found is None:
                raise bad_input("UnexpectedInput", f"Unexpected '{source[at]}'", self.line, column, source[at])
            kind = found.lastgroup
            self.position = found.end()
            if kind == "space":
                continue
            if kind == "newline":
                self.line += 1
                self.line_start = self.position
            elif kind == "id":
                add((*_word(found[0], self.line, column), self.line, column))
            elif kind == "sign":
                sign = found[0]
                if interpolated and sign in ("{", "#{"):
                    braces += 1
                elif interpolated and sign == "}":
                    if braces == 0:
                        add(("eof", "}", self.line, column))
                        return found_tokens
                    braces -= 1
                add((self._sign_kind(sign, column), sign, self.line, column))
            elif kind == "number":
                add((*_number(found[0], self.line, column), self.line, column))
            elif kind == "line":
                text = found[0]
                if text.startswith(("///", "//!")) and not text.startswith("////"):
                    if text[2] == "/":
                        add(("doc", text.rstrip("\r"), self.line, column))
            elif kind == "comment":
                self._comment(add, column)
            elif kind == "quote":
                line = self.line
                add(("str", self._text(column), line, column))
            elif kind == "backtick":
                self._template(add, column)
            elif kind == "apostrophe":
                add(("char", self._character(column), self.line, column))
            elif kind == "raw":
                self._raw(add, found[0], column)
            else:
                add(("reserved", found[0], self.line, column))
        if interpolated:
            raise bad_input("UnterminatedString", "Open string is not terminated", self.line, self._column())
        add(("eof", "", self.line, self._column()))
        return found_tokens

    def _column(self) -> int:
        return self.position - self.line_start + 1

    def _sign_kind(self, sign: str, column: int) -> str:
        if sign in _IMPROPER:
            raise bad_input("ImproperSymbol", _IMPROPER[sign], self.line, column, sign, _IMPROPER[sign])
        return "reserved" if sign in RESERVED_SIGNS else "sym"

    def _comment(self, add: Any, column: int) -> None:
        start, line, depth = self.position - 2, self.line, 1
        for found in _COMMENT_PARTS.finditer(self.source, self.position):
            if found[0] == "\n":
                self.line += 1
                self.line_start = found.end()
                continue
            depth += 1 if found[0] == "/*" else -1
            if depth == 0:
                self.position = found.end()
                text = self.source[start : self.position]
                if text.startswith("/**") and not text.startswith("/***") and len(text) > 4:
                    add(("doc", text, line, column))
                return
        self.position = len(self.source)

    def _text(self, column: int) -> str:
        """The rest of ``"…"``. Raises at the end of the line, unless a backslash stands there."""
        source, size = self.source, len(self.source)
        start_line = self.line
        parts: list[str] = []
        at = self.position
        while True:
            found = _PLAIN_TEXT.match(source, at)
            if found is not None:
                parts.append(found[0])
                at = found.end()
            sign = source[at] if at < size else "\n"
            if sign == '"':
                if source.startswith('""', at):
                    parts.append('"')
                    at += 2
                    continue
                self.position = at + 1
                return "".join(parts)
            if sign == "\n":
                raise bad_input("UnterminatedString", "Open string is not terminated", start_line, column)
            if source.startswith("\\\n", at) or source.startswith("\\\r\n", at):
                at = source.index("\n", at) + 1
                self.line += 1
                self.line_start = at
                continue
            text, at = self._escape(at)
            parts.append(text)

    def _escape(self, at: int) -> tuple[str, int]:
        """What the escape at ``at`` stands for, and where it ends."""
        source = self.source
        sign = source[at + 1 : at + 2]
        if sign in _ESCAPES:
            return _ESCAPES[sign], at + 2
        column = at - self.line_start + 1
        written = "\\" + sign
        if sign in _HEX_DIGITS:
            end = at + 2 + _HEX_DIGITS[sign]
            for index in range(at + 2, end):
                digit = source[index : index + 1]
                written += digit
                if not digit or digit not in "0123456789abcdefABCDEF":
                    break
            else:
                code = int(written[2:], 16)
                if code < 0x110000 and not 0xD800 <= code < 0xE000:
                    return chr(code), end
        raise bad_input("MalformedEscapeSequence", f"Invalid escape sequence: '{written}'", self.line, column, written)

    def _character(self, column: int) -> str:
        source = self.source
        at = start = self.position
        parts: list[str] = []
        while at < len(source) and source[at] not in "'\n":
            if source[at] == "\\":
                text, at = self._escape(at)
                parts.append(text)
            else:
                parts.append(source[at])
                at += 1
        text = "".join(parts)
        if at >= len(source) or source[at] == "\n":
            text = source[start:at]
            raise bad_input("MalformedChar", f"Invalid character: '{text}'", self.line, column, text)
        if len(text) != 1:
            raise bad_input("MalformedChar", f"Invalid character: '{text}'", self.line, column, text)
        self.position = at + 1
        return text

    def _raw(self, add: Any, opening: str, column: int) -> None:
        closing = '"' + opening[:-1]
        start, line = self.position, self.line
        end = self.source.find(closing, start)
        if end < 0:
            raise bad_input("UnterminatedString", "Open string is not terminated", line, column)
        text = self.source[start:end]
        if "\n" in text:
            self.line += text.count("\n")
            self.line_start = start + text.rfind("\n") + 1
        self.position = end + len(closing)
        add(("str", text, line, column))

    def _template(self, add: Any, column: int) -> None:
        """The rest of a text between backticks; a newline right behind the first one is left out."""
        line = self.line
        source, size = self.source, len(self.source)
        parts: list[Any] = []
        text: list[str] = []
        at = self.position
        for newline in ("\r\n", "\n"):
            if source.startswith(newline, at):
                at += len(newline)
                self._new_line(at)
                break
        while True:
            found = _PLAIN_TEMPLATE.match(source, at)
            if found is not None:
                text.append(found[0])
                at = found.end()
            if at >= size:
                raise bad_input("UnterminatedString", "Open string is not terminated", line, column)
            sign = source[at]
            if sign == "`":
                if not source.startswith("``", at):
                    break
                text.append("`")
                at += 2
            elif source.startswith("${", at):
                parts.append("".join(text))
                text = []
                parts.append(self._interpolated(at + 2, line, column))
                at = self.position
            else:
                text.append(sign)
                at += 1
                if sign == "\n":
                    self._new_line(at)
        self.position = at + 1
        parts.append("".join(text))
        add(("str", parts[0], line, column) if len(parts) == 1 else ("interp", parts, line, column))

    def _interpolated(self, at: int, line: int, column: int) -> list[Token]:
        if self.nesting >= 32:
            raise parse_error("ExprTooDeep", "Expression exceeds maximum complexity", line, column, "ExprTooDeep")
        self.position = at
        self.nesting += 1
        inner = self.read(interpolated=True)
        self.nesting -= 1
        return inner

    def _new_line(self, at: int) -> None:
        self.line += 1
        self.line_start = at


def _word(text: str, line: int, column: int) -> tuple[str, str]:
    if text in KEYWORDS:
        return "kw", text
    if text in RESERVED_WORDS:
        return "reserved", text
    if text != "_" and not text.strip("_0123456789"):
        raise bad_input("MalformedIdentifier", f"Variable name is not proper: '{text}'", line, column, text)
    return "id", text


def _number(text: str, line: int, column: int) -> tuple[str, Any]:
    digits = text.replace("_", "")
    base = {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2].lower())
    if base is not None:
        value = int(digits[2:], base) if len(digits) > 2 else _I64_LIMIT * 2
        if value >= _I64_LIMIT * 2:
            raise bad_input("MalformedNumber", f"Invalid number: '{text}'", line, column, text)
        return "int", value - 2 * _I64_LIMIT if value >= _I64_LIMIT else value
    if digits.isdigit():
        value = int(digits) if len(digits) < 25 else 2 * _I64_LIMIT
        if value < _I64_LIMIT:
            return "int", value
        return ("huge", value) if value == _I64_LIMIT else ("float", float(digits))
    return "float", float(digits)
