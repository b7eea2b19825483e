"""A traced program does what the program does, and tells each line of it, with the variables that changed."""

from __future__ import annotations

from typing import Any

import pytest

from picloud.rhai import DefaultHost, Engine, RhaiError
from picloud.rhai.codegen.audit import Unclean, audit
from picloud.rhai.codegen.module import generate
from picloud.rhai.parser import parse
from picloud.rhai.resolver import resolve
from picloud.rhai.runtime.support import HELPERS
from picloud.rhai.runtime.tracing import Tracer
from picloud.rhai.scoreboard import LIMITS, tagged
from picloud.rhai.steps import Step
from tests.rhai.test_corpus import CORPORA, comparable, facts

MODULES = {"tools": "fn twice(a) {\n  let b = a * 2;\n  b\n}"}


class Host(DefaultHost):
    def __init__(self, tracer: Tracer | None) -> None:
        self.tracer = tracer
        self.said: list[str] = []

    def on_print(self, text: str) -> None:
        self.said.append(text)

    def on_debug(self, text: str, line: int, column: int) -> None:
        self.said.append(f"{line}:{column} {text}")

    def resolve(self, path: str) -> Any:
        return MODULES.get(path)


def outcome(engine: Engine, source: str, tracer: Tracer | None) -> tuple[Any, list[str]]:
    host = Host(tracer)
    try:
        return tagged(engine.compile(source).run(host=host)), host.said
    except RhaiError as error:
        return [error.kind, error.message, error.line, error.column, str(error.call_stack)], host.said


def traced(source: str, **options: Any) -> tuple[list[Step], Tracer]:
    steps: list[Step] = []
    tracer = Tracer(steps.append, **options)
    outcome(Engine(LIMITS, traced=True), source, tracer)
    tracer.close()
    return steps, tracer


def told(source: str, **options: Any) -> list[str]:
    """The steps as texts: `kind function line: changes`."""
    lines = []
    for step in traced(source, **options)[0]:
        changes = ", ".join(f"{change.name} {change.old}>{change.new}" for change in step.changes)
        name = f"{step.part}::{step.function}" if step.part else step.function
        lines.append(" ".join(part for part in (step.kind, name, str(step.line), step.text, changes) if part))
    return lines


@pytest.mark.parametrize("corpus", CORPORA)
def test_every_script_of_the_corpus_does_the_same_when_it_is_traced(corpus: str) -> None:
    # Timestamps differ from run to run anyway; a fresh engine per script would take most of the time.
    plain, tracing = Engine(LIMITS), Engine(LIMITS, traced=True)
    for fact in facts(corpus):
        source = fact["src"]
        if "timestamp" in source or "sleep" in source:
            continue
        steps: list[Step] = []
        tracer = Tracer(steps.append, limit=300)
        expected, found = outcome(plain, source, None), outcome(tracing, source, tracer)
        tracer.close()
        assert comparable(found) == comparable(expected), source


def test_each_line_is_told_with_what_it_changed() -> None:
    assert told("let a = 1;\nlet b = a +\n  1;\na = b;\na += 5;\n") == [
        "line 1 a None>1",
        "line 2 b None>2",
        "line 4 a 1>2",
        "line 5 a 2>7",
    ]


def test_loops_tell_each_turn_and_its_condition() -> None:
    assert told("let n = 0;\nwhile n < 2 {\n  n += 1;\n}\nfor x in [7] {\n  n = x;\n}") == [
        "line 1 n None>0",
        "line 2",
        "line 3 n 0>1",
        "line 2",
        "line 3 n 1>2",
        "line 2",
        "line 5",
        "line 5 x None>7",
        "line 6 n 2>7",
    ]
    assert told("let n = 0;\nloop {\n  n += 1;\n  if n == 1 {\n    continue;\n  }\n  break;\n}")[-3:] == [
        "line 3 n 1>2",
        "line 4",
        "line 7",
    ]
    assert told("let n = 0;\ndo {\n  n += 1;\n} while n < 2;").count("line 4") == 2


def test_branches_tell_which_way_was_taken() -> None:
    source = (
        "let a = 5;\nif a == 1 {\n  a = 0;\n} else if a == 5 {\n  a = 6;\n}\nswitch a {\n  6 => {\n    a = 7;\n  }\n}"
    )
    assert told(source)[1:] == ["line 2", "line 4", "line 5 a 5>6", "line 7", "line 9 a 6>7"]


def test_calls_tell_their_parameters_and_what_they_return() -> None:
    assert told("fn add(a, b) {\n  let c = a + b;\n  c\n}\nlet x = add(1, 2);") == [
        "line 5",
        "enter add 1 a None>1, b None>2",
        "line add 2 c None>3",
        "line add 3",
        "leave add 3 3",
        "after 5 x None>3",
    ]
    assert "leave f 2 3" in told("fn f(n) {\n  if n > 2 { return n; }\n  f(n + 1)\n}\nf(1)")


