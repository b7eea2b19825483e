"""What one input declares is there for the next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from picloud.rhai import Engine, Limits, RhaiError
from picloud.rhai.runtime.run import DefaultHost
from picloud.rhai.tools.session import Session


class Host(DefaultHost):
    """Has one module, and may interrupt."""

    interrupts = False

    def resolve(self, path: str) -> str | None:
        return "export const X = 7;\nfn double(n) { n * 2 }" if path == "lib" else None

    def on_slice(self, operations: int) -> int | None:
        if self.interrupts:
            raise KeyboardInterrupt
        return None


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def session(host: Host) -> Session:
    return Session(Engine(), host)


def answers(session: Session, *inputs: str) -> Iterator[Any]:
    for text in inputs:
        yield session.evaluate(text)


def test_variables_and_constants_last(session: Session) -> None:
    assert list(answers(session, "let x = 1", "const C = 5;", "x += C; x", "let x = `new ${x}`;", "x")) == [
        None, None, 6, None, "new 6",
    ]  # fmt: skip
    with pytest.raises(RhaiError, match="Cannot modify constant C"):
        session.evaluate("C = 6")


def test_functions_last_and_the_newest_counts(session: Session) -> None:
    session.evaluate("fn f(n) { n + 1 } fn g(n) { f(n) * 10 }")
    assert session.evaluate("g(1)") == 20
    session.evaluate("fn f(n) { n + 2 }")
    assert session.evaluate("g(1)") == 30
    assert session.evaluate("let p = g; [1].map(p)") == [30]


def test_functions_see_constants_of_earlier_inputs(session: Session) -> None:
    assert list(answers(session, "const C = 5;", "fn f() { global::C }", "f()"))[-1] == 5


def test_closures_keep_their_variables(session: Session) -> None:
    assert list(answers(session, "let n = 0;", "let add = |by| { n += by; n };", "add.call(2); add.call(3)", "n")) == [
        None, None, 5, 5,
    ]  # fmt: skip


def test_imports_last(session: Session) -> None:
    assert list(answers(session, 'import "lib" as l;', "l::double(l::X)"))[-1] == 14


def test_a_failed_input_keeps_changes_but_declares_nothing(session: Session) -> None:
    session.evaluate("let x = 1;")
    with pytest.raises(RhaiError, match="Runtime error: stop"):
        session.evaluate('x = 2; let y = 3; { let z = 4; throw "stop"; }')
    assert dict(session.variables) == {"x": 2}


def test_exit_ends_an_input_with_its_value(session: Session) -> None:
    assert list(answers(session, "exit(5); 6", "7")) == [5, 7]


def test_an_interrupted_input_leaves_closures_that_still_work(session: Session, host: Host) -> None:
    session.evaluate("let count = |to| { let n = 0; while n < to { n += 1; } n };")
    host.interrupts = True
    with pytest.raises(KeyboardInterrupt):
        session.evaluate("count.call(1_000_000)")
    host.interrupts = False
    assert session.evaluate("count.call(100_000)") == 100_000


def test_each_input_has_the_whole_budget(host: Host) -> None:
    session = Session(Engine(Limits(max_operations=1_000)), host)
    session.evaluate("fn count(to) { let n = 0; while n < to { n += 1; } n }")
    with pytest.raises(RhaiError, match="Too many operations"):
        session.evaluate("count(5_000)")
    assert [session.evaluate("count(300)") for _ in range(5)] == [300] * 5
