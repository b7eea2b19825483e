"""What a host gives a script: variables, functions, types."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from picloud.rhai import Constant, Engine, Program, RhaiError


class Point:
    """A type of the host."""

    rhai_type = "Point"

    def __init__(self, x: int, y: int) -> None:
        self.x = x
        self.y = y


def engine() -> Engine:
    made = Engine()
    made.register_type(Point, "Point")
    made.register_fn("point", Point, "i64", "i64")
    made.register_fn("+", lambda a, b: Point(a.x + b.x, a.y + b.y), "Point", "Point")
    made.register_fn("==", lambda a, b: (a.x, a.y) == (b.x, b.y), "Point", "Point")
    made.register_fn("x", lambda point: point.x, "Point", getter=True)
    made.register_fn("x", _set_x, "Point", "i64", setter=True, changes=True)
    made.register_fn("index$get$", lambda point, at: (point.x, point.y)[at], "Point", "i64")
    made.register_fn("index$set$", _set_at, "Point", "i64", "i64", changes=True)
    made.register_fn("to_string", lambda point: f"<{point.x}, {point.y}>", "Point")
    return made


def _set_x(point: Point, x: int) -> None:
    point.x = x


def _set_at(point: Point, at: int, value: int) -> None:
    if at:
        point.y = value
    else:
        point.x = value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("let p = point(1, 2); p.x = 5; p[1] += 7; `${p + point(1, 1)}`", "<6, 10>"),
        ("let p = point(1, 2); p == point(1, 2)", True),
        ("type_of(point(1, 2))", "Point"),
        ("let m = #{p: point(1, 2)}; m.p.x += 4; m.p[0]", 5),
        ("let a = [point(1, 2)]; for i in 0..3 { a[0].x += i; } a[0].x", 4),
    ],
)
def test_a_type_of_the_host_has_properties_indexes_and_operators(source: str, value: Any) -> None:
    assert engine().compile(source).run() == value


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("point(1)", "Function not found: point (i64) (line 1, position 1)"),
        (
            "let p = point(1, 2); p.z",
            "Unknown property 'z' - a getter is not registered for type 'Point' (line 1, position 24)",
        ),
        ("let p = point(1, 2); p < p", "Function not found: < (Point, Point) (line 1, position 24)"),
        ("const P = point(1, 2); P.x = 5", "Cannot modify property 'x' of constant (line 1, position 26)"),
        ("for x in point(1, 2) { x; }", "For loop expects iterable type (line 1, position 10)"),
    ],
)
def test_what_a_type_of_the_host_has_not_is_an_error_with_its_place(source: str, message: str) -> None:
    with pytest.raises(RhaiError) as caught:
        engine().compile(source).run()
    assert caught.value.message == message


def test_a_script_sees_the_hosts_variables_and_changes_only_its_own_copy() -> None:
    given = {"list": [1], "map": {"a": {"b": [1]}}}
    value = Engine().compile("list.push(2); map.a.b.push(2); [list, map.a.b]").run(given)
    assert value == [[1, 2], [1, 2]]
    assert given == {"list": [1], "map": {"a": {"b": [1]}}}


def test_a_constant_of_the_host_may_not_be_assigned() -> None:
    program = Engine().compile("ctx.a = 5;")
    with pytest.raises(RhaiError, match="Cannot modify constant ctx"):
        program.run({"ctx": Constant({"a": 1})})


def test_functions_do_not_see_the_hosts_variables() -> None:
    with pytest.raises(RhaiError) as caught:
        Engine().compile("fn f() { given } f()").run({"given": 1})
    assert (caught.value.kind, caught.value.inner) == ("ErrorInFunctionCall", "ErrorVariableNotFound")


def test_a_program_survives_being_kept_as_bytes() -> None:
    source = "fn f(n) { if n < 2 { n } else { f(n - 1) + f(n - 2) } } let a = [1]; [f(15), a[3]]"
    kept = Engine().compile(source).dumped()
    with pytest.raises(RhaiError) as caught:
        Program.loaded(Engine(), kept).run()
    assert caught.value.message == "Array index 3 out of bounds: only 1 element in array (line 1, position 80)"


def test_runs_of_one_program_do_not_know_of_each_other() -> None:
    program = Engine().compile("let a = []; a.push(n); a")
    assert [program.run({"n": n}) for n in range(3)] == [[0], [1], [2]]


def test_engines_may_call_different_classes_by_one_name() -> None:
    class Other:
        """Another type that a host calls Point."""

    first, second = engine(), Engine()
    second.register_type(Other, "Point")
    second.register_fn("point", Other)
    second.register_fn("x", lambda _: "other", "Point", getter=True)
    assert first.compile("point(1, 2).x").run() == 1
    assert second.compile("point().x").run() == "other"


def test_any_python_callable_may_be_a_function() -> None:
    made = Engine()
    made.register_fn("shout", str.upper, "string")
    made.register_fn("spelled", "-".join, "array")
    made.register_fn("hexed", partial(int, base=16), "string")
    assert made.compile('[shout("a"), spelled(["a", "b"]), hexed("ff"), "b".shout()]').run() == ["A", "a-b", 255, "B"]
