"""``import``, ``export``, and modules of the host."""

from __future__ import annotations

from typing import Any

import pytest

from picloud.rhai import DefaultHost, Engine, Limits, Module, Native, RhaiError

SOURCES = {
    "shapes": """
        const SIDES = 4;
        export const NAME = "square";
        export let sizes = [1, 2];
        fn area(a) { scaled(a * a) }
        fn sides() { global::SIDES }
        fn fails() { nothing_here }
        private fn scaled(a) { a * 10 }
        import "inner" as inner;
        fn through() { inner::one() }
    """,
    "inner": "fn one() { 1 }",
    "broken": "let x = ;",
    "throwing": "throw 5;",
    "circular": 'import "circular" as c;',
}


class Library(DefaultHost):
    def resolve(self, path: str) -> Any:
        return SOURCES.get(path)


def run(source: str, limits: Limits | None = None, modules: dict[str, Module] | None = None) -> Any:
    return Engine(limits or Limits(), modules).compile(source).run(host=Library())


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ('import "shapes" as s; [s::NAME, s::sizes, s::area(3)]', ["square", [1, 2], 90]),
        ('import "shapes" as s; s::sides()', 4),
        ('import "shapes" as s; s::through()', 1),
        ('import "shapes" as s; s::inner::one()', 1),
        ('import "shapes" as s; fn f() { s::area(1) } f()', 10),
        ('import "shapes" as s; let a = s::sizes; a.push(3); [a, s::sizes]', [[1, 2, 3], [1, 2]]),
        ('let n = 0; for i in 0..3 { import "inner" as m; n += m::one(); } n', 3),
        ('import "shapes"; 5', 5),
    ],
)
def test_a_module_offers_functions_and_exported_variables(source: str, value: Any) -> None:
    assert run(source) == value


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ('import "nothing" as n;', "ErrorModuleNotFound", "Module not found: nothing (line 1, position 8)"),
        ("m::f()", "ErrorModuleNotFound", "Module not found: m (line 1, position 1)"),
        ('{ import "inner" as m; } m::one()', "ErrorModuleNotFound", "Module not found: m (line 1, position 26)"),
        (
            'import "inner" as m; m::two()',
            "ErrorFunctionNotFound",
            "Function not found: m::two () (line 1, position 25)",
        ),
        ('import "shapes" as s; s::scaled(1)', "ErrorFunctionNotFound", None),
        ('import "shapes" as s; s::SIDES', "ErrorVariableNotFound", None),
        ("import 5 as m;", "ErrorMismatchDataType", "Data type incorrect: i64 (expecting string) (line 1, position 8)"),
        ('import "circular" as c;', "ErrorModuleNotFound", None),
        ('import "broken" as b;', "ErrorParsing", None),
        ('import "throwing" as t;', "ErrorRuntime", None),
    ],
)
def test_what_a_module_has_not_is_an_error_with_its_place(source: str, kind: str, message: str | None) -> None:
    with pytest.raises(RhaiError) as caught:
        run(source)
    assert caught.value.inner == kind
    assert message is None or caught.value.message == message


def test_an_error_in_a_module_names_it() -> None:
    with pytest.raises(RhaiError) as caught:
        run('import "shapes" as s; s::fails()')
    assert caught.value.message.splitlines()[1] == "in call to function 'fails' (from 'shapes') (line 1, position 26)"
    assert [(frame.function, frame.source) for frame in caught.value.call_stack] == [("fails", "shapes")]


def test_imports_have_a_limit() -> None:
    with pytest.raises(RhaiError) as caught:
        run('import "inner" as a; import "inner" as b; import "inner" as c;', Limits(max_modules=2))
    assert caught.value.kind == "ErrorTooManyModules"


def test_a_host_gives_modules_that_need_no_import() -> None:
    store: dict[str, int] = {}
    module = Module("store")
    module.add(Native(name="put", parameters=("string", "i64"), function=store.__setitem__))
    module.add(Native(name="get", parameters=("string",), function=store.get))
    module.variables["LIMIT"] = 7
    assert run('store::put("a", 5); [store::get("a"), store::get("b"), store::LIMIT]', modules={"store": module}) == [
        5,
        None,
        7,
    ]
    with pytest.raises(RhaiError, match="Function not found: store::get \\(i64\\)"):
        run("store::get(1)", modules={"store": module})
