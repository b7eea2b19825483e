"""Which imports of a source can be pinned."""

from __future__ import annotations

import pytest

from picloud.orchestrator.control.imports import imported_by


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("1", ()),
        ('import "a" as a; import "b" as b; import "a" as again;', ("a", "b")),
        ('fn f() { import "a" as a; a::x() } if f() { import "b" as b; b::x() }', ("a", "b")),
        ('let f = |x| { import "a" as a; a::y(x) };', ("a",)),
        ('import "a" + "b" as a;', ("ab",)),
        ("const NAME = \"a\"; import NAME as a;", ("a",)),
        ('let name = "a"; import name as a;', ()),
        ("import `a${1 + 1}` as a;", ()),
        ('// import "a" as a;\n"import \\"a\\""', ()),
        ("eval(\"import `a` as a;\")", ()),
    ],
)  # fmt: skip
def test_names_that_stand_in_the_source_are_found(source: str, names: tuple[str, ...]) -> None:
    assert sorted(imported_by(source)) == sorted(names)
