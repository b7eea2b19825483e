"""docs/rhai-grammar.md says what the lexer and the parser read: no more and no less."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from picloud.rhai import Limits, RhaiError
from picloud.rhai.lexer import KEYWORDS, RESERVED_WORDS, Token, tokens
from picloud.rhai.parser import parse
from picloud.rhai.parser.operators import PRECEDENCE
from picloud.rhai.parser.statements import ASSIGNMENTS

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "rhai-grammar.md").read_text()
TOKENS = {
    "name": ["a", "b", "list", "x_1", "f"],
    "integer": ["0", "42", "1_000", "0xff"],
    "float": ["1.5", "2e3"],
    "string": ['"s"', '"a\\n"', '#"raw"#', "`plain`"],
    "character": ["'c'"],
    "characters": ["some text", "$ "],
}
"""Of each token, some."""
KINDS = {"name": "name", "int": "integer", "float": "float", "str": "string", "char": "character"}
"""What the lexer calls them."""
CONTROLLED = {"{", "if", "switch", "while", "loop", "do", "for", "try"}
"""What a value does not begin with."""
BEHIND_OPEN = {"]", ")", "}", ",", ";", "=>"}
"""What stands behind a range without an end."""
BEYOND = set(re.findall(r"^\| `([A-Za-z]+)` \|", PAGE.partition("## Beyond")[2], re.MULTILINE))
"""Kinds of errors of what the rules allow."""
CHAPTERS = sorted((HERE / "chapters").glob("*.rhai"))
CORPORA = sorted((HERE / "corpus").glob("*.jsonl.gz"))
PROGRAMS, SCRIPTS = 400, 25


def rules() -> dict[str, Any]:
    """The rules, each as a tree of ("choice" | "row" | "maybe" | "many" | "group", parts), terminals in quotes and
    names."""
    text = "\n".join(re.findall(r"^```ebnf\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
    found = {}
    for name, right in re.findall(r"^([a-z-]+) *= (.*(?:\n +.*)*)", text, re.MULTILINE):
        parts = re.findall(r'"[^"]*"|[a-z-]+|[\[\]{}()|]', right)
        found[name] = choice(parts)
        assert not parts, f"the rule {name} goes on with {parts}"
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
    listed = set(re.findall(r"^\| (\w+) \|", PAGE.partition("## Tokens")[2].partition("## ")[0], re.MULTILINE))
    assert listed - {"token", "escapes", "comments"} == set(TOKENS)


def test_words_and_signs_are_those_of_the_lexer_and_the_parser() -> None:
    listed = {
        kind: set(re.findall(r"`(\w+)`", line))
        for kind, line in re.findall(r"^(Keywords|Reserved)[^:]*: (.*?)\.$", PAGE, re.DOTALL | re.MULTILINE)
    }
    assert listed == {"Keywords": set(KEYWORDS), "Reserved": set(RESERVED_WORDS)}
    used = {word[1:-1] for rule in RULES.values() for word in words(rule) if re.match(r'"[A-Za-z]', word)}
    assert set(KEYWORDS) <= used <= set(KEYWORDS | RESERVED_WORDS)
    binary = {word[1:-1] for word in words(RULES["binary"])}
    assert binary == set(PRECEDENCE)
    assert {word[1:-1] for word in words(RULES["operator-assign"])} == set(ASSIGNMENTS)
    table = re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.MULTILINE)
    binds = {sign: int(number) for number, signs in table for sign in re.findall(r"`(\S+)`", signs.replace("\\", ""))}
    assert binds == PRECEDENCE


def refusal(source: str) -> RhaiError | None:
    """The parser's error, if it has one."""
    try:
        parse(source, Limits(max_expr_depth=0, max_function_expr_depth=0), optimize=False)
    except RhaiError as error:
        return error
    return None


def is_beyond(error: RhaiError) -> bool:
    """Whether the page says that the parser refuses this, though the rules allow it."""
    return error.kind in BEYOND and (error.kind != "BadInput" or "'this'" in str(error) or "typo" in str(error))


