"""Operands: literals, names, what is in brackets, and what is accessed behind them.

primary  = literal | name | path | "(" expression ")" | array | map | text | block | if | switch | loop | closure
access   = "." name [ arguments ] | "?." … | "[" expression "]" | "?[" …
path     = name { "::" name }
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from picloud.rhai.faults import bad_input, fault
from picloud.rhai.lexer import CALLABLE, CALLABLE_AS_METHOD, Token
from picloud.rhai.parser import folding
from picloud.rhai.parser.base import Base
from picloud.rhai.parser.scope import Declared
from picloud.rhai.parser.stream import Place
from picloud.rhai.syntax import (
    ArrayLiteral,
    Call,
    CharLiteral,
    Expression,
    Index,
    Interpolation,
    Literal,
    Logical,
    MapLiteral,
    MethodCall,
    Property,
    QualifiedName,
    This,
    Variable,
    start,
)

_ACCESS: Final = frozenset((".", "?.", "[", "?["))
_BEHIND_NAMES: Final = frozenset(("(", "()", "!", "::"))
_BEHIND_CALLED: Final = frozenset(("(", "()", "!"))
_LENDS_NO_SCOPE: Final = "method-call style does not support running within the caller's scope"


class Operands(Base):
    """The part of the parser that reads operands."""

    functions: dict[tuple[str, int, str | None], Any]
    """The functions that were defined so far, by name, number of parameters and type of ``this``."""
    function_names: set[str]
    replaced: tuple[Expression, Variable] | None = None
    """What the optimiser put in place of a constant's name most lately, and the name: it may yet turn out to be
    needed, as in an assignment."""

    def operand(self, level: int) -> Expression:
        """Read an operand."""
        token = self.token
        kind = token[0]
        read = _READERS.get(kind)
        if read is None:
            if kind == ".." or kind == "..=":  # a range without a start begins at 0
                return Literal(token[2], token[3], 0)
            self.unexpected(token)
        self.token = self.following()
        result = read(self, token, level)
        if self.token[0] in _ACCESS:
            return self._accesses(result, level)
        return result

    # ---------------------------------------------------------------------------------------- names

    def _name(self, token: Token, level: int) -> Expression:
        _, name, line, column = token
        kind = self.token[0]
        if kind in _BEHIND_NAMES:
            return self._behind_name(Variable(line, column, name), level)
        scope = self.scope
        found = scope.names.get(name)
        if not found:
            if name not in scope.captures and name not in self.function_names:
                scope.captures[name] = (line, column)
        elif found[-1].value is not None and kind not in _ACCESS:
            return self._constant(Variable(line, column, name), found[-1])
        return Variable(line, column, name)

    def _constant(self, variable: Variable, declared: Declared) -> Expression:
        """Return what stands for the name of a constant."""
        value = declared.value
        if not self.scope.propagates or value is None:
            return variable
        line, column = variable.line, variable.column
        result: Expression
        if type(value) is Literal:
            result = Literal(line, column, value.value, True)
        elif type(value) is CharLiteral:
            result = CharLiteral(line, column, value.text, True)
        else:
            result = Variable(line, column, variable.name, True)
        self.replaced = result, variable
        return result

    def written(self, expression: Expression) -> Expression:
        """Return the name that stood where the optimiser has put a constant's value; else the expression."""
        if self.replaced is not None and self.replaced[0] is expression:
            return self.replaced[1]
        return expression

    def _reserved(self, token: Token, level: int) -> Expression:
        _, word, line, column = token
        if word in CALLABLE and self.token[0] in _BEHIND_CALLED:
            return self._behind_name(Variable(line, column, word), level)
        if word != "this":
            raise fault("Reserved", (line, column), word)
        if not self.in_function:
            raise bad_input("ImproperSymbol", (line, column), "this", "'this' can only be used in functions")
        return This(line, column)

    def _behind_name(self, name: Expression, level: int) -> Expression:
        """Read the path that a name begins, and the arguments if it is called."""
        while True:
            kind = self.token[0]
            if kind == "::" and isinstance(name, Variable | QualifiedName):
                self.token = self.following()
                _, text, line, column = self.name()
                if isinstance(name, QualifiedName):
                    name = QualifiedName(line, column, [*name.path, name.name], text, name.root)
                else:
                    name = QualifiedName(line, column, [name.name], text, (name.line, name.column))
            elif kind == "!" and isinstance(name, Variable | QualifiedName):
                name = self._call(name, level, lends=self._lends(qualified=isinstance(name, QualifiedName)))
            elif (kind == "(" or kind == "()") and isinstance(name, Variable | QualifiedName):
                name = self._call(name, level)
            else:
                return name

    def _lends(self, *, qualified: bool = False) -> bool:
        """Take the ``!`` in front of arguments."""
        token = self.take()
        called = self.token[0] in ("(", "()")
        if qualified:
            if called:
                raise bad_input("UnexpectedInput", token[2:], "!")
            raise bad_input("ImproperSymbol", token[2:], "!", "'!' cannot be used to call module functions")
        if not called:
            raise fault("MissingToken", self.token[2:], "(", "to start arguments list of function call")
        return True

    def _call(self, name: Variable | QualifiedName, level: int, *, lends: bool = False) -> Expression:
        line, column = name.line, name.column
        if isinstance(name, QualifiedName):
            arguments = self._arguments(name.name, level, (line, column))
            return Call(line, column, name.path, name.name, arguments, lends, name.root)
        if name.name == "eval":
            self.scope.propagates = False
        return Call(line, column, [], name.name, self._arguments(name.name, level, (line, column)), lends)

    def _arguments(self, name: str, level: int, place: Place) -> list[Expression]:
        """Read the arguments of a call, whose parenthesis is still there."""
        if self.take()[0] == "()" or self.accept(")"):
            return []
        self._ensure_arguments_go_on(name)
        level = self.deeper(level, place)
        arguments = []
        while True:
            if self.token[0] != ")":
                arguments.append(self.expression(level))
            if self.accept(")"):
                return arguments
            if not self.accept(","):
                self._ensure_arguments_go_on(name)
                raise fault("MissingToken", self.token[2:], ",", f"to separate the arguments to function call '{name}'")

    def _ensure_arguments_go_on(self, name: str) -> None:
        token = self.token
        self.refuse(token)
        if token[0] == "end":
            purpose = f"to close the arguments list of this function call '{name}'"
            raise fault("MissingToken", token[2:], ")", purpose)

    # ---------------------------------------------------------------------------------------- access

    def _accesses(self, base: Expression, level: int) -> Expression:
        """Read the chain of properties, methods and elements behind ``base``.

        Each dot is a level deeper than the one before; so is each bracket, until the next dot.
        """
        base = self.written(base)
        lent: Place | None = None
        while True:
            kind = self.token[0]
            if kind == "[" or kind == "?[":
                lent = None
                base = self._elements(base, level)
            elif kind == "." or kind == "?.":
                dot = self.take()
                base, lends = self._member(base, dot, level)
                lent = (base.line, base.column) if lends else None
                level += 1
            else:
                if lent is not None:
                    raise fault("MalformedCapture", lent, _LENDS_NO_SCOPE)
                return base

    def _elements(self, base: Expression, level: int) -> Expression:
        """Read one bracket after the other.

        In Rhai a bracket that another one follows is optional if that one is, and none of the row is optional if a dot
        follows.
        """
        bracket = self.take()
        level = self.deeper(level, bracket[2:])
        row: list[tuple[Expression, Token]] = []
        checked = base
        while True:
            inner = self.deeper(level, bracket[2:])
            index = self.expression(inner)
            if not row:
                check_index(checked, index)
            self.require("]", "for a matching [ in this index expression")
            row.append((index, bracket))
            if self.token[0] not in ("[", "?["):
                break
            bracket = self.take()
            level = self.deeper(level, bracket[2:])
        ends_chain = self.token[0] not in (".", "?.")
        for place, (index, bracket) in enumerate(row):
            following = row[place + 1][1] if place + 1 < len(row) else bracket
            optional = ends_chain and following[0] == "?["
            base = Index(*start(index), base, index, optional, bracket[2:])
        return base

    def _member(self, base: Expression, dot: Token, level: int) -> tuple[Expression, bool]:
        """Read the property or method behind a dot; and whether it is called with the scope lent to it."""
        token = self.token
        kind, name, line, column = token
        if kind == "reserved":
            if name not in CALLABLE_AS_METHOD:
                raise fault("Reserved", (line, column), name)
        elif kind != "name":
            raise fault("PropertyExpected", (line, column))
        level = self.deeper(level, dot[2:])
        self.token = self.following()
        behind = self.token[0]
        optional = dot[0] == "?."
        if behind in _BEHIND_CALLED:
            lends = behind == "!" and self._lends()
            arguments = self._arguments(name, level, (line, column))
            return MethodCall(line, column, base, name, arguments, optional, dot[2:]), lends
        if kind == "reserved":
            raise fault("Reserved", (line, column), name)
        if behind == "::":
            raise bad_input("ImproperSymbol", self.token[2:], "::", "")
        return Property(line, column, base, name, optional, dot[2:]), False

    # ---------------------------------------------------------------------------------------- literals

    def _literal(self, token: Token, level: int) -> Expression:
        return Literal(token[2], token[3], token[1])

    def _word(self, token: Token, level: int) -> Expression:
        return Literal(token[2], token[3], token[0] == "true")

    def _unit(self, token: Token, level: int) -> Expression:
        return Literal(token[2], token[3], None)

    def _character(self, token: Token, level: int) -> Expression:
        return CharLiteral(token[2], token[3], token[1])

    def _group(self, token: Token, level: int) -> Expression:
        inner = self.expression(self.deeper(level, token[2:]))
        self.require(")", "for a matching ( in this expression")
        if self.token[0] in _BEHIND_NAMES:
            return self._behind_name(self.written(inner), level)
        return inner

    def _array(self, token: Token, level: int) -> Expression:
        level = self.deeper(level, token[2:])
        items: list[Expression] = []
        limit = self.limits.max_array_size
        purpose = "to end this array literal"
        while True:
            if limit and len(items) >= limit:
                raise fault("LiteralTooLarge", self.token[2:], "Size of array literal", limit)
            if self.accept("]"):
                break
            if self.token[0] == "end":
                raise fault("MissingToken", self.token[2:], "]", purpose)
            items.append(self.expression(self.deeper(level, token[2:])))
            if self.accept(",") or self.token[0] == "]":
                continue
            self.refuse(self.token)
            if self.token[0] == "end":
                raise fault("MissingToken", self.token[2:], "]", purpose)
            raise fault("MissingToken", self.token[2:], ",", "to separate the items of this array literal")
        return ArrayLiteral(token[2], token[3], items)

    def _map(self, token: Token, level: int) -> Expression:
        level = self.deeper(level, token[2:])
        entries: dict[str, Expression] = {}
        limit = self.limits.max_map_size
        purpose = "to end this object map literal"
        while not self.accept("}"):
            name = self._property_name(entries, purpose)
            self.require(":", f"to follow the property '{name}' in this object map literal")
            if limit and len(entries) >= limit:
                text = "Number of properties in object map literal"
                raise fault("LiteralTooLarge", self.token[2:], text, limit)
            entries[name] = self.expression(self.deeper(level, token[2:]))
            if self.accept(",") or self.token[0] == "}":
                continue
            if self.token[0] == "name":
                raise fault("MissingToken", self.token[2:], ",", "to separate the items of this object map literal")
            self.require("}", purpose)
        return MapLiteral(token[2], token[3], list(entries.items()))

    def _property_name(self, entries: dict[str, Expression], purpose: str) -> str:
        token = self.take()
        kind, name, *_ = token
        if kind == "str" or (kind == "name" and not self.only_expressions):
            if name in entries:
                raise fault("DuplicatedProperty", token[2:], name)
            return str(name)
        if kind == "reserved" and name[0].isalpha():
            raise fault("Reserved", token[2:], name)
        self.refuse(token)
        if kind == "end" or (not entries and kind not in ("name", "text")):
            raise fault("MissingToken", token[2:], "}", purpose)
        raise fault("PropertyExpected", token[2:])

    def _text(self, token: Token, level: int) -> Expression:
        """Read a text between backticks: what is between ``${`` and ``}`` is a block."""
        place = token[2:]
        level = self.deeper(level, place)
        parts: list[Expression] = [Literal(*place, token[1])] if token[1] else []
        while True:
            block = self.block(level, place)
            parts.append(folding.expression(block) if self.optimize else block)
            token = self.take()
            self.refuse(token)
            if token[1]:
                parts.append(Literal(token[2], token[3], token[1]))
            if token[0] == "str":
                interpolation = Interpolation(*place, parts)
                return folding.text(interpolation) if self.optimize else interpolation

    def _signed(self, token: Token, level: int) -> Expression:
        return self.signed(token, level)

    def _closure(self, token: Token, level: int) -> Expression:
        return self.closure(token, level)

    def _control(self, token: Token, level: int) -> Expression:
        """Read a block, ``if``, ``switch`` or loop that stands as an expression."""
        if self.only_expressions and token[0] not in ("if", "switch"):
            self.unexpected(token)
        control = self.control(token, self.deeper(level, token[2:]), token[2:])
        return folding.expression(control) if self.optimize else control


