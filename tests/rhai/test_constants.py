"""What belongs to a constant is constant, also as ``this`` of the functions that are called on it."""

from __future__ import annotations

import pytest

from picloud.rhai import Engine, Program, RhaiError

FUNCTIONS = "fn set() { this.x = 5; } fn add() { this += 1; } fn push() { this.push(1); } fn pass() { this.set(); } \
fn copy() { let own = this; own.x = 7; own.x }\n"


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("const K = #{x: 1}; K.set();", "ErrorAssignmentToConstant"),
        ("const K = #{x: 1}; K.pass();", "ErrorAssignmentToConstant"),
        ("const K = #{a: #{x: 1}}; K.a.set();", "ErrorAssignmentToConstant"),
        ("const K = 1; K.add();", "ErrorAssignmentToConstant"),
        ("const K = []; K.push();", "ErrorNonPureMethodCallOnConstant"),
        ("const K = #{x: 1, f: |v| this.x = v}; K.f(2);", "ErrorAssignmentToConstant"),
    ],
)
def test_a_function_that_is_called_on_a_constant_may_not_change_this(source: str, kind: str) -> None:
    engine = Engine()
    program = engine.compile(FUNCTIONS + source)
    for each in (program, Program.loaded(engine, program.dumped())):
        with pytest.raises(RhaiError) as caught:
            each.run()
        assert (caught.value.kind, caught.value.inner) == ("ErrorInFunctionCall", kind)


def test_it_may_change_a_copy_and_what_is_no_constant() -> None:
    assert Engine().compile(FUNCTIONS + "const K = #{x: 1}; [K.copy(), K.x]").run() == [7, 1]
    assert Engine().compile(FUNCTIONS + "let v = #{x: 1}; v.set(); v.x").run() == 5