class Writer:
    """Makes programs up by the rules, as far as these go: it writes no range without an end."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.barred = {'"this"', '"break"', '"continue"'}
        """What may not stand here, for all that the rules say."""

    def write(self, part: Any, depth: int) -> str:
        """Text that a rule, or a part of one, stands for; short if it is deep."""
        if isinstance(part, str):
            return self.named(part, depth)
        kind, parts = part
        if kind == "row":
            return " ".join(filter(None, (self.write(each, depth) for each in parts)))
        if kind == "choice":
            fitting = [each for each in parts if str(each[1][0]) not in self.barred] or parts
            return self.write(self.random.choice(self.shallow(fitting) if depth <= 0 else fitting), depth)
        if kind == "group":
            return self.write(parts[0], depth)
        times = self.random.randrange(2 if kind == "maybe" else 3) if depth > 0 else 0
        return " ".join(self.write(parts[0], depth - 1) for _ in range(times))

    def named(self, part: str, depth: int) -> str:
        if part[0] == '"':
            return part[1:-1]
        if part in TOKENS:
            return self.random.choice(TOKENS[part])
        if part == "open":
            return ""
        if part == "text":
            return f"`{self.random.choice(TOKENS['characters'])}${{{self.write('value', depth - 3)}}}`"
        outside = self.barred
        if part in ("function", "closure"):
            self.barred = outside - {'"this"'} | {"definition", "export", '"break"', '"continue"'}
        elif part in ("while", "loop", "do", "for"):
            self.barred = outside - {'"break"', '"continue"'}
        elif part == "block":
            self.barred = outside | {"definition", "export"}
        text = self.write(RULES[part], depth - 1)
        while part == "value" and text.split()[0] in CONTROLLED:
            text = self.write(RULES[part], depth - 1)
        if part == "leave" and text in ("return", "throw", "break"):
            text += " " + self.write("expression", depth - 2)
        self.barred = outside
        return text

    def shallow(self, parts: list[Any]) -> list[Any]:
        """The choices that need the fewest further rules."""
        least = min(map(height, parts))
        return [each for each in parts if height(each) == least]


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
    refused = 0
    for seed in range(PROGRAMS):
        program = Writer(seed).write(RULES["script"], 14)
        error = refusal(program)
        assert error is None or is_beyond(error), f"seed {seed}: {error}\n{program}"
        refused += error is not None
    assert refused < PROGRAMS / 2, f"the parser refused {refused} of {PROGRAMS}, though for reasons that are listed"


class Reader:
    """Reads tokens by the rules: for each part and place, where the part may end that begins there."""

    def __init__(self, terminals: list[str]) -> None:
        self.terminals = [*terminals, "end"]
        self.known: dict[tuple[str | int, int], Collection[int]] = {}

    def is_whole(self) -> bool:
        return len(self.terminals) - 1 in self.ends("script", 0)

    def ends(self, part: Any, at: int) -> Collection[int]:
        key = (part if isinstance(part, str) else id(part), at)
        if key not in self.known:
            self.known[key] = self.named(part, at) if isinstance(part, str) else self.composed(*part, at)
        return self.known[key]

    def named(self, part: str, at: int) -> Collection[int]:
        here = self.terminals[at]
        if part not in RULES:
            return (at + 1,) if here == part.strip('"') else ()
        if part == "value" and here in CONTROLLED:
            return ()
        found = self.ends(RULES[part], at)
        if part == "open":
            return [end for end in found if self.terminals[end] in BEHIND_OPEN]
        if part == "leave" and found and here != "continue":
            return self.ends("expression", at + 1) or found
        if (part == "operand" and here in ("..", "..=")) or (part == "body" and here == "end"):
            return {at, *found}
        return found

    def composed(self, kind: str, parts: list[Any], at: int) -> Collection[int]:
        if kind == "row":
            found: Collection[int] = {at}
            for part in parts:
                found = {end for begin in found for end in self.ends(part, begin)}
            return found
        once = {end for part in parts for end in self.ends(part, at)}
        if kind in ("choice", "group"):
            return once
        found = {at, *once}
        todo = list(once) if kind == "many" else []
        while todo:
            further = set(self.ends(parts[0], todo.pop())) - found
            found |= further
            todo += further
        return found


def terminals(found: list[Token]) -> list[str]:
    """The tokens, as the rules call them. Those of texts between backticks are taken apart."""
    shown: list[str] = []
    braces: list[int] = []
    """For each text that we are in, how many braces are open in it."""
    for at, (kind, value, *_) in enumerate(found):
        before = found[at - 1][0] if at else ""
        if kind == "end":
            break
        if braces and before == "text":
            shown.append("${")
            braces[-1] = 1
        elif braces and not braces[-1]:
            shown.append("characters")
            if kind == "str":
                shown.append("`")
                braces.pop()
        elif kind == "text":
            shown += ["`", "characters"]
            braces.append(0)
        else:
            if braces:
                braces[-1] += {"{": 1, "#{": 1, "}": -1}.get(kind, 0)
            shown.append(KINDS.get(kind) or (str(value) if kind == "reserved" else kind))
    return shown


def scripts(seeded: random.Random) -> Iterator[str]:
    """Scripts that are whole, and each with a few pieces left out, swapped or put in."""
    collections = [re.sub(r"^//[>=!].*", "", path.read_text(), flags=re.M).split("\n\n") for path in CHAPTERS]
    for path in CORPORA:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            collections.append([str(json.loads(line)["src"]) for line in lines])
    for source in [
        each for collection in collections for each in seeded.sample(collection, min(SCRIPTS, len(collection)))
    ]:
        yield source
        pieces = re.findall(r"\w+|\s+|\$\{|[^\w\s]+?(?=[\w\s]|$)|.", source, re.DOTALL)
        for _ in range(3):
            changed = list(pieces)
            for _ in range(seeded.randrange(1, 4)):
                first, last = sorted(seeded.choices(range(len(changed)), k=2)) if changed else (0, 0)
                change = seeded.randrange(3)
                if change == 0:
                    del changed[first : last if seeded.random() < 0.3 else first + 1]
                elif changed:
                    changed.insert(last, changed.pop(first) if change == 1 else changed[first])
            yield "".join(changed)


def test_the_rules_allow_what_the_parser_takes_and_nothing_else() -> None:
    taken = refused = 0
    for source in scripts(random.Random(1)):
        found = tokens(source)
        error = refusal(source)
        if (found[-3:-2] and found[-3][0] == "error") or (error is not None and is_beyond(error)):
            continue
        is_whole = Reader(terminals(found)).is_whole()
        assert is_whole == (error is None), f"the parser says {error}, the rules {is_whole}:\n{source}"
        taken += is_whole
        refused += not is_whole
    assert min(taken, refused) > 100
