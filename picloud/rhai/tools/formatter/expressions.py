"""Expressions as documents. The grammar is that of ``parser/operators.py`` and ``parser/operands.py``; what is read
was accepted by the parser, so nothing is checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from picloud.rhai.parser.operators import PRECEDENCE
from picloud.rhai.tools.formatter.layout import (
    HARD,
    LINE,
    SOFT,
    Choice,
    Concat,
    Doc,
    Fill,
    Group,
    IfBroken,
    Indent,
    is_hard,
    joined,
)
from picloud.rhai.tools.formatter.reader import Reader

_SIGNS: Final = ("-", "+", "!")
_RANGES: Final = frozenset({"..", "..="})
_ENDS_RANGE: Final = frozenset({"]", ")", "}", ",", ";", "=>"})
_ACCESS: Final = frozenset({".", "?.", "[", "?["})
_CONTROL: Final = frozenset({"{", "if", "switch", "while", "loop", "do", "for"})
_LEAVING: Final = frozenset({"break", "continue", "return", "throw"})
_LONG_CHAIN: Final = 2
"""A chain of so many calls of methods may break in front of each."""
_LITERALS: Final = frozenset({"int", "float", "str", "char", "true", "false", "()"})
_MANY: Final = 8
_SMALL: Final = 16
"""So many items of so few cells fill lines."""
_HUGGED: Final = frozenset({"[", "#{", "|", "||"})
"""What may begin the last argument for it to open on the line of the call."""


class Expressions(Reader):
    """Reads expressions."""

    in_pattern = False
    """Whether we are in a case of a ``switch``, where ``|`` is no operator."""

    def expression(self) -> Doc:
        """Read an expression."""
        return self._operations(self.operand(), 0)

    def statement(self) -> Doc:
        """Read a statement without its semicolon."""
        raise NotImplementedError

    def body(self) -> Doc:
        """Read the statement that a closure or a case consists of; one that does nothing is an empty block."""
        if self.sees("end"):
            return "{}"
        return Concat([self.without(";"), "{}"]) if self.sees(";") else self.statement()

    def control(self) -> Doc:
        """Read a block, ``if``, ``switch`` or loop."""
        raise NotImplementedError

    # ---------------------------------------------------------------------------------------- operators

    def _binding(self) -> int:
        kind = self.next.kind
        return 0 if self.in_pattern and kind == "|" else PRECEDENCE.get(kind, 0)

    def _operations(self, left: Doc, below: int) -> Doc:
        """Read the operators behind ``left`` that bind more tightly than ``below``."""
        while (binds := self._binding()) > below:
            if self.next.kind in _RANGES:
                left = self._range(left, binds)
                continue
            parts: list[Doc] = []
            while self._binding() == binds:
                trailing = self.trail()
                parts += [trailing, LINE, self.take(), self.trail(), " "]
                right = self._right()
                # ** binds to the right, but a row of it is written as any other.
                if self._binding() > binds:
                    right = self._operations(right, binds)
                parts.append(right)
            left = Group(Concat([left, Indent(Concat(parts))]))
        return left

    def _right(self) -> Doc:
        return self.statement() if self.next.kind in _LEAVING else self.operand()

    def _range(self, left: Doc, binds: int) -> Doc:
        if isinstance(left, str) and left.endswith("."):
            left = f"{left} "  # a number that ends with a dot
        sign = self.take()
        if self.next.kind in _ENDS_RANGE:
            return Concat([left, sign])
        if self.next.kind in _RANGES:
            return Concat([left, sign, " "])
        right = self.operand()
        if self._binding() > binds:
            right = self._operations(right, binds)
        return Concat([left, sign, right])

    # ---------------------------------------------------------------------------------------- operands

    def operand(self) -> Doc:
        """Read an operand with what is accessed behind it."""
        lexeme = self.next
        if lexeme.kind in _SIGNS:
            sign = self.take()
            following = self.next.text[:1]
            apart = lexeme.text == following or (lexeme.text == "-" and following.isdigit())
            return Concat([sign, " " if apart else "", self.operand()])
        if lexeme.kind in _RANGES:
            return ""
        head = self._primary()
        if lexeme.kind == "int" and self.sees(".") and self.behind(1).comments:
            head = Concat([head, " "])  # a dot with nothing behind it would belong to the number
        return self._accesses(head) if self.next.kind in _ACCESS else head

    def _primary(self) -> Doc:
        kind = self.next.kind
        if kind == "(":
            head = self._group()
        elif kind == "[":
            return self._array()
        elif kind == "#{":
            return self._map()
        elif kind in ("|", "||"):
            return self._closure()
        elif kind in _CONTROL:
            return self.control()
        else:
            head = self.take()
        while self.next.kind in ("::", "!", "(", "()"):
            kind = self.next.kind
            if kind == "::":
                head = Concat([head, self.take(), self.take()])
            elif kind == "!" and self.behind(1).kind not in ("(", "()"):
                break
            elif kind == "!":
                head = Concat([head, self.take()])
            else:
                head = Concat([head, self._arguments()])
        return head

    def _accesses(self, head: Doc) -> Doc:
        """Read a chain of properties, methods and elements."""
        links: list[Doc] = []
        calls = 0
        while self.next.kind in _ACCESS:
            trailing = self.trail()
            if self.next.kind in (".", "?."):
                link = Concat([self.take(), self.take()])
                called = False
                if self.next.kind == "!" and self.behind(1).kind in ("(", "()"):
                    link = Concat([link, self.take()])
                if self.next.kind in ("(", "()"):
                    link = Concat([link, self._arguments()])
                    called = True
                if not called and not links:
                    head = Concat([head, trailing, link])
                elif called:
                    links.append(Concat([trailing, link]))
                    calls += 1
                else:
                    links[-1] = Concat([links[-1], trailing, link])
            else:
                element = Concat([trailing, self.take(), self._outside_pattern(), self.take("]")])
                if links:
                    links[-1] = Concat([links[-1], element])
                else:
                    head = Concat([head, element])
        if calls < _LONG_CHAIN:
            return Concat([head, *links])
        return Group(Concat([head, Indent(Concat([part for link in links for part in (SOFT, link)]))]))

    def _group(self) -> Doc:
        opening = self.take("(")
        trailing = self.trail()
        inner = self._outside_pattern()
        last = self.trail()
        return Group(
            Concat([opening, trailing, Indent(Concat([SOFT, inner, last, *self._left_over()])), SOFT, self.take(")")])
        )

    def _outside_pattern(self) -> Doc:
        outer, self.in_pattern = self.in_pattern, False
        inner = self.expression()
        self.in_pattern = outer
        return inner

    def _left_over(self) -> list[Doc]:
        """Take the comments in front of a closing bracket."""
        parts: list[Doc] = []
        for text, blank in self.own_lines():
            parts += [HARD, HARD, text] if blank else [HARD, text]
        return parts

    # ---------------------------------------------------------------------------------------- brackets

    def _items(self, closing: str) -> list[_Item]:
        """Read items up to the closing bracket, which is left."""
        items: list[_Item] = []
        while not self.sees(closing):
            before: list[Doc] = [HARD] if items and self.blank_before else []
            for index, (text, blank) in enumerate(self.own_lines()):
                before += [HARD, text, HARD] if blank and index else [text, HARD]
            begins = self.next.kind
            content = Concat([self._item(closing), self.trail()])
            comma = self.accept(",") or ","
            items.append(_Item(Concat(before), content, comma, self.trail(), begins))
        return items

    def _item(self, closing: str) -> Doc:
        if closing == "|":
            return self.take()
        if closing != "}":
            return self._outside_pattern()
        name = self.take()
        return Concat([name, self.take(":"), self.trail(), " ", self._outside_pattern()])

    def _array(self) -> Doc:
        opening, trailing = self.take("["), self.trail()
        wide = self.next.newlines > 0
        items, rest = self._items("]"), self._left_over()
        closing = self.take("]")
        if not items and not rest:
            return Concat([opening, trailing, closing])
        inner = Concat([_listing(items), *rest])
        return Group(Concat([opening, trailing, Indent(Concat([SOFT, inner])), SOFT, closing]), broken=wide)

    def _map(self) -> Doc:
        opening, trailing = self.take("#{"), self.trail()
        wide = self.next.newlines > 0
        items, rest = self._items("}"), self._left_over()
        closing = self.take("}")
        if not items and not rest:
            return Concat([opening, trailing, closing])
        inner = Concat([LINE, joined(LINE, _listed(items)), *rest])
        return Group(Concat([opening, trailing, Indent(inner), LINE, closing]), broken=wide)

    def _arguments(self) -> Doc:
        """Read the arguments of a call. The last one opens on the line of the call if that is enough."""
        if self.sees("()"):
            return self.take()
        opening, trailing = self.take("("), self.trail()
        items, rest = self._items(")"), self._left_over()
        closing = self.take(")")
        if not items and not rest:
            return Concat([opening, trailing, closing])
        inner = Concat([SOFT, _listing(items), *rest])
        spread = Concat([opening, trailing, Indent(inner), SOFT, closing])
        if rest or trailing or items[-1].begins not in _HUGGED or any(item.has_comments for item in items):
            return Group(spread)
        first: list[Doc] = [Concat([item.content, ", "]) for item in items[:-1]]
        last = items[-1].content
        if any(map(is_hard, first)):
            return Group(spread)
        hugged = Concat([opening, *first, last, closing])
        if is_hard(last):
            return hugged
        opened = Concat([opening, *first, _opened(last), closing])
        return Choice([Group(hugged), opened, Group(spread, broken=True)])

    # ---------------------------------------------------------------------------------------- closures

    def _closure(self) -> Doc:
        if self.sees("||"):
            head = self.take()
        else:
            opening, trailing = self.take("|"), self.trail()
            names, rest = self._items("|"), self._left_over()
            closing = self.take("|")
            inner = Concat([SOFT, joined(LINE, _listed(names)), *rest])
            head = Group(Concat([opening, trailing, Indent(inner), SOFT, closing])) if names or rest else "||"
        outer, self.in_pattern = self.in_pattern, False
        body = self.body()
        self.in_pattern = outer
        return Concat([head, " ", body])


@dataclass(frozen=True, slots=True)
class _Item:
    """One of a list: with the comments on lines before it, the comma behind it, and the comments behind that."""

    before: Concat
    content: Concat
    comma: Doc
    after: Doc
    begins: str
    """The kind of its first lexeme."""

    @property
    def has_comments(self) -> bool:
        """Whether comments are around it, or an empty line is in front of it."""
        return bool(self.before.parts) or bool(self.after) or self.comma != ","


def _listed(items: list[_Item]) -> list[Doc]:
    """Return items with commas; behind the last one there is one if the list is broken."""
    docs: list[Doc] = [Concat([item.before, item.content, item.comma, item.after]) for item in items[:-1]]
    for item in items[-1:]:
        docs.append(Concat([item.before, item.content, IfBroken(",") if item.comma == "," else item.comma, item.after]))
    return docs


def _listing(items: list[_Item]) -> Doc:
    """Return items with lines between them: one on each, but for many small ones, which fill them."""
    if not items or any(item.has_comments for item in items) or not (_are_numbers(items) or _are_small(items)):
        return joined(LINE, _listed(items))
    filled: list[Doc] = [Concat([item.content, ","]) for item in items[:-1]]
    return Concat([Fill([*filled, items[-1].content]), IfBroken(",")])


def _are_numbers(items: list[_Item]) -> bool:
    return all(item.begins in ("int", "float") for item in items)


def _are_small(items: list[_Item]) -> bool:
    if len(items) < _MANY:
        return False
    texts = ["".join(part for part in item.content.parts if isinstance(part, str)) for item in items]
    return all(item.begins in _LITERALS and len(text) <= _SMALL for item, text in zip(items, texts, strict=True))


def _opened(doc: Doc) -> Doc:
    """Return a bracket, or a closure that ends with one, broken."""
    if isinstance(doc, Group):
        return Group(doc.content, broken=True)
    if isinstance(doc, Concat) and doc.parts:
        return Concat([*doc.parts[:-1], _opened(doc.parts[-1])])
    return doc
