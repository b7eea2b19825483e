"""Warnings tell what is probably a mistake, and nothing else."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from picloud.rhai import Engine, Module, Native, Registry
from picloud.rhai.tools.warnings import warnings

CORPUS = Path(__file__).parent / "corpus"
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def engine() -> Engine:
    store = Registry([Native(name="get", parameters=("string",), function=len)])
    return Engine(modules={"store": Module("", store)})


@pytest.mark.parametrize(
    ("source", "code", "place", "text"),
    [
        ("let x = 1;", "unused-variable", (1, 5), "nobody uses `x`"),
        ("const X = 1;\nprint(2)", "unused-variable", (1, 7), "nobody uses `X`"),
        ("let x = 1;\nx = 2;\nx += 1;", "unused-variable", (1, 5), "assigned, but nobody reads it"),
        ("let n = 0;\nif true {\n  let n = n + 1;\n}\nn", "unused-variable", (3, 7), "leave out `let`"),
        ("fn f(x) {\n  let x = 5;\n  x\n}\nf(1)", "unused-variable", (2, 7), "hides the parameter"),
        ("let f = || { let y = 1; 2 };\nf.call()", "unused-variable", (1, 18), "nobody uses `y`"),
        ('import "lib" as l;\n1', "unused-import", (1, 1), "nobody uses the module `l`"),
        ("fn f() { }\n1", "unused-function", (1, 1), "nobody calls `f`"),
        ("fn f(x) { f(x - 1) }\n1", "unused-function", (1, 1), "nobody calls `f`"),
        ("fn f(x) { x }\nfn f(x, y) { x }\nf(1)", "unused-function", (2, 1), "nobody calls `f`"),
        ("private fn f() { }\nfn g() { }", "unused-function", (1, 9), "nobody calls `f`"),
        ("fn f() {\n  return 1;\n  print(2);\n}\nf()", "unreachable", (3, 3), "`return` in line 2"),
        ("loop { print(1); }\nprint(2);", "unreachable", (2, 1), "loop without `break`"),
        ("loop { loop { break; } }\nprint(2);", "unreachable", (2, 1), "loop without `break`"),
        ("let x = 1;\nif x > 0 { throw 1; } else { return 2; }\nx = 3;", "unreachable", (3, 1), "all ways lead out"),
        ("let x = 1;\nx == 2;\nprint(x);", "no-effect", (2, 3), "`=` assigns"),
        ("let x = 1;\nx + 1;\nprint(x);", "no-effect", (2, 3), "nobody uses this value"),
        ("[1].filter(|x| x = 1)", "assignment-as-condition", (1, 18), "`==` compares"),
        ('if 1 == "1" { print(1) }', "never-equal", (1, 6), "a number is never equal to a string"),
        ("let x = 1;\nx == 2 != ()", "never-equal", (2, 8), "always true"),
        ('type_of(1) == "int"', "never-equal", (1, 15), '"i64"'),
        ('let x = 1;\nx.type_of() != "str"', "never-equal", (2, 16), '"string"'),
        ("switch 1 { 1 => 2, 2 | 1 => 3, _ => 4 }", "duplicate-case", (1, 24), "line 1 has it already"),
        ("let total = 1;\nprint(totl + total)", "unknown-variable", (2, 7), "no variable `totl`"),
        ("fn f() { host }\nf()", "unknown-variable", (1, 10), "no variable `host`"),
        ("foo(1)", "unknown-function", (1, 1), "there is no function `foo`"),
        ("fn f(x) { x }\nf(1);\nf()", "unknown-function", (3, 1), "no function `f` takes no arguments"),
        ("len(1, 2)", "unknown-function", (1, 1), "no function `len` takes 2 arguments"),
        ("[1].lenght()", "unknown-function", (1, 5), "no function `lenght`"),
        ('stor::get("a")', "unknown-function", (1, 1), "no module `stor`"),
        ('store::gett("a")', "unknown-function", (1, 8), "`store` has no function `gett`"),
        ('store::get("a", 1)', "unknown-function", (1, 8), "takes 1 argument, not 2"),
    ],
)
def test_a_mistake_is_told_with_its_place(
    engine: Engine, source: str, code: str, place: tuple[int, int], text: str
) -> None:
    (found,) = warnings(source, engine, ["host"])
    assert (found.code, found.line, found.column) == (code, *place)
    assert text in found.text


@pytest.mark.parametrize(
    "source",
    [
        "for i in 0..3 { print(1); }",
        "try { print(1) } catch (e) { print(2) }",
        "fn f(x) { 1 }\nf(2)",
        'let x = 1;\neval("x")',
        'let x = 1;\nis_def_var("x")',
        'is_def_var("y") && y > 1',
        "let x = 1;\nexport x;",
        "export const X = 1;",
        "export let x = 1;",
        "const X = 1;\nfn f() { global::X }\nf()",
        "let x = [];\nx.push(1);\nx[0] = 2;",
        "let m = #{};\nm.a = 1;",
        "let x = 1;\nlet f = || x += 1;\nf.call();\nx",
        'fn f() { 1 }\nlet p = Fn("f");\np.call()',
        "fn f() { 1 }\nlet p = f;\np.call()",
        'fn f(x) { x }\n[1].map("f")',
        "fn f() { this.x += 1; }\nlet m = #{ x: 1 };\nm.f();",
        "fn helper() { 1 }\nfn offered() { helper() }",
        "fn even(n) { n == 0 || odd(n - 1) }\nfn odd(n) { n != 0 && even(n - 1) }\neven(4)",
        'import "lib" as l;\nl::f()',
        'import "lib" as l;\nfn f() { l::X }\nf()',
        'import "lib";',
        "loop { if true { break; } }\nprint(1);",
        "let x = loop { break 1; };\nx",
        "fn f(x) { if x { return 1; } 2 }\nf(true)",
        "switch 1 { 1 if host > 2 => 2, 1 => 3, _ => 4 }",
        'switch 1 { 1 => 2, 1.0 => 3, "1" => 4, _ => 5 }',
        "1 == 1.0",
        "'a' == \"a\"",
        'type_of(1) == "i64"',
        'type_of(host) == "Reply"',
        "host.field",
        "let m = #{ run: |x| x };\nm.run(1)",
        "let f = |x| x;\nf.call(1)",
        "let x = 5; x.type_of()",
        "let x = 1;\nlet y = x;\ny == 1",
        "let a = [1];\na.sort();\na",
        "fn outer(f) { f.call(2) }\nlet k = 2;\nouter(|x| x * k)",
        "let x;\nif host { x = 1; } else { x = 2; }\nx",
        "outside(1) + 2;\nfn outside(x) { x }",
        "fn in_a_module() { from_the_importer_of_it() }",
    ],
)
def test_a_script_in_good_order_gets_no_warning(engine: Engine, source: str) -> None:
    assert warnings(source, engine, ["host"]) == []


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.rhai")), ids=lambda path: path.name)
def test_the_examples_get_no_warning(path: Path) -> None:
    from picloud.executor.language import VARIABLES, platform_engine
    from picloud.rhai import Limits

    assert warnings(path.read_text(), platform_engine(Limits()), VARIABLES) == []


def test_scripts_that_run_well_get_next_to_no_warnings() -> None:
    engine = Engine()
    told = []
    for name in ("language", "not-found"):
        with gzip.open(CORPUS / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for fact in map(json.loads, lines):
                if fact["expect"]["ok"]:
                    told += [(remark.code, fact["src"]) for remark in warnings(fact["src"], engine)]
    wrong = [code for code, source in told if code.startswith("unknown") and "try" not in source]
    assert not wrong, "what ran was known"
    assert len(told) < 15
