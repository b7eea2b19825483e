"""The tree: shapes, places, captured names, and what the optimiser leaves of a script."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picloud.rhai.errors import RhaiError
from picloud.rhai.limits import Limits
from picloud.rhai.parser import parse, parse_json
from picloud.rhai.syntax import (
    Assign,
    Binary,
    Call,
    Closure,
    Expression,
    ExpressionStatement,
    Index,
    Let,
    Literal,
    MapLiteral,
    MethodCall,
    Property,
    RangeExpression,
    Statement,
    Unary,
    Variable,
    position,
    start,
)

LIMITS = Limits()


def statements(source: str, *, optimize: bool = True) -> list[Statement]:
    return parse(source, LIMITS, optimize=optimize).statements


def expression(source: str) -> Expression:
    """Return the only expression of a source, as written."""
    (statement,) = statements(source, optimize=False)
    assert isinstance(statement, ExpressionStatement)
    return statement.expression


def shown(node: Expression) -> str:
    """Return an expression with all its parentheses."""
    match node:
        case Binary(operator=operator, left=left, right=right):
            return f"({shown(left)} {operator} {shown(right)})"
        case Unary(operator=operator, operand=operand):
            return f"({operator}{shown(operand)})"
        case Variable(name=name):
            return name
        case Literal(value=value):
            return str(value)
        case Property(base=base, name=name):
            return f"{shown(base)}.{name}"
        case Index(base=base, index=index):
            return f"{shown(base)}[{shown(index)}]"
        case Call(name=name, arguments=arguments):
            return f"{name}({', '.join(map(shown, arguments))})"
        case MethodCall(base=base, name=name, arguments=arguments):
            return f"{shown(base)}.{name}({', '.join(map(shown, arguments))})"
        case RangeExpression(start=first, end=end, inclusive=inclusive):
            sign = "..=" if inclusive else ".."
            return f"({shown(first) if first else ''}{sign}{shown(end) if end else ''})"
    raise AssertionError(node)


@pytest.mark.parametrize(
    ("source", "tree"),
    [
        ("a + b * c", "(a + (b * c))"),
        ("a - b - c", "((a - b) - c)"),
        ("a ** b ** c", "(a ** (b ** c))"),
        ("a << b + c", "((a << b) + c)"),
        ("a == b < c", "(a == (b < c))"),
        ("a in b == c", "((a in b) == c)"),
        ("a..b + 1", "(a..(b + 1))"),
        ("-a.b", "(-a.b)"),
        ("!a == b", "((!a) == b)"),
        ("-2 ** x", "(-2 ** x)"),
        ("a.b[1].c(2)[3]", "a.b[1].c(2)[3]"),
        ("f()(1)", ""),
        ("(f)(1)", "f(1)"),
        ("..5", "(0..5)"),
        ("5.. ", ""),
        ("(5..)", "(5..)"),
    ],
)
def test_operators_bind_as_in_the_book(source: str, tree: str) -> None:
    if not tree:
        with pytest.raises(RhaiError):
            parse(source, LIMITS)
    else:
        assert shown(expression(source)) == tree


def test_an_operation_is_at_its_sign_and_a_chain_at_its_first_dot() -> None:
    total = expression("a.b.c + d")
    assert isinstance(total, Binary)
    assert position(total) == start(total) == (1, 7)
    assert position(total.left) == (1, 2)
    assert start(total.left) == (1, 1)


def test_a_bracket_is_optional_as_the_next_one_says() -> None:
    outer = expression("a?[1][2]")
    assert isinstance(outer, Index)
    assert isinstance(outer.base, Index)
    assert (outer.base.optional, outer.optional) == (False, False)
    dotted = expression("a?[1].b")
    assert isinstance(dotted, Property)
    assert isinstance(dotted.base, Index)
    assert not dotted.base.optional


def test_a_closure_captures_what_it_does_not_declare_in_the_order_of_use() -> None:
    *_, last = statements("fn known() {} let a = 1; const B = 2; |x| { let y = z + a; y + x + B + known + x.w }")
    assert isinstance(last, ExpressionStatement)
    assert isinstance(last.expression, Closure)
    assert [(capture.name, capture.copied) for capture in last.expression.captures] == [
        ("z", False),
        ("a", False),
        ("B", True),
    ]


def test_a_closure_captures_for_the_closures_in_it() -> None:
    (statement,) = statements("|| || a")
    assert isinstance(statement, ExpressionStatement)
    assert isinstance(statement.expression, Closure)
    assert [capture.name for capture in statement.expression.captures] == ["a"]


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("unknown; 1", 1),
        ("if unknown {} 1", 1),
        ("if false { f() } 1", 1),
        ("while false { f() } 1", 1),
        ("try { 1 } catch { f() } 1", 1),
        ("for i in f() { unknown } 1", 2),
        ("return; f()", 0),
        ("f(); 1; 2", 2),
    ],
)
def test_statements_without_effect_vanish(source: str, count: int) -> None:
    assert len(statements(source)) == count
    assert len(statements(source, optimize=False)) >= count


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("1 + 2 * 3", 7),
        ("7 / -2", -3),
        ("-7 % 3", -1),
        ('"a" + "b" == "ab"', True),
        ("!(1 < 2)", False),
        ("const A = 2; A ** 10", 1024),
        ("const A = 1; for A in 0..2 { f(A) } A", 1),
        ("true && false || true", True),
        ("() ?? ()", False),
        ("() ?? 5", 5),
    ],
)
def test_what_is_known_is_worked_out(source: str, value: object) -> None:
    last = statements(source)[-1]
    assert isinstance(last, ExpressionStatement)
    assert isinstance(last.expression, Literal)
    assert last.expression.value == value


@pytest.mark.parametrize("source", ["1 / 0", "9223372036854775807 + 1", "1 + 2.0", "2 ** -1", "1 << 64"])
def test_what_may_fail_is_left_to_the_run(source: str) -> None:
    (statement,) = statements(source)
    assert isinstance(statement, ExpressionStatement)
    assert isinstance(statement.expression, Binary)


def test_an_assignment_of_a_sum_to_its_first_operand_adds() -> None:
    assignment = statements("let x = 1; x = x + f()")[-1]
    assert isinstance(assignment, Assign)
    assert (assignment.operator, assignment.column) == ("+=", 18)


def test_a_typed_method_names_rusts_type() -> None:
    (function,) = parse("/// Doubles.\nfn int.double() { this * 2 }", LIMITS).functions
    assert (function.this_type, function.name, function.doc) == ("i64", "double", ["/// Doubles."])


def test_json_is_an_expression_with_quoted_names() -> None:
    found = parse_json('{"a": null, "b": [{"c": 1.5}]}', LIMITS)
    assert isinstance(found, MapLiteral)
    assert [name for name, _ in found.entries] == ["a", "b"]
    for wrong in ("{a: 1}", "#{}", "{} {}", "`${1}`", '{"a": {} = 1}'):
        with pytest.raises(RhaiError):
            parse_json(wrong, LIMITS)


WORDS = (
    "let const fn if else switch while for in loop do until break return throw try catch import export as this print",
    "x y f ( ) [ ] { } #{ , ; : :: . ?. ?[ ?? .. ..= = == => + - * ! | || && _ 1 -5 2.5 0x1F true () \n",
    "\"s\" 'c' ` ${ } // /* */ \\ \" ' # @ é",
)
PIECES = st.sampled_from([word for line in WORDS for word in line.split(" ")])


@settings(max_examples=300, deadline=2000)
@given(st.one_of(st.lists(PIECES, max_size=60).map(" ".join), st.lists(PIECES, max_size=60).map("".join), st.text()))
def test_any_text_is_a_tree_or_a_parse_error(source: str) -> None:
    for optimize in (True, False):
        stage = "tree"
        try:
            parse(source, LIMITS, optimize=optimize)
        except RhaiError as error:
            stage = error.stage
        assert stage in ("tree", "parse")


def test_let_is_at_its_name() -> None:
    (let,) = statements("export const answer = 42;")
    assert isinstance(let, Let)
    assert (let.line, let.column, let.constant, let.exported) == (1, 14, True, True)
