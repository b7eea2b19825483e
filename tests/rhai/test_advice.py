"""Beside an error's message stands what was probably meant, and what there is instead."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest

from picloud.rhai import Engine, Module, Native, Registry, RhaiError
from picloud.rhai.lexer import KEYWORDS, RESERVED_SIGNS, RESERVED_WORDS
from picloud.rhai.tools import foreign
from picloud.rhai.tools.advice import advise
from picloud.rhai.tools.mending import Advice
from picloud.rhai.tools.spelling import near

CORPUS = Path(__file__).parent / "corpus"


@pytest.fixture(scope="module")
def engine() -> Engine:
    store = Registry([Native(name=name, parameters=("string",), function=len) for name in ("get", "remove")])
    return Engine(modules={"store": Module("", store)})


def advice(engine: Engine, source: str) -> tuple[Advice, ...]:
    with pytest.raises(RhaiError) as caught:
        engine.compile(source).run()
    return advise(caught.value, source, engine, ["ctx"])


@pytest.mark.parametrize(
    ("source", "text"),
    [
        # names with a slip in them
        ("let total = 1;\ntotl", "did you mean `total`?"),
        ("ctxx.request", "did you mean `ctx`?"),
        ("fn area(w, h) { w * h }\naera(1, 2)", "did you mean `area`?"),
        ("prnt(1)", "did you mean `print(any)`?"),
        ('"abc".lenght()', "did you mean `len(string)`?"),
        ("'a'.to_uper()", "did you mean `to_upper(char)`?"),
        ("[1].IndexOf(1)", "did you mean `index_of(array, any)`"),
        ('store::gett("a")', "did you mean `store::get(string)`?"),
        ('stroe::get("a")', "did you mean `store`?"),
        ("const LIMIT = 1;\nprint(global::LIMT)", "did you mean `global::LIMIT`?"),
        ("retrun 5", "did you mean `return`?"),
        ("whlie true { }", "did you mean `while`?"),
        # what there is instead
        ("len(1)", "there is `len(string)`, `len(array)`, `len(map)` and `len(blob)`"),
        ("[].push(1, 2)", "there is `push(array, any)`"),
        ("store::get(1)", "there is `store::get(string)`"),
        ('get_it("a")', None),
        ("let f = |x| x;\nf(1)", "called by `f.call(…)`"),
        ("[1].map(|a, b, c| a)", "the closure is called with 2 arguments"),
        ('"abc".length', "it is called `len` here"),
        ('"a".toUpperCase()', "it is called `to_upper` here"),
        ('["a", "b"].join(",")', "`texts.reduce("),
        ("[1].reverse", "it is a method: write `.reverse()`"),
        ("PI", "write `PI()`"),
        ("let f = sin;", 'a pointer to it is `Fn("sin")`'),
        ('"5" * 2', "`parse_int(text)`"),
        ("let n = 3;\nif n { print(1) }", "compare, as in `x != 0`"),
        ("let n = 3;\nfor i in n { }", "numbers as `0..n`"),
        ("let a = [1, 2];\na[2]", "the last one is 1, or -1"),
        ("let m = #{};\nm.a.b", "`?.` in place of `.`"),
        ("let m = #{};\nm.a[0]", "`?[` in place of `[`"),
        ("count = 1", "declare it first: `let count = …;`"),
        ("import shop;", 'the path of a module is a string: `import "shop" as shop;`'),
        # other languages
        ("let x = null;", "`()`"),
        ("var x = 1;", "`let name = value;`"),
        ("let mut x = 1;", "leave out `mut`"),
        ("let x: int = 1;", "types aren't declared"),
        ("fn f(x: int) { }", "types aren't declared"),
        ("fn f() -> int { }", "types of results aren't written"),
        ("function f() { }", "`fn name(a, b) { … }`"),
        ("if true { } elif false { }", "`else if`"),
        ("if true and false { }", "`&&`"),
        ("foreach x in [1] { }", "`for item in items { … }`"),
        ("for (let i = 0; i < 9; i++) { }", "`for i in 0..10 { … }`"),
        ("let x = 1;\nx++;", "`+= 1`"),
        ("let y = true ? 1 : 2;", "`if condition { a } else { b }`"),
        ("let m = {a: 1};", "`#{ name: value }`"),
        ("[1].map(x => x + 1)", "`|a, b| …`"),
        ("let s = 'text';", '`"`'),
        ("let s = f'x';", "`… ${value} …`"),
        ("match 1 { 1 => 2 }", "`switch value"),
        ("switch 1 { case 1: 2 }", "no word in front"),
        ("try { } except { }", "`try { … } catch (error) { … }`"),
        ("print 1", "it is a function: `print(value)`"),
        ("# comment", "comments begin with `//`"),
        ("Math.sqrt(2)", "`sqrt(x)`"),
        ("undefined", "`()`"),
        ("let x = (1, 2);", "`[a, b]`"),
        ('let s = "one\ntwo";', "between backticks"),
    ],
)
def test_an_error_comes_with_advice(engine: Engine, source: str, text: str | None) -> None:
    found = [each.text for each in advice(engine, source)]
    assert (text is None and not found) or (text is not None and any(text in each for each in found)), found


@pytest.mark.parametrize(
    ("source", "text", "place"),
    [
        ("let x = 1\nlet y = 2", "a `;` is missing here", (1, 10)),
        ("let x = [1 // one\n, 2\n3]", "a `,` is missing here", (2, 4)),
        ('let s = "a // b" // c\nlet t = 1', "a `;` is missing here", (1, 17)),
        ("let a = [1, 2;", "this `[` is not closed", (1, 9)),
        ("print((1 + 2);", "this `(` is not closed", (1, 6)),
        ("fn f() {\n    if true {\n        1\n}\n\nfn g() { }", "is a `}` missing before it?", (2, 13)),
        ("fn f() {\n    if true {\n        1\n    \n}\n", "this `{` is not closed", (2, 13)),
        ("fn f() {\n    while true {\n        break;\n}\nlet x = 1;\n", "this `{` is not closed", (2, 16)),
        ("const A = 1;\nA = 2", "declared as a constant here", (1, 7)),
        ("fn f(a) { a }\nf(1, 2)", "the script has `f(a)`; this is a call with 2 arguments", (1, 1)),
        ("let n = 1;\nfn f() { n }\nf()", "hand it over as a parameter of `f`", (1, 5)),
        ("const N = 1;\nfn f() { N }\nf()", "functions see the script's constants as `global::N`", (1, 7)),
        ("if true { let y = 1; }\nprint(y)", "a variable ends with the block", (1, 15)),
        ("print(y);\nlet y = 1;", "declared here, further down", (2, 5)),
    ],
)
def test_advice_about_another_place_tells_that_place(
    engine: Engine, source: str, text: str, place: tuple[int, int]
) -> None:
    (found,) = advice(engine, source)
    assert text in found.text
    assert (found.line, found.column) == place


def test_a_variable_of_the_host_is_not_looked_for_in_functions(engine: Engine) -> None:
    (found,) = advice(engine, "fn f() { ctx.request }\nf()")
    assert found.text == "functions see no variables of the script: hand it over as a parameter of `f`"


def test_advice_leaves_the_message_as_it_is(engine: Engine) -> None:
    with pytest.raises(RhaiError) as caught:
        engine.compile("let total = 1; totl").run()
    advise(caught.value, "let total = 1; totl", engine)
    assert caught.value.message == "Variable not found: totl (line 1, position 16)"


def test_every_error_of_the_corpora_can_be_advised_on() -> None:
    engine = Engine()
    facts = []
    for path in sorted(CORPUS.glob("*.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            facts += map(json.loads, lines)
    failing = [fact["src"] for fact in facts if not fact["expect"]["ok"]]
    for source in random.Random(3).sample(failing, 250):
        try:
            engine.compile(source).run()
        except RhaiError as error:
            for piece in advise(error, source, engine):
                assert piece.text
                assert piece.line <= source.count("\n") + 1


def test_what_is_advised_exists() -> None:
    known = Engine().registry.names() | RESERVED_WORDS
    for names in foreign.FUNCTIONS.values():
        assert all(name in known or not name.isidentifier() for name in names), names
    assert foreign.RESERVED.keys() <= RESERVED_WORDS
    assert not foreign.WORDS.keys() & (KEYWORDS | RESERVED_WORDS), "the parser takes these for something else"
    assert foreign.SIGNS.keys() >= RESERVED_SIGNS


@pytest.mark.parametrize(
    ("name", "candidates", "meant"),
    [
        ("lenght", ["len", "length", "light"], "length"),
        ("toUpper", ["to_upper", "to_lower"], "to_upper"),
        ("pirnt", ["print", "point"], "print"),
        ("ab", ["ac"], None),
        ("total", ["total"], None),
        ("x" * 10_000, ["x" * 9_999], None),
    ],
)
def test_near_is_what_differs_little(name: str, candidates: list[str], meant: str | None) -> None:
    assert near(name, candidates) == meant
