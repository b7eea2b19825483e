"""docs/rhai-grammar.md says what the lexer and the parser read."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

from picloud.rhai import Engine, Limits, RhaiError
from picloud.rhai.lexer import KEYWORDS, RESERVED_WORDS
from picloud.rhai.parser.operators import PRECEDENCE
from picloud.rhai.parser.statements import _ASSIGNMENTS

PAGE = (Path(__file__).parents[2] / "docs" / "rhai-grammar.md").read_text()
TOKENS = {
    "name": ["a", "b", "list", "x_1", "f"],
    "integer": ["0", "42", "1_000", "0xff"],
    "float": ["1.5", "2e3"],
    "string": ['"s"', '"a\\n"'],
    "character": ["'c'"],
    "characters": ["some text", "$ "],
}
"""Of each token, some."""
CONTROLLED = {"{", "if", "switch", "while", "loop", "do", "for", "try"}
"""What a value does not begin with."""
PROGRAMS = 400


def rules() -> dict[str, Any]:
    """The rules, each as a tree of ("choice" | "row" | "maybe" | "many", parts), terminals in quotes and names."""
    text = "\n".join(re.findall(r"^```ebnf\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
    found = {}
    for rule in re.findall(r"^([a-z-]+) *= (.*(?:\n +.*)*)", text, re.MULTILINE):
        parts = re.findall(r'"[^"]*"|[a-z-]+|[\[\]{}()|]', rule[1])
        found[rule[0]] = choice(parts)
        assert not parts, f"the rule {rule[0]} goes on with {parts}"
    return found


def choice(parts: list[str]) -> Any:
    rows = [row(parts)]
    while parts and parts[0] == "|":
        parts.pop(0)
        rows.append(row(parts))
    return ("choice", rows)


def row(parts: list[str]) -> Any:
    found: list[Any] = []
    while parts and parts[0] not in ("|", "]", "}", ")"):
        part = parts.pop(0)
        kind = {"[": "maybe", "{": "many", "(": "group"}.get(part)
        if kind is None:
            found.append(part)
            continue
        found.append((kind, [choice(parts)]))
        assert parts.pop(0) == {"[": "]", "{": "}", "(": ")"}[part]
    return ("row", found)


def words(part: Any) -> set[str]:
    """Names and terminals that a rule uses."""
    return {part} if isinstance(part, str) else set().union(*map(words, part[1]))


RULES = rules()


def test_every_rule_that_is_used_is_there_and_every_rule_is_used() -> None:
    used = {word for rule in RULES.values() for word in words(rule) if word[0] != '"'}
    assert used - set(RULES) == set(TOKENS)
    assert set(RULES) - used == {"script"}


def test_words_and_signs_are_those_of_the_lexer_and_the_parser() -> None:
    listed = {
        kind: set(re.findall(r"`(\w+)`", line))
        for kind, line in re.findall(r"^(Keywords|Reserved)[^:]*: (.*?)\.$", PAGE, re.DOTALL | re.MULTILINE)
    }
    assert listed == {"Keywords": set(KEYWORDS), "Reserved": set(RESERVED_WORDS)}
    binary = {word[1:-1] for word in words(RULES["binary"])}
    assert binary == set(PRECEDENCE)
    assert {word[1:-1] for word in words(RULES["operator-assign"])} == set(_ASSIGNMENTS)
    table = re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.MULTILINE)
    binds = {sign: int(number) for number, signs in table for sign in re.findall(r"`(\S+)`", signs.replace("\\", ""))}
    assert binds == PRECEDENCE


class Writer:
    """Makes programs up."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def write(self, part: Any, depth: int) -> str:
        """Text that a rule, or a part of one, stands for; short if it is deep."""
        if isinstance(part, str):
            if part[0] == '"':
                return part[1:-1]
            if part in TOKENS:
                return self.random.choice(TOKENS[part])
            if part == "text":
                inner = self.write("value", depth - 3)
                return f"`{self.random.choice(TOKENS['characters'])}${{{inner}}}`"
            text = self.write(RULES[part], depth - 1)
            while part == "value" and text.split()[0] in CONTROLLED:
                text = self.write(RULES[part], depth - 1)
            return text
        kind, parts = part
        if kind == "row":
            return " ".join(filter(None, (self.write(each, depth) for each in parts)))
        if kind == "choice":
            return self.write(self.random.choice(self.shallow(parts) if depth <= 0 else parts), depth)
        if kind == "group":
            return self.write(parts[0], depth)
        times = self.random.randrange(2 if kind == "maybe" else 3) if depth > 0 else 0
        return " ".join(self.write(parts[0], depth - 1) for _ in range(times))

    def shallow(self, parts: list[Any]) -> list[Any]:
        """The choices that need the fewest further rules."""
        ranked = sorted(parts, key=height)
        return [each for each in ranked if height(each) == height(ranked[0])]


HEIGHTS: dict[str, float] = dict.fromkeys(RULES, 99.0)


def height(part: Any) -> float:
    """How many rules deep the shortest text of a part is."""
    if isinstance(part, str):
        return HEIGHTS.get(part, 0.0) if part[0] != '"' else 0.0
    kind, parts = part
    if kind in ("maybe", "many"):
        return 0.0
    return (min if kind == "choice" else max)(map(height, parts))


for _ in range(len(RULES)):
    HEIGHTS.update({name: 1 + height(rule) for name, rule in RULES.items()})


def test_the_parser_takes_what_the_rules_allow() -> None:
    beyond = set(re.findall(r"^\| `([A-Za-z]+)` \|", PAGE.partition("## Beyond")[2], re.MULTILINE))
    engine = Engine(Limits(max_expr_depth=0, max_function_expr_depth=0))
    refused: list[str] = []
    for seed in range(PROGRAMS):
        program = Writer(seed).write(RULES["script"], 14)
        try:
            engine.compile(program)
        except RhaiError as error:
            is_listed = error.kind in beyond and (error.kind != "BadInput" or "'this'" in str(error))
            refused.append("" if is_listed else f"seed {seed}: {error}\n{program}")
    assert not [each for each in refused if each]
    assert len(refused) < PROGRAMS * 2 / 3, f"the parser refused {len(refused)} of {PROGRAMS}"