def test_a_small_function_in_a_loop_tells_its_lines_too() -> None:
    source = "fn double(a) {\n  a * 2\n}\nlet n = 0;\nfor i in 0..3 {\n  n += double(i);\n}\nn"
    assert [line for line in told(source) if line.startswith("leave")] == [
        "leave double 2 0",
        "leave double 2 2",
        "leave double 2 4",
    ]


def test_methods_tell_what_they_make_of_this() -> None:
    source = "fn grow(by) {\n  this.n += by;\n}\nlet o = #{n: 1};\no.grow(2);"
    assert told(source)[-4:] == [
        "enter grow 1 this None>#{n: 1}, by None>2",
        "line grow 2 this.n 1>3",
        "leave grow 2 ()",
        "after 5 o.n 1>3",
    ]


def test_closures_tell_what_they_change_outside() -> None:
    source = "let sum = 0;\nlet add = |n| {\n  sum += n;\n};\nadd.call(4);\n[1].for_each(|n| sum += 1);"
    steps = told(source)
    assert "line a closure 3 sum 0>4" in steps
    assert "after 5 sum 0>4" in steps
    assert steps[-1] == "after 6 sum 4>5"


def test_modules_tell_their_name() -> None:
    steps = told('import "tools" as t;\nlet a = t::twice(4);')
    assert "enter tools::twice 1 a None>4" in steps
    assert "line tools::twice 2 b None>8" in steps
    assert steps[-1] == "after 2 a None>8"


def test_eval_tells_its_own_lines_and_what_it_declares() -> None:
    steps = told('let a = 1;\neval("let b = a + 1;\\na = 3;");')
    assert "line eval:: 1 b None>2" in steps
    assert "line eval:: 2 a 1>3" in steps
    assert steps[-1].startswith("after 2 a 1>3")


def test_what_an_error_leaves_is_left() -> None:
    source = "fn f() {\n  throw 1;\n}\nlet a = 0;\ntry {\n  f();\n} catch (e) {\n  a = e;\n}\na = 5;"
    expected = ["line 6", "enter f 1", "line f 2", "after 6 e None>1", "line 8 a 0>1", "line 10 a 1>5"]
    assert told(source)[-6:] == expected
    last = traced(source)[0][-1]
    assert last.depth == 0


def test_parts_of_large_values_are_told_by_their_place() -> None:
    source = "let a = #{list: [1, 2, #{x: 'c'}]};\na.list[2].x = 'd';\na.list.push(4);\na.list = [];\na = ();"
    assert told(source)[1:] == [
        "line 2 a.list[2].x 'c'>'d'",
        "line 3 a.list[3] None>4",
        "line 4 a.list[0] 1>None, a.list[1] 2>None, a.list[2] #{x: 'd'}>None, a.list[3] 4>None",
        "line 5 a #{list: []}>()",
    ]


def test_long_values_are_shortened() -> None:
    (step,) = traced("let a = []; a.pad(1000, 7);")[0][1:]
    assert step.changes[0].old == "[]"
    text = step.changes[0].new
    assert text is not None
    assert text.endswith("more]")
    assert len(text) < 200
    (step,) = traced("let text = \"x\"; text.pad(5000, 'y');")[0][1:]
    assert step.changes[0].new == '"x' + "y" * 79 + '…" (5000 characters)'


def test_of_a_long_run_any_part_can_be_had() -> None:
    source = "let n = 0;\nwhile n < 10000 {\n  n += 1;\n}"
    steps, tracer = traced(source, limit=4)
    assert [step.line for step in steps] == [1, 2, 3, 2]
    assert tracer.count == 20_002
    steps, again = traced(source, skip=tracer.count - 3, limit=3)
    assert again.count == tracer.count
    # It begins with what the variables hold by then.
    assert told(source, skip=tracer.count - 3, limit=3) == [
        "after 3 n None>9999",
        "line 2",
        "line 3 n 9999>10000",
        "line 2",
    ]


def test_taking_steps_down_makes_no_change_copy() -> None:
    source = "let a = []; a.pad(100000, 0); for i in 0..2000 { a[i] = 1; } a.len"
    assert outcome(Engine(LIMITS, traced=True), source, Tracer(lambda _: None)) == outcome(Engine(LIMITS), source, None)
    plain, tracing = Engine(LIMITS).compile(source), Engine(LIMITS, traced=True).compile(source)
    plain.run(host=Host(None))
    tracing.run(host=Host(Tracer(lambda _: None)))
    assert tracing.operations == plain.operations


def test_only_traced_programs_have_the_helpers() -> None:
    engine = Engine(traced=True)
    script = parse("let a = 1;", engine.limits)
    tree, _ = generate(script, resolve(script), engine._options, "")
    with pytest.raises(Unclean):
        audit(tree, HELPERS)
