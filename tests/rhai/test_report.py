"""An error is shown with the language's message, the lines it speaks of, and the calls that led there."""

from __future__ import annotations

from textwrap import dedent

import pytest

from picloud.rhai import Engine, RhaiError
from picloud.rhai.runtime.run import DefaultHost
from picloud.rhai.tools.mending import Advice
from picloud.rhai.tools.report import report


class Library(DefaultHost):
    """Finds modules in a dict."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.sources = sources

    def resolve(self, path: str) -> str | None:
        return self.sources.get(path)


def failure(source: str, **modules: str) -> str:
    with pytest.raises(RhaiError) as caught:
        Engine().compile(source).run(host=Library(modules))
    return report(caught.value, {"": source, **modules}, "a.rhai")


def shown(text: str) -> str:
    return dedent(text).strip("\n")


def test_a_parse_error_has_its_place_message_and_line() -> None:
    assert failure("let x = 1;\nlet y = x +;\n") == shown("""
        a.rhai:2:12: error: Unexpected ';'
          2 | let y = x +;
            |            ^""")


def test_an_error_of_a_run_shows_the_lines_of_the_calls_too() -> None:
    assert failure("fn f(x) {\n    x.lenght()\n}\nlet c = || f(1);\nc.call();\n") == shown("""
        a.rhai:2:7: error: Function not found: lenght (i64) (line 2, position 7)
        in call to function 'f' (line 4, position 12)
        in closure call (line 5, position 3)
          2 |     x.lenght()
            |       ^
          4 | let c = || f(1);
            |            ^ `f` is called here
          5 | c.call();
            |   ^ a closure is called here""")


def test_a_recursion_is_shown_once() -> None:
    text = failure("fn f(n) {\n  if n == 0 { throw n }\n  f(n - 1)\n}\nf(20)")
    assert text.count("f(n - 1)") == 1
    assert "^ `f` is called here, 20 times" in text


def test_of_a_deep_stack_the_ends_are_shown() -> None:
    names = [f"f{number}" for number in range(20)]
    functions = [
        f"fn {name}() {{ {following}() }}" for name, following in zip(names, [*names[1:], "oops"], strict=True)
    ]
    text = failure("\n".join([*functions, "f0()"]))
    assert "  … 14 more calls …" in text
    assert text.endswith("21 | f0()\n     | ^ `f0` is called here")


def test_an_error_in_a_module_shows_the_line_of_the_module() -> None:
    text = failure('import "lib" as l;\nl::g(1)', lib="fn g(x) {\n    x.foo()\n}")
    assert text.startswith("lib:2:7: error: ")
    assert "  2 |     x.foo()\n    |       ^\n" in text
    assert text.endswith("  2 | l::g(1)\n    |    ^ `g` is called here")


def test_a_module_that_cannot_be_compiled_shows_its_line() -> None:
    text = failure('import "lib" as l;', lib="let x =\n  ;")
    assert text.startswith("lib:2:3: error: ")
    assert "  2 |   ;\n    |   ^\n" in text


def test_a_place_in_a_text_given_to_eval_is_not_looked_for_in_the_script() -> None:
    text = failure('let text = "let x = ;";\neval(text)')
    assert text.startswith("a.rhai:2:6: error: ")
    assert "let text" not in text


def test_an_error_without_a_place_has_no_line() -> None:
    error = RhaiError("ErrorTerminated", position=None)
    assert (
        report(error, {"": "x"}, "a.rhai", advice=[Advice("try less")])
        == "a.rhai: error: Script terminated\n  = try less"
    )
