"""Advice on errors of the parser, from the tokens around the place where it stumbled.

Looked for, in this order: a bracket that was never closed, words and signs of other languages, a keyword with a slip in
it, and a separator that is missing at the end of the line before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from picloud.rhai.errors import RhaiError
from picloud.rhai.lexer import KEYWORDS, Token, tokens
from picloud.rhai.tools.foreign import RESERVED, SIGNS, WORDS
from picloud.rhai.tools.spelling import near


@dataclass(frozen=True, slots=True)
class Advice:
    """A sentence on how to mend a mistake, and the place that it is about, if that isn't the mistake's own."""

    text: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.text} (line {self.line}, position {self.column})" if self.line else self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """What went wrong: kind, text and place of the innermost error. Line and column are 0 where there is no place."""

    kind: str
    text: str
    line: int
    column: int
    parsing: bool = False
    """The parser found it, so nothing has run."""


_CLOSING: Final = {"(": ")", "[": "]", "?[": "]", "{": "}", "#{": "}"}
_CLOSERS: Final = frozenset(_CLOSING.values())
_NOT_IN_BRACKETS: Final = frozenset({";", "let", "const", "fn", "return", "throw", "import", "export"})
"""Kinds of tokens that don't stand in brackets, but in blocks."""
_BEGINNING: Final = _NOT_IN_BRACKETS | {"if", "for", "while", "loop", "do", "switch", "try", "break", "continue"}
"""Kinds of tokens that begin a statement."""
_QUOTED: Final = re.compile(r"'([^']*)'")
_NO_TYPES: Final = "types aren't declared: leave out the `:` and the type"
_MAP: Final = "a map begins with `#{`: `#{ name: value }`"
_PREFIXES: Final = frozenset({"f", "r", "b"})
"""What other languages put in front of a string."""
_OPERANDS: Final = frozenset(
    {"name", "str", "text", "char", "int", "float", "true", "false", "{", "(", "()", "[", "#{", "!", "-", "reserved"}
)
"""Kinds of tokens that begin an operand."""


def advice_on_parsing(error: RhaiError, source: str) -> tuple[Advice, ...]:
    """Return advice on an error of stage "parse"."""
    place = {"line": error.line, "column": error.column}
    return mend(Mistake(kind=error.kind, text=error.text, **place, parsing=True), source)


def mend(mistake: Mistake, source: str) -> tuple[Advice, ...]:
    """Return advice on an error of the parser; none if there is nothing to say."""
    around = _Around(mistake, source)
    for look in (_of_kind, _unclosed, _foreign_sign, _foreign_word, _slip, _separator):
        found = look(around)
        if found is not None:
            return (found,)
    return ()


class _Around:
    """The tokens around a mistake."""

    def __init__(self, mistake: Mistake, source: str) -> None:
        self.mistake = mistake
        self.source = source
        place = mistake.line, mistake.column
        found = tokens(source)
        self.before = [token for token in found if token[2:] < place and token[0] not in ("end", "error")]
        """The tokens in front of the place."""
        self.after = [token for token in found if token[2:] >= place]
        """The one at the place, and those behind it."""

    def line(self, number: int) -> str:
        """Return a line of the source; empty if there is none of that number."""
        lines = self.source.split("\n")
        return lines[number - 1].removesuffix("\r") if 0 < number <= len(lines) else ""

    @property
    def at(self) -> Token:
        return self.after[0] if self.after else ("end", "", self.mistake.line, self.mistake.column)

    @property
    def last(self) -> Token:
        return self.before[-1] if self.before else ("end", "", 0, 0)

    def opened(self) -> list[Token]:
        """Return the brackets that are open at the place, innermost last."""
        stack: list[Token] = []
        for token in self.before:
            if token[0] in _CLOSING:
                stack.append(token)
            elif token[0] in _CLOSERS and stack and _CLOSING[stack[-1][0]] == token[0]:
                stack.pop()
        return stack


