"""Damage to the sources of the corpora: by token, by character, and one script into another."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Final

CORPUS: Final = Path(__file__).parent.parent / "corpus"
_TOKEN: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`|[A-Za-z_]\w*|\d[\w.]*|\s+|[^\w\s]{1,2}|.', re.DOTALL)
_HOSTILE: Final = (
    "9223372036854775807", "-9223372036854775808", "0", "-1", "1e308", "1e-320", '""', "()", "[]", "#{}", "||",
    "this",
    "|x| x", "..", "..=", "?.", "?[", "??", "**", "<<", "import", "export", "eval", "Fn", "fn", "loop", "throw",
    "exit()",
    "__class__", "\0", "\ud800", "\U0010ffff", "\u202e", "\r", "'", '"', "`", "${", "/*", "*/", "//", "#", "\\", "$",
    "_",
    "{" * 40, "(" * 70, "[" * 70, "-" * 200, "!" * 70, "9" * 400, "a" * 3000, "x.pad(1000000000, 1);", "0x" + "f" * 40,
    "for i in 0..9223372036854775807 {}", "let x = x;", "fn f(x) { f(x) } f(1);", "x += x;", "switch", "if", "else",
)  # fmt: skip


@lru_cache(1)
def sources() -> tuple[str, ...]:
    """The sources of all recorded scripts, each once."""
    found: dict[str, None] = {}
    for path in sorted(CORPUS.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            found.update((json.loads(line)["src"], None) for line in lines)
    return tuple(found)


def mutated(random: Random) -> str:
    """A recorded script with one to five kinds of damage."""
    source = random.choice(sources())
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 5))):
        source = random.choice(_DAMAGES)(random, source)
    return source


def _drop(random: Random, source: str) -> str:
    tokens = _TOKEN.findall(source) or [""]
    start = random.randrange(len(tokens))
    del tokens[start : start + random.choice((1, 1, 2, 5))]
    return "".join(tokens)


def _double(random: Random, source: str) -> str:
    tokens = _TOKEN.findall(source) or [""]
    start = random.randrange(len(tokens))
    part = tokens[start : start + random.choice((1, 2, 5, 20))]
    return "".join(tokens[:start] + part * random.choice((2, 2, 3, 30)) + tokens[start:])


def _swap(random: Random, source: str) -> str:
    tokens = _TOKEN.findall(source) or [""]
    one, other = random.randrange(len(tokens)), random.randrange(len(tokens))
    tokens[one], tokens[other] = tokens[other], tokens[one]
    return "".join(tokens)


def _replace(random: Random, source: str) -> str:
    tokens = _TOKEN.findall(source) or [""]
    foreign = _TOKEN.findall(random.choice(sources())) or [""]
    tokens[random.randrange(len(tokens))] = random.choice(foreign)
    return "".join(tokens)


def _insert(random: Random, source: str) -> str:
    tokens = _TOKEN.findall(source) or [""]
    tokens.insert(random.randrange(len(tokens) + 1), f"{random.choice((' ', ''))}{random.choice(_HOSTILE)} ")
    return "".join(tokens)


def _substitute(random: Random, source: str) -> str:
    tokens = _TOKEN.findall(source) or [""]
    tokens[random.randrange(len(tokens))] = random.choice(_HOSTILE)
    return "".join(tokens)


def _splice(random: Random, source: str) -> str:
    other = random.choice(sources())
    return source[: random.randrange(len(source) + 1)] + other[random.randrange(len(other) + 1) :]


def _follow(random: Random, source: str) -> str:
    return f"{source};\n{random.choice(sources())}"


def _enclose(random: Random, source: str) -> str:
    return random.choice(
        (
            "fn f() {{ {0} }} f()", "loop {{ {0} }}", "let c = || {{ {0} }}; c.call()",
            "try {{ {0} }} catch (e) {{ e }}",
            "if true {{ {0} }}", "for i in 0..20 {{ {0} }}", "[{0}]", "#{{a: {0}}}", "`${{{0}}}`", "eval(`{0}`)",
            "switch 1 {{ 1 => {{ {0} }} }}", "[1, 2, 3].map(|x| {{ {0} }})", "{{ {0} }}", "let r = {0};",
        )
    ).format(source)  # fmt: skip


def _character(random: Random, source: str) -> str:
    at = random.randrange(len(source) + 1)
    strange = random.choice(
        ("\0", "\ud800", "é", "☃", "\U0001f600", "\x7f", "\u2028", chr(random.randrange(0x3000)), "\n")
    )
    return source[:at] + random.choice(("", strange, strange)) + source[at + random.choice((0, 1, 1, 2)) :]


def _flip(random: Random, source: str) -> str:
    if not source:
        return source
    at = random.randrange(len(source))
    return source[:at] + chr((ord(source[at]) ^ (1 << random.randrange(7))) % 0x110000) + source[at + 1 :]


_DAMAGES: Final[tuple[Callable[[Random, str], str], ...]] = (
    _drop, _double, _swap, _replace, _replace, _insert, _insert, _substitute, _splice, _follow, _enclose, _enclose,
    _character, _flip,
)  # fmt: skip
