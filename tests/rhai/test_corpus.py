"""The recorded answers of the Rust engine: every script of `corpus/` must give the same answer here, field by field."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from picloud.rhai.scoreboard import answer

HERE = Path(__file__).parent
CORPORA = sorted(path.name.removesuffix(".jsonl.gz") for path in (HERE / "corpus").glob("*.jsonl.gz"))
CLOSURE_NAME = re.compile(r"anon\$[0-9a-f]{16}")
MEANT_SHARE = 0.003  # of all lines


def facts(corpus: str) -> Iterator[dict[str, Any]]:
    with gzip.open(HERE / "corpus" / f"{corpus}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def meant_differences() -> dict[str, str]:
    lines = (HERE / "differences.txt").read_text(encoding="utf-8").splitlines()
    listed = (line.partition(" ") for line in lines if line.strip() and not line.startswith("#"))
    return {identity: reason.strip() for identity, _, reason in listed}


def comparable(value: Any) -> str:
    """Return a field as text, closure names reduced to their form (their digits differ in every process of the Rust
    engine)."""
    return CLOSURE_NAME.sub("anon$", json.dumps(value, ensure_ascii=False, sort_keys=True))


def wrong_fields(expected: dict[str, Any], given: dict[str, Any]) -> list[str]:
    names = {**expected, **given}
    return [name for name in names if comparable(expected.get(name)) != comparable(given.get(name))]


@pytest.mark.parametrize("corpus", CORPORA)
def test_every_script_answers_as_the_rust_engine_did(corpus: str, capsys: pytest.CaptureFixture[str]) -> None:
    meant = meant_differences()
    asked: Counter[str] = Counter()
    right: Counter[str] = Counter()
    unexpected: list[str] = []
    no_longer_different: list[str] = []
    for fact in facts(corpus):
        given = answer(fact["src"])
        wrong = wrong_fields(fact["expect"], given)
        for name in fact["expect"]:
            asked[name] += 1
            right[name] += name not in wrong
        asked["script"] += 1
        right["script"] += not wrong
        if wrong and fact["id"] not in meant:
            unexpected.append(_report(fact, given, wrong))
        if not wrong and fact["id"] in meant:
            no_longer_different.append(fact["id"])
    with capsys.disabled():
        print(f"\n{corpus}: " + ", ".join(f"{name} {right[name]}/{asked[name]}" for name in asked))
    assert not unexpected, f"{len(unexpected)} scripts of {corpus} answer differently:\n" + "\n".join(unexpected[:20])
    assert not no_longer_different, f"listed in differences.txt, yet they answer right: {no_longer_different}"


def test_meant_differences_are_few_known_and_have_a_reason() -> None:
    known = {fact["id"] for corpus in CORPORA for fact in facts(corpus)}
    meant = meant_differences()
    assert not set(meant) - known, "differences.txt lists ids that no corpus has"
    assert all(meant.values()), "each line of differences.txt is an id and a reason"
    assert len(meant) <= MEANT_SHARE * len(known)


def _report(fact: dict[str, Any], given: dict[str, Any], wrong: list[str]) -> str:
    fields = "\n".join(
        f"    {name}: expected {fact['expect'].get(name)!r}\n{' ' * (len(name) + 10)}got {given.get(name)!r}"
        for name in wrong
    )
    return f"{fact['id']}: {fact['src']!r}\n{fields}"