def _of_kind(around: _Around) -> Advice | None:
    """Advice on kinds of errors that say enough by themselves."""
    mistake = around.mistake
    match mistake.kind:
        case "Reserved" | "UnknownOperator":
            word = _QUOTED.search(mistake.text)
            text = word and (RESERVED.get(word[1]) or SIGNS.get(word[1]))
            return Advice(text) if text else None
        case "WrongFnDefinition":
            stack = around.opened()
            if stack:
                opener = _suspect(around, stack)
                return Advice("a function can't stand in this block; is a `}` missing before it?", *opener[2:])
        case "AssignmentToInvalidLHS":
            return Advice("only variables, elements and properties can be assigned to; `==` compares")
        case "LoopBreak":
            return Advice("`break` and `continue` work in `loop`, `while`, `do` and `for`; `return` leaves a function")
        case "WrongSwitchDefaultCase":
            return Advice("move `_ => …` behind all other cases")
        case "AssignmentToConstant":
            return _constant(around)
        case "FnDuplicatedDefinition":
            return Advice("functions of one name differ by their number of parameters")
        case "DuplicatedProperty":
            return Advice("each property of a map has a name of its own: leave one out")
        case "MalformedIndexExpr" if "map" not in mistake.text:
            return Advice('elements are numbered from 0: `array[0]`; a map\'s are named: `map["name"]`')
        case "MismatchedType" if "boolean" in mistake.text:
            return Advice("a condition is `true` or `false`; compare, as in `x != 0`")
        case "BadInput":
            return _bad_input(around)
        case "VariableExpected" if around.last[0] == "(" and around.at[0] == "let":
            return Advice("`for` goes through values: `for i in 0..10 { … }`")
        case "VariableExpected" if around.at[0] in KEYWORDS:
            return Advice(f"`{around.at[1]}` is a keyword and can't be a name")
        case "ExprTooDeep":
            return Advice("take parts of the expression into variables, or into functions")
    return None


def _constant(around: _Around) -> Advice | None:
    name = around.mistake.text.rpartition(" ")[2]
    for token, following in zip(around.before[::-1][1:], around.before[::-1], strict=False):
        if token[0] == "const" and following[1] == name:
            return Advice("declared as a constant here; `let` declares what may change", *following[2:])
    return Advice("use `==` to compare") if around.mistake.text.endswith("value") else None


def _bad_input(around: _Around) -> Advice | None:
    text = around.mistake.text
    if text.startswith("Open string"):
        sign = around.line(around.mistake.line)[around.mistake.column - 1 :][:1]
        if sign == '"':
            return Advice('a string in `"` ends on its line; one over several lines stands between backticks')
        return Advice("the text is still open where the script ends")
    if text.startswith("Invalid character"):
        return Advice("`'` is for one character; strings stand in `\"`")
    if text.startswith("Invalid escape"):
        return Advice('a backslash is written `\\\\`; in a raw string, #"…"#, it stands for itself')
    if text.startswith("Variable name is not proper"):
        return Advice("names begin with a letter")
    if "'->'" in text:
        return Advice(SIGNS["->"])
    if text.startswith("Unexpected 'else'"):
        return Advice("`else` stands behind the block of an `if`")
    if text.startswith(("Unexpected '}'", "Unexpected ')'", "Unexpected ']'")):
        stack = around.opened()
        closer = text[12]
        if not stack or all(_CLOSING[token[0]] != closer for token in stack):
            return Advice(f"no bracket is open that this `{closer}` could close")
    return None


def _unclosed(around: _Around) -> Advice | None:
    """Advice on a bracket that is still open at the end, or where another kind of bracket is closed."""
    stack = around.opened()
    if not stack:
        return None
    at = around.at[0]
    ends = at == "end" or around.mistake.kind == "UnexpectedEOF"
    inner = _CLOSING[stack[-1][0]]
    wrong = (at in _CLOSERS and inner != at) or (at in _NOT_IN_BRACKETS and stack[-1][0] != "{")
    if not ends and not wrong and not (at == "{" and inner == ")" and "matching" in around.mistake.text):
        return None
    token = _suspect(around, stack) if ends else stack[-1]
    closer = _CLOSING[token[0]]
    where = "before the end" if ends else f"before `{at}`"
    return Advice(f"this `{token[1]}` is not closed: a `{closer}` is missing {where}", *token[2:])


def _suspect(around: _Around, stack: list[Token]) -> Token:
    """Return which of the open brackets was most likely forgotten.

    That is the one that was closed by a bracket of another column than that of its line, for people indent what they
    mean: the first block that ends further to the left than it began took the bracket of one around it.
    """
    lines = around.source.split("\n")

    def indent(token: Token) -> int:
        line = lines[token[2] - 1] if token[2] <= len(lines) else ""
        return len(line) - len(line.lstrip())

    open_: list[Token] = []
    for token in around.before:
        if token[0] in _CLOSING:
            open_.append(token)
        elif token[0] in _CLOSERS and open_ and _CLOSING[open_[-1][0]] == token[0]:
            opener = open_.pop()
            is_first = indent(token) == token[3] - 1
            if is_first and token[2] > opener[2] and indent(opener) > token[3] - 1:
                return opener
    return stack[-1]


