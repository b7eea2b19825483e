"""Whatever a script looks like, the tools say something about it, and never fail themselves."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path

from picloud.rhai import Engine, Limits, RhaiError
from picloud.rhai.tools.advice import advise
from picloud.rhai.tools.completeness import is_complete
from picloud.rhai.tools.formatter import FormatError, formatted
from picloud.rhai.tools.lexemes import lexemes
from picloud.rhai.tools.report import report, report_remark
from picloud.rhai.tools.warnings import warnings

CORPUS = Path(__file__).parent / "corpus"
ODD = [
    "\u202e", "\x1b", "é", "日本", "\t", "`", '"', "'", "/*", "//", '#"', "\\", "\r", "${", "elif", "and", ";",
    "}", "{", "(", ")", "|", "||", "fn ", "::", "null", "..", "5.", "=>", "let ", "#{",
]  # fmt: skip


def mutilated(chance: random.Random, count: int) -> Iterator[str]:
    with gzip.open(CORPUS / "language.jsonl.gz", "rt", encoding="utf-8") as lines:
        sources = [str(json.loads(line)["src"]) for line in lines]
    for _ in range(count):
        parts = [lexeme.text for lexeme in lexemes(chance.choice(sources))]
        for _ in range(chance.choice((1, 1, 2, 4))):
            at = chance.randrange(len(parts))
            parts[at : at + chance.randrange(2)] = [] if chance.random() < 0.3 else [chance.choice(ODD)]
            parts = parts or [""]
        text = chance.choice((" ", "\n")).join(parts)
        yield text[: chance.randrange(len(text) + 1)] if chance.random() < 0.2 else text


def test_no_tool_fails_on_a_mutilated_script() -> None:
    engine = Engine(Limits(max_operations=10_000))
    told = compiled = kept = 0
    for source in mutilated(random.Random(11), 1_000):
        is_complete(source)
        try:
            remarks = warnings(source, engine)
        except RhaiError as error:
            told += bool(report(error, {"": source}, "a.rhai", advice=advise(error, source, engine)))
            continue
        compiled += 1
        for remark in remarks:
            assert report_remark(remark, source, "a.rhai")
        try:
            kept += formatted(formatted(source)) == formatted(source)
        except FormatError:
            continue
    assert told > 300
    assert kept > 0.98 * compiled > 100
