"""A text given to ``eval`` sees what is around the call."""

from __future__ import annotations

import pytest

from picloud.rhai import Engine


@pytest.mark.parametrize(
    "source",
    [
        'fn f() { 7 } eval("let p = f; p.call()")',
        'fn f() { 7 } eval("let p = f;"); p.call()',
        'fn f(x) { x + 6 } eval("[1].map(f)[0]")',
        'fn f() { 7 } fn g() { eval("1"); f.call() } g()',
        'fn f() { 7 } let f = 0; eval("f.call()")',
        'fn f() { 0 } eval("let f = 7; f")',
    ],
)
def test_a_function_is_seen_by_its_name_unless_the_text_declares_it(source: str) -> None:
    assert Engine().compile(source).run() == 7
