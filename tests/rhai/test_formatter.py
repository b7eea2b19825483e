"""A formatted script is the same script, with all its comments, and stays as it is when formatted again."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from picloud.rhai import Engine, Limits, RhaiError
from picloud.rhai.parser import parse
from picloud.rhai.scoreboard import LIMITS, answer
from picloud.rhai.tools.formatter import comments, formatted
from picloud.rhai.tools.formatter.sameness import same
from picloud.rhai.tools.lexemes import lexemes

CORPUS = Path(__file__).parent / "corpus"
ROOT = Path(__file__).parents[2]
TRIVIA = [
    "\n", "\n", "\n\n\n", " // c{}\n", "\n// c{}\n", "/* c{} */", " /* c{}\n  two */ ", "/* c{} /* n */ */\n",
    "\n/// d{}\n", "\n/** d{} */\n", " /* c{} */ // d{}\n", "\n\n// c{}\n\n",
]  # fmt: skip


def facts(*names: str) -> Iterator[dict[str, object]]:
    for name in names:
        with gzip.open(CORPUS / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def tidy(text: str) -> str:
    return dedent(text).lstrip("\n")


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("let   x=1 ;let y = [ 1,2 ,3 ];;", "let x = 1;\nlet y = [1, 2, 3];\n"),
        ("\n\n// one\n\n\n\n// two\nx\n\n", "// one\n\n// two\nx\n"),
        ("x // why", "x // why\n"),
        ("f( a,b , c )", "f(a, b, c)\n"),
        ("let f=||5;let g=|a,b|a+b;", "let f = || 5;\nlet g = |a, b| a + b;\n"),
        ("-x+-5*!y", "-x + -5 * !y\n"),
        ("a - -5", "a - -5\n"),
        ("let x = - 5;", "let x = - 5;\n"),
        ("(a+b)*c", "(a + b) * c\n"),
        ("0 .. n-1", "0..n - 1\n"),
        ("a[ .. 3 ]", "a[..3]\n"),
        ("1. .. 2", "1. ..2\n"),
        ("5 ./* a */b()", "5 ./* a */ b()\n"),
        ("a ?. b ?[ 0 ] . c ( )", "a?.b?[0].c()\n"),
        ("let m=#{a:1,'b':2};".replace("'", '"'), 'let m = #{ a: 1, "b": 2 };\n'),
        ("let m = #{};\nlet e = [ ];", "let m = #{};\nlet e = [];\n"),
        ("import 'x' as y;".replace("'", '"'), 'import "x" as y;\n'),
        ("if x{1}else if y{2}else{3}", "if x { 1 } else if y { 2 } else { 3 }\n"),
        ("if x {\n1 } else {2}", "if x {\n    1\n} else {\n    2\n}\n"),
        ("while x { };", "while x {}\n"),
        ("if x { } ; -1", "if x {};\n-1\n"),
        ("do{x+=1;}while x<3;", "do { x += 1; } while x < 3;\n"),
        ("for(a,i)in b{print(a)}", "for (a, i) in b { print(a) }\n"),
        ("try{f()}catch(e){g()}", "try { f() } catch (e) { g() }\n"),
        ("fn f( a,b ){a}", "fn f(a, b) { a }\n"),
        ("private fn int.f(){this}", "private fn int.f() { this }\n"),
        ("switch x{1|2=>3,_=>4}", "switch x { 1 | 2 => 3, _ => 4 }\n"),
        ("switch x{\n1 if y=>{a} 2=>b}", "switch x {\n    1 if y => { a }\n    2 => b,\n}\n"),
        ("x ?? return", "x ?? return\n"),
        ("let t = `a ${ x+1 }\n  b`;", "let t = `a ${ x+1 }\n  b`;\n"),
        ("0xFF+1_000+1.5e3", "0xFF + 1_000 + 1.5e3\n"),
        ("let f = |x| ;;", "let f = |x| {};\n"),
        ("|x|", "|x| {}\n"),
        ("", ""),
        ("// alone", "// alone\n"),
        ("f(a, /* b */ c)", "f(a, /* b */ c)\n"),
        (
            "[\n1, // one\n2 // two\n]",
            "[\n    1, // one\n    2, // two\n]\n",
        ),
    ],
)
def test_a_script_is_written_in_one_way(source: str, wanted: str) -> None:
    assert formatted(source) == wanted


def test_what_is_too_long_is_broken_where_it_makes_sense() -> None:
    source = tidy("""
        fn add(first_parameter, second_parameter, third_parameter, fourth_parameter, fifth_parameter) { 10_000 }
        let x = first_value + second_value * third_value - fourth_value / fifth_value + sixth_value % seventh_value;
        wanted.filter(|item| item.price > 500).map(|item| item.name.to_upper()).for_each(|name| print(name));
        reply::json(#{ status: "a value that is long", message: "another value that is long", detail: "more" });
        let numbers = [100000, 200000, 300000, 400000, 500000, 600000, 700000, 800000, 900000, 1000000, 2000000];
        if first_condition && second_condition || third_condition && fourth_condition || fifth_condition { print(1); }
    """)
    assert formatted(source) == tidy("""
        fn add(first_parameter, second_parameter, third_parameter, fourth_parameter, fifth_parameter) {
            10_000
        }
        let x = first_value
            + second_value * third_value
            - fourth_value / fifth_value
            + sixth_value % seventh_value;
        wanted
            .filter(|item| item.price > 500)
            .map(|item| item.name.to_upper())
            .for_each(|name| print(name));
        reply::json(#{
            status: "a value that is long",
            message: "another value that is long",
            detail: "more",
        });
        let numbers = [
            100000, 200000, 300000, 400000, 500000, 600000, 700000, 800000, 900000, 1000000, 2000000,
        ];
        if first_condition && second_condition || third_condition && fourth_condition || fifth_condition {
            print(1);
        }
    """)


def test_comments_stay_where_they_are() -> None:
    source = tidy("""
        /// Adds.
        fn add(a, b) {
            // first
            let sum = a + b; // sum

            /* a
               block */
            #{
                // of a
                a: a, // one

                sum: sum, // two
                // last
            }
            // end
        }

        add(1, // one
            2)
        // over
    """)
    assert formatted(source) == tidy("""
        /// Adds.
        fn add(a, b) {
            // first
            let sum = a + b; // sum

            /* a
               block */
            #{
                // of a
                a: a, // one

                sum: sum, // two
                // last
            }
            // end
        }

        add(
            1, // one
            2,
        )
        // over
    """)


def test_a_string_over_several_lines_keeps_its_value_when_it_moves() -> None:
    source = 'if true {\nlet text = "one \\\n             two \\\n   three";\ntext\n}'
    assert Engine().compile(formatted(source)).run() == Engine().compile(source).run()


def test_scripts_of_the_corpora_stay_the_same_and_give_the_same() -> None:
    engine = Engine(LIMITS)
    sample = random.Random(5).sample(list(facts("language", "stdlib", "operators", "indexing")), 250)
    for fact in [*sample, *facts("language")]:
        source = str(fact["src"])
        try:
            before = parse(source, Limits(), optimize=False)
        except RhaiError:
            continue
        result = formatted(source)
        assert formatted(result) == result
        assert same(before, parse(result, Limits(), optimize=False))
        expected = fact["expect"]
        assert isinstance(expected, dict)
        if expected["ok"] and "anon$" not in str(expected) and "line" not in source:
            given = answer(result, engine)
            assert [given[name] for name in ("value", "printed")] == [expected["value"], expected["printed"]], source


def test_comments_anywhere_are_kept() -> None:
    chance = random.Random(7)
    sources = [str(fact["src"]) for fact in facts("language")]
    for number in range(500):
        source = chance.choice(sources)
        density = chance.choice((0.05, 0.2, 0.6))
        parts = [lexeme.text for lexeme in lexemes(source)]
        gaps = [chance.choice(TRIVIA) if chance.random() < density else " " for _ in parts]
        strewn = "".join(part + gap.replace("{}", f"{number}") for part, gap in zip(parts, gaps, strict=True))
        try:
            parse(strewn, Limits(), optimize=False)
        except RhaiError:
            continue
        result = formatted(strewn)  # raises if a comment is lost or the tree is another
        assert formatted(result) == result
        assert comments(result) == comments(strewn)


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.rhai")), ids=lambda path: path.name)
def test_the_examples_are_formatted(path: Path) -> None:
    assert formatted(path.read_text()) == path.read_text()


def test_a_long_script_is_formatted_too() -> None:
    source = "let x = f(1, [2, 3], #{ a: |y| { y + 1 } }).g().h();\n" * 400
    assert formatted(source) == source