def _foreign_sign(around: _Around) -> Advice | None:
    """Advice on signs that mean something else elsewhere."""
    at, last = around.at, around.last
    if at[0] == ":" and around.mistake.kind == "MissingToken":
        if "parameters" in around.mistake.text or (len(around.before) > 1 and around.before[-2][0] in ("let", "const")):
            return Advice(_NO_TYPES)
        if "switch" in around.mistake.text:
            return Advice("a case is written `value => …`")
        stack = around.opened()
        if stack and stack[-1][0] == "{" and last[0] in ("name", "str"):
            return Advice(_MAP, *stack[-1][2:])
        if "'in'" in around.mistake.text:
            return Advice("write `in`")
    if at[0] == "," and "matching (" in around.mistake.text:
        return Advice("there are no tuples: an array is `[a, b]`", *around.opened()[-1][2:])
    if at[0] == "error" and "'->'" in at[1].text:
        return Advice(SIGNS["->"])
    if at[0] == "=>" and "arguments" in around.mistake.text:
        return Advice("a closure is written `|a, b| …`")
    if at[0] == "=" and around.mistake.kind == "MissingToken":
        if "parameters" in around.mistake.text:
            return Advice("parameters have no defaults: define the function once more, with fewer parameters")
        if any(part in around.mistake.text for part in ("matching (", "arguments", "items")):
            return Advice("an assignment has no value; use `==` to compare")
    if at[0] == "reserved" and at[1] in SIGNS:
        return Advice(SIGNS[at[1]])
    return None


def _foreign_word(around: _Around) -> Advice | None:
    """Advice on words of other languages at the place or right in front of it."""
    if around.mistake.kind not in ("MissingToken", "VariableExpected", "ExprExpected", "BadInput", "FnMissingBody"):
        return None
    at, last = around.at, around.last
    if at[0] == "name" and at[1] in WORDS and at[1] not in _PREFIXES and last[0] != ".":
        return Advice(f"`{at[1]}` is no word of Rhai: {WORDS[at[1]]}")
    if last[0] == "name" and last[1] in WORDS and _adjoins(around):
        return Advice(f"`{last[1]}` is no word of Rhai: {WORDS[last[1]]}")
    if around.mistake.kind == "MissingToken" and "statement block" in around.mistake.text:
        return Advice("the body of `if`, `else`, `while`, `for` … is a block: `{ … }`")
    if at[0] == "reserved" and at[1] in RESERVED:
        return Advice(RESERVED[at[1]])
    return None


def _adjoins(around: _Around) -> bool:
    """Whether the word in front of the place and what is at it were meant to be one statement."""
    if around.last[1] in _PREFIXES:
        return around.at[0] in ("str", "text", "char") and around.at[2:] == (around.last[2], around.last[3] + 1)
    return around.last[2] == around.at[2] and around.at[0] in _OPERANDS


def _slip(around: _Around) -> Advice | None:
    """Advice on a word that is nearly a keyword, at the place or right in front of it."""
    if around.mistake.kind not in ("MissingToken", "BadInput", "VariableExpected"):
        return None
    at, last = around.at, around.last
    for token in (last, at):
        if token[0] == "name" and len(token[1]) > 2 and (token is at or last[2] == at[2]):
            meant = near(token[1], KEYWORDS)
            if meant is not None:
                return Advice(f"did you mean `{meant}`?", *(token[2:] if token is not at else ()))
    return None


def _separator(around: _Around) -> Advice | None:
    """Advice on a `;` or `,` that is missing at the end of the line before, or in front of the next statement."""
    mistake, last = around.mistake, around.last
    wanted = _QUOTED.search(mistake.text) if mistake.kind == "MissingToken" else None
    if wanted is None or wanted[1] not in (";", ","):
        return None
    if last[2] == mistake.line and wanted[1] == ";" and around.at[0] in _BEGINNING:
        return Advice("a `;` is missing before this")
    if not 0 < last[2] < mistake.line:
        return None
    line = around.line(last[2])
    end = len(line[: _code_end(around, last)].rstrip())
    return Advice(f"a `{wanted[1]}` is missing here", last[2], end + 1)


def _code_end(around: _Around, last: Token) -> int:
    """Return where the code of the line ends that the last token is on: at a comment, or at its end."""
    line = around.line(last[2])
    if last[0] in ("str", "text", "char"):
        closing = line.rfind('"' if '"' in line[last[3] - 1 :] else "`" if last[0] != "char" else "'")
        return closing + 1 if closing >= last[3] - 1 else len(line)
    for sign in ("//", "/*"):
        start = line.find(sign, last[3] - 1 + len(str(last[1])))
        if start >= 0:
            return start
    return len(line)
