"""Statements and blocks as documents. The grammar is that of ``parser/statements.py``, ``parser/control.py`` and
``parser/functions.py``."""

from __future__ import annotations

from typing import Final

from picloud.rhai.tools.formatter.expressions import Expressions
from picloud.rhai.tools.formatter.layout import HARD, LINE, Concat, Doc, Group, IfBroken, Indent, is_hard, joined

_ASSIGNMENTS: Final = ("=", "+=", "-=", "*=", "/=", "%=", "**=", "&=", "|=", "^=", "<<=", ">>=")
_CONTROL: Final = frozenset({"{", "if", "switch", "while", "loop", "for", "try", "fn", "private"})
"""What begins a statement that needs no semicolon."""
_CANNOT_BEGIN: Final = (";", "}", ")", "]", ",", "end")
"""What ends a ``return`` without a value."""
_AMBIGUOUS: Final = frozenset({"int", "float", "-", "+", "!", "(", "()", "[", "|", "||", ".", "template"})
"""In front of these a semicolon behind a block stays."""


class Statements(Expressions):
    """Reads a whole script."""

    def script(self) -> Doc:
        """Read everything."""
        entries = self._entries("end")
        return Concat([_lines(entries), HARD]) if entries else ""

    def _entries(self, closing: str) -> list[tuple[bool, Doc]]:
        """Read statements and the comments on lines between them, up to what closes them, which is left.

        With each comes whether an empty line is in front of it.
        """
        entries: list[tuple[bool, Doc]] = []
        while True:
            entries += [(blank, text) for text, blank in self.own_lines()]
            if self.sees(closing):
                return entries
            blank = self.blank_before
            if self.sees(";"):
                self._drop(entries)
                continue
            begins = self.next.kind
            statement = self.statement()
            parts = [statement, self.trail()]
            if self.sees(";") and not (begins in _CONTROL and self._is_idle()):
                parts.append(self.take(";"))
            elif self.sees(";"):
                parts.append(self.without(";"))
            parts.append(self.trail())
            entries.append((blank, Concat(parts)))

    def _is_idle(self) -> bool:
        """Whether the next semicolon stands behind a block for nothing."""
        return self.behind(1).kind not in _AMBIGUOUS

    def _drop(self, entries: list[tuple[bool, Doc]]) -> None:
        """Take a statement that is only a semicolon; its comments stay."""
        comments = Concat([self.without(";"), self.trail()])
        if comments.parts:
            entries.append((False, comments))

    # ---------------------------------------------------------------------------------------- statements

    def statement(self) -> Doc:
        """Read a statement without its semicolon."""
        match self.next.kind:
            case "let" | "const":
                return self._let()
            case "return" | "throw" | "break" | "continue":
                word = self.take()
                return word if self.next.kind in _CANNOT_BEGIN else Concat([word, self.trail(), " ", self.expression()])
            case "import":
                return self._renamed(Concat([self.take(), " ", self.expression()]))
            case "export":
                word = self.take()
                if self.sees("let", "const"):
                    return Concat([word, " ", self._let()])
                return self._renamed(Concat([word, " ", self.take()]))
            case "fn" | "private":
                return self._function()
            case "try":
                return self._try()
            case "{" | "if" | "switch" | "while" | "loop" | "do" | "for":
                return self.control()
        target = self.expression()
        if self.next.kind not in _ASSIGNMENTS:
            return target
        return Concat([target, " ", self.take(), self.trail(), " ", self.expression()])

    def _let(self) -> Doc:
        parts = [self.take(), " ", self.take()]
        if self.sees("="):
            parts += [" ", self.take(), self.trail(), " ", self.expression()]
        return Concat(parts)

    def _renamed(self, doc: Doc) -> Doc:
        """Read ``as name``, if it is there."""
        return Concat([doc, " ", self.take(), " ", self.take()]) if self.sees("as") else doc

    def _function(self) -> Doc:
        parts: list[Doc] = []
        if self.sees("private"):
            parts += [self.take(), " "]
        parts += [self.take("fn"), " ", self.take()]
        if self.sees("."):
            parts += [self.take(), self.take()]
        parts.append(self._parameters())
        return Group(Concat([*parts, self.trail(), " ", self._block()]))

    def _parameters(self) -> Doc:
        if self.sees("()"):
            return self.take()
        return self._arguments()

    # ---------------------------------------------------------------------------------------- control

    def control(self) -> Doc:
        """Read a block, ``if``, ``switch`` or loop."""
        match self.next.kind:
            case "if":
                return Group(self._if())
            case "switch":
                return self._switch()
            case "for":
                return self._for()
            case "while":
                return Group(Concat([self.take(), " ", self.expression(), self.trail(), " ", self._block()]))
            case "loop":
                return Group(Concat([self.take(), self.trail(), " ", self._block()]))
            case "do":
                body = [self.take(), self.trail(), " ", self._block(), self.trail(), " "]
                return Group(Concat([*body, self.take(), " ", self.expression()]))
        return Group(self._block())

    def _block(self) -> Doc:
        """Read a block: on one line if it is written so and holds one statement that fits."""
        opening = self.take("{")
        inline = not self.next.newlines and not self.next.comments
        trailing = self.trail()
        entries = self._entries("}")
        closing = self.take("}")
        if not entries and not trailing:
            return Concat([opening, closing])
        if inline and len(entries) == 1 and not is_hard(entries[0][1]):
            return Concat([opening, Indent(Concat([LINE, entries[0][1]])), LINE, closing])
        return Concat([opening, trailing, Indent(Concat([HARD, _lines(entries)])), HARD, closing])

    def _if(self) -> Doc:
        parts = [self.take("if"), " ", self.expression(), self.trail(), " ", self._block()]
        if self.sees("else"):
            parts += [self.trail(), " ", self.take(), self.trail(), " "]
            parts.append(self._if() if self.sees("if") else self._block())
        return Concat(parts)

    def _for(self) -> Doc:
        parts = [self.take(), " "]
        if self.sees("("):
            parts += [self.take(), self.take(), self.take(), " ", self.take(), self.take()]
        else:
            parts.append(self.take())
        parts += [" ", self.take("in"), " ", self.expression(), self.trail(), " ", self._block()]
        return Group(Concat(parts))

    def _try(self) -> Doc:
        parts = [self.take(), self.trail(), " ", self._block(), self.trail(), " ", self.take("catch")]
        if self.sees("("):
            parts += [" ", self.take(), self.take(), self.take()]
        return Group(Concat([*parts, self.trail(), " ", self._block()]))

    # ---------------------------------------------------------------------------------------- switch

    def _switch(self) -> Doc:
        head = Concat([self.take(), " ", self.expression(), self.trail(), " ", self.take("{")])
        inline = not self.next.newlines and not self.next.comments
        trailing = self.trail()
        outer, self.in_pattern = self.in_pattern, False
        entries: list[tuple[bool, Doc]] = []
        while True:
            comments = self.own_lines()
            inline = inline and not comments
            entries += [(blank, text) for text, blank in comments]
            if self.sees("}"):
                break
            entries.append((self.blank_before, self._case()))
        self.in_pattern = outer
        closing = self.take("}")
        if not entries and not trailing:
            return Concat([head, closing])
        if inline and not any(is_hard(entry) for _, entry in entries):
            cases = joined(LINE, [entry for _, entry in entries])
            return Group(Concat([head, Indent(Concat([LINE, cases])), LINE, closing]))
        return Concat([head, trailing, Indent(Concat([HARD, _lines(entries)])), HARD, closing])

    def _case(self) -> Doc:
        parts: list[Doc] = []
        if self.sees("_"):
            parts.append(self.take())
        else:
            self.in_pattern = True
            parts.append(self.expression())
            while self.sees("|"):
                parts += [" ", self.take(), " ", self.expression()]
            self.in_pattern = False
            if self.sees("if"):
                parts += [" ", self.take(), " ", self.expression()]
        parts += [" ", self.take("=>"), self.trail(), " "]
        is_block = self.sees("{")
        parts += [self.body(), self.trail()]
        comma = self.accept(",")
        if comma is not None and comma != ",":
            parts.append(comma)
        elif not is_block:
            parts.append(IfBroken(",") if self.sees("}") and not self.next.comments else ",")
        parts.append(self.trail())
        return Concat(parts)


def _lines(entries: list[tuple[bool, Doc]]) -> Doc:
    """Return each entry on lines of its own, with the empty lines between them."""
    parts: list[Doc] = []
    for index, (blank, doc) in enumerate(entries):
        if index:
            parts += [HARD, HARD] if blank else [HARD]
        parts.append(doc)
    return Concat(parts)
