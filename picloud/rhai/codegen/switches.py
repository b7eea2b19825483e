"""``switch``.

Cases become ``if`` and ``elif``, in groups: Python's compiler takes only so many in each other's ``else``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from picloud.rhai import syntax
from picloud.rhai.codegen import nodes
from picloud.rhai.codegen.calls import Calls
from picloud.rhai.codegen.emitter import Destination, Value
from picloud.rhai.codegen.types import BOOL, INT
from picloud.rhai.syntax import Node

_CASES: Final = 32


class Switches(Calls):
    """The part of the generator for ``switch``."""

    @abstractmethod
    def one_statement(self, statement: syntax.Statement, destination: Destination) -> None:
        """Write a statement whose value goes to the destination."""

    def switch(self, node: syntax.Switch, destination: Destination) -> None:
        """``switch``: literals first, then ranges, as in Rust; each with its guard."""
        subject = self.expression(node.subject)
        self.ranges.drop(node)
        before = dict(self.ranges.here)
        subject = self.stored(subject) if isinstance(subject.node, nodes.Constant) else self.kept(subject)
        literals, spans_of = [], []
        default: syntax.Case | None = None
        for case in node.cases:
            plain = [
                each for each in case.patterns if not isinstance(each, syntax.RangeExpression) and not _is_range(each)
            ]
            spans = [each for each in case.patterns if isinstance(each, syntax.RangeExpression) or _is_range(each)]
            if not case.patterns:
                default = case
            if plain:
                literals.append((self._any_of(subject, plain), case))
            if spans:
                spans_of.append((self._any_span(subject, spans), case))
        self._groups([*literals, *spans_of], default, destination)
        self.ranges.here = before

    def _groups(self, cases: list[Any], default: syntax.Case | None, destination: Destination) -> None:
        """Write cases. A group that finds none says so, for the next one."""
        if len(cases) <= _CASES:
            self._cases(cases, lambda: self._default(default, destination), destination)
            return
        missed = self.temporary(BOOL)

        def miss() -> None:
            self.out.append(nodes.assign(missed, nodes.constant(True)))

        self.out.append(nodes.assign(missed, nodes.constant(True)))
        for at in range(0, len(cases), _CASES):
            group = [nodes.assign(missed, nodes.constant(False))]
            group += self.collect(partial(self._cases, cases[at : at + _CASES], miss, destination))
            self.out.append(nodes.branch(nodes.name(missed), group))
        otherwise = self.collect(lambda: self._default(default, destination))
        self.out.append(nodes.branch(nodes.name(missed), otherwise))

    def _default(self, default: syntax.Case | None, destination: Destination) -> None:
        if default is None:
            self.finish(None, destination)
        else:
            self.one_statement(default.body, destination)

    def _cases(self, cases: list[Any], default: Callable[[], None], destination: Destination) -> None:
        if not cases:
            default()
            return
        (test, case), *rest = cases
        before = dict(self.ranges.here)
        body = self.collect(lambda: self.one_statement(case.body, destination))
        self.ranges.here = before
        if case.guard is None:
            otherwise = self.collect(lambda: self._cases(rest, default, destination))
            self.out.append(nodes.branch(test, body, otherwise))
            return
        guards: list[Any] = []
        statements = self.collect(lambda: guards.append(self.condition(case.guard)))
        if not statements:
            otherwise = self.collect(lambda: self._cases(rest, default, destination))
            self.out.append(nodes.branch(nodes.both([test, guards[0]]), body, otherwise))
            return
        taken = self.temporary(BOOL)
        self.out.append(nodes.assign(taken, test))
        self.out.append(nodes.branch(nodes.name(taken), [*statements, nodes.assign(taken, guards[0])]))
        otherwise = self.collect(lambda: self._cases(rest, default, destination))
        self.out.append(nodes.branch(nodes.name(taken), body, otherwise))

    def _any_of(self, subject: Value, patterns: list[Any]) -> Any:
        return nodes.either([self._is_pattern(subject, pattern) for pattern in patterns])

    def _is_pattern(self, subject: Value, pattern: Node) -> Any:
        value = self.expression(pattern)
        literal = value.node.value if isinstance(value.node, nodes.Constant) else None
        if literal is None and isinstance(value.node, nodes.Constant):
            return nodes.compare(subject.node, "is", value.node)
        if type(literal) is bool:
            return nodes.compare(subject.node, "is", value.node)
        if type(literal) is str or (type(literal) is int and subject.types == INT):
            return nodes.compare(subject.node, "==", value.node)
        if type(literal) is int:
            return nodes.both([nodes.is_type(subject.node, "int"), nodes.compare(subject.node, "==", value.node)])
        return nodes.call("same", [subject.node, value.node])

    def _any_span(self, subject: Value, patterns: list[Any]) -> Any:
        tests = []
        for pattern in patterns:
            value = self.expression(pattern)
            tests.append(nodes.call("in_span", [value.node, subject.node]))
        return nodes.either(tests)


def _is_range(node: Any) -> bool:
    return type(node) is syntax.Literal and hasattr(node.value, "start")
