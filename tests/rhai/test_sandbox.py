"""Generated code holds nothing but what it is meant to hold, whatever the script says."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from picloud.rhai import Engine, RhaiError, codegen
from picloud.rhai.codegen.audit import Unclean, audit
from picloud.rhai.parser import parse
from picloud.rhai.resolver import resolve
from picloud.rhai.runtime.support import HELPERS

HERE = Path(__file__).parent
CORPORA = sorted((HERE / "corpus").glob("*.jsonl.gz"))
HOSTILE = [
    "let __class__ = 1; __class__",
    "let x = 1; x.__class__",
    'let x = #{}; x["__class__"].__bases__',
    "fn __init__(self) { self } __init__(1)",
    "fn main(R) { R } main(5)",
    "let R = 1; let T = 2; let D = 3; R + T + D",
    "let v1 = 1; let t1 = 2; let K1 = 'a'; v1 + t1",
    'import "os" as os; os::system("true")',
    '"{0.__class__}".format(1)',
    'let f = Fn("eval"); f.call("1")',
    "call_function(1)",
    "getattr(1, 2)",
    "open(1)",
    "let value = #{value: 1}; value.value",
]


def audited(source: str) -> None:
    engine = Engine()
    try:
        script = parse(source, engine.limits)
    except RhaiError:
        return
    tree, _ = codegen.generate(script, resolve(script), engine._options, source)
    audit(tree, HELPERS)


@pytest.mark.parametrize("path", CORPORA, ids=lambda path: path.name.split(".")[0])
def test_code_for_all_recorded_scripts_is_clean(path: Path) -> None:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            audited(json.loads(line)["src"])


@pytest.mark.parametrize("source", HOSTILE)
def test_names_of_a_script_never_become_names_of_python(source: str) -> None:
    audited(source)
    try:
        value = Engine().compile(source).run()
    except RhaiError:
        return
    assert type(value) in (int, str, float, bool, list, dict, type(None))


def test_generated_code_sees_no_builtins() -> None:
    assert HELPERS["__builtins__"] == {}


@pytest.mark.parametrize(
    "python", ["import os", "x = ().__class__", "open('f')", "v1 = [v for v in v2]", "lambda: 1", "v1 = b'x'", "v1(2)"]
)
def test_the_audit_finds_what_does_not_belong(python: str) -> None:
    import ast

    with pytest.raises(Unclean):
        audit(ast.parse(python), HELPERS)
