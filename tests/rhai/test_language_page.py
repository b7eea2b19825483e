"""What docs/rhai.md shows is so."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from picloud.config import settings
from picloud.executor.protocol import Limits as CageLimits
from picloud.executor.script import language_limits
from picloud.rhai import DefaultHost, Engine, Limits, Native, Registry, RhaiError
from picloud.rhai.errors import KINDS
from picloud.rhai.lexer import CALLABLE
from picloud.rhai.packages import standard
from picloud.rhai.values import TYPES

PAGE = (Path(__file__).parents[2] / "docs" / "rhai.md").read_text()
EXAMPLES = [
    tuple(re.split(r" +// =>", line, maxsplit=1))
    for block in re.findall(r"^```rhai\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
]


@pytest.mark.parametrize(("source", "value"), EXAMPLES)
def test_each_example_has_the_value_that_stands_beside_it(source: str, value: str) -> None:
    found = Engine().compile(source).run()
    assert Engine().compile("value.to_debug()").run({"value": found}) == value.strip()


@pytest.mark.parametrize("block", re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
def test_the_python_of_the_page_runs(block: str) -> None:
    exec(compile(block, "docs/rhai.md", "exec"), {"__name__": "page"})


def rows(part: str) -> list[list[str]]:
    """The rows of the table under a headline, without its own."""
    text = re.split(r"^#+ ", PAGE.partition(f"# {part}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    cells = [re.split(r" ?(?<!\\)\| ?", line)[1:-1] for line in text.splitlines() if line.startswith("| ")]
    return [row for row in cells[1:] if row[0] != "---"]


def test_every_function_of_the_standard_packages_is_listed_with_its_module() -> None:
    text = PAGE.partition("## Functions\n")[2].partition("\n## ")[0]
    for modules, functions in re.findall(r"^- \*\*.*?\*\* \((.*?)\): (.*(?:\n  .*)*)", text, re.MULTILINE):
        declared = [import_module(f"picloud.rhai.packages.{name}") for name in re.findall(r"`(\w+)`", modules)]
        names = {native.name for module in declared for native in module.PACKAGE.natives}
        assert set(re.findall(r"`(\w+)`", functions)) == {name for name in names if name[0].isalpha()}, modules
    missing = {name for name in Registry(standard()).names() if name[0].isalpha()} - set(re.findall(r"`(\w+)`", text))
    assert not missing
    assert set(re.findall(r"`(\w+)`", text.partition("The language itself")[2])) == CALLABLE - {"print", "debug"}


def test_limits_are_listed_with_the_defaults_of_the_library_and_those_of_the_cage() -> None:
    in_cage = language_limits(CageLimits())
    for field, default, caged, _ in rows("Limits"):
        name = field.strip("`")
        numbers = [int(re.match(r"[\d,]+", text)[0].replace(",", "")) for text in (default, caged)]  # type: ignore[index]
        assert numbers == [getattr(Limits(), name), getattr(in_cage, name)], name
        if setting := re.search(r"PICLOUD_\w+", caged):
            assert int(next(each.default for each in settings() if each.variable == setting[0])) == numbers[1]
    assert [row[0].strip("`") for row in rows("Limits")] == list(Limits.__dataclass_fields__)


OVER = {
    "max_operations": "loop {}",
    "max_call_levels": "fn f() { f() } f()",
    "max_expr_depth": "1 + (2 + (3 + 4))",
    "max_function_expr_depth": "fn f() { 1 + (2 + (3 + 4)) }",
    "max_string_size": 'let s = "ab"; s += s; s += s; s',
    "max_array_size": "let a = [1, 2]; a += a; a += a; a",
    "max_map_size": 'let m = #{}; for c in "abcd" { m[`${c}`] = 1; }',
    "max_variables": "let a = 1; let b = 2; let c = 3; let d = 4; print(a + b + c + d);",
    "max_functions": "fn a() {} fn b() {} fn c() {} fn d() {}",
    "max_modules": 'import "m" as a; import "m" as b; import "m" as c; import "m" as d; print(1);',
}
"""For each limit a script that goes over 3."""


@pytest.mark.parametrize(("field", "error"), [(row[0].strip("`"), row[3].strip("`")) for row in rows("Limits")[:-1]])
def test_a_limit_that_is_met_gives_the_error_that_stands_beside_it(field: str, error: str) -> None:
    class Libraries(DefaultHost):
        def resolve(self, path: str) -> str:
            return ""

    engine = Engine(Limits(**{field: 3}))
    with pytest.raises(RhaiError) as caught:
        engine.compile(f"try {{ {OVER[field]} }} catch {{}}" if "fn" not in OVER[field] else OVER[field]).run(
            host=Libraries()
        )
    assert caught.value.inner == error


def test_the_fields_of_caught_errors_are_listed() -> None:
    listed: dict[str, set[str]] = {}
    for fields, kinds, *_ in rows("Errors"):
        for kind in re.findall(r"\w+", kinds):
            listed.setdefault(kind, set()).update(re.findall(r"\w+", fields))
    told = {kind: set(RhaiError(kind, 1, 2).fields()) - {"error"} for kind in KINDS if RhaiError(kind).is_catchable}
    assert listed == {kind: fields for kind, fields in told.items() if fields}


def test_types_and_flags_of_functions_are_listed() -> None:
    assert {row[1].strip("`") for row in rows("Values in Python")} == {
        name for name, type_ in TYPES.items() if type_.__module__ in ("builtins", "picloud.rhai.values")
    }
    flags = {
        name for row in rows("Functions, types and modules of the host") for name in re.findall(r"`(\w+)=True", row[0])
    }
    assert flags == set(Native.__dataclass_fields__) - {"name", "parameters", "function"}


def nested(tries: int) -> str:
    return "let x = 0; " + "try { " * tries + "x += 1; " + "} catch {} " * tries


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("sleep(1)", "ErrorRuntime"),
        ("let a = 1; a.set_tag(5); if a.tag == 5 { throw 1; }", ""),
        (nested(19), ""),
        (nested(20), "ExprTooDeep"),
        ("let s = \"x\"; s.pad(2_000_000_000, 'x');", "ErrorDataTooLarge"),
        ("let t = \"1;\"; t.pad(4_096, ' '); eval(t)", ""),
        ("let t = \"1;\"; t.pad(4_097, ' '); eval(t)", "ErrorDataTooLarge"),
    ],
)
def test_what_is_said_to_differ_does(source: str, kind: str) -> None:
    try:
        Engine(Limits(max_operations=1_000_000)).compile(source).run()
        found = ""
    except RhaiError as error:
        found = error.inner
    assert found == kind