def check_index(base: Expression, index: Expression) -> None:
    """Raise for an index that is of the wrong type for a literal."""
    found = _index_type(index)
    if not found or type(base) not in (Literal, ArrayLiteral, Interpolation, MapLiteral):
        return
    if type(base) is MapLiteral:
        if found != "a string":
            raise fault("MalformedIndexExpr", start(index), f"Object map expects string index, not {found}")
        return
    if type(base) is Literal and (base.folded or type(base.value) not in (int, str)):
        return
    if found != "a number":
        wanted = "numeric" if found == "a string" else "integer"
        raise fault(
            "MalformedIndexExpr", start(index), f"Array, string or bit-field expects {wanted} index, not {found}"
        )


def _index_type(index: Expression) -> str:
    match index:
        case Literal(value=value, folded=False):
            names = {int: "a number", str: "a string", float: "a float", bool: "a boolean"}
            return names.get(type(value), "()")
        case CharLiteral(folded=False):
            return "a character"
        case Interpolation():
            return "a string"
        case Logical(operator="&&" | "||"):
            return "a boolean"
    return ""


_Reader = Callable[[Operands, Token, int], Expression]
_READERS: Final[dict[str, _Reader]] = {
    "name": Operands._name,
    "int": Operands._literal,
    "str": Operands._literal,
    "float": Operands._literal,
    "(": Operands._group,
    "[": Operands._array,
    "#{": Operands._map,
    "-": Operands._signed,
    "!": Operands._signed,
    "+": Operands._signed,
    "true": Operands._word,
    "false": Operands._word,
    "()": Operands._unit,
    "char": Operands._character,
    "text": Operands._text,
    "reserved": Operands._reserved,
    "|": Operands._closure,
    "||": Operands._closure,
    "{": Operands._control,
    "if": Operands._control,
    "switch": Operands._control,
    "while": Operands._control,
    "loop": Operands._control,
    "do": Operands._control,
    "for": Operands._control,
}
