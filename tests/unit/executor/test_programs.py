"""The compiled programs that a child keeps."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from picloud.executor.protocol import Limits, Run
from picloud.executor.script import MOST_PROGRAMS, MOST_SOURCE_CHARACTERS, Programs
from picloud.orchestrator.programs import Programs as KeptPrograms
from picloud.rhai import RhaiError


def run(name: str, source: str | None = None, limits: Limits | None = None) -> Run:
    return Run(1, name, source, "demo/test", {}, limits or Limits(), 0, 0)


def test_a_program_is_compiled_once_and_then_found_by_its_hash() -> None:
    programs = Programs()
    assert programs.program(run("a")) is None
    made = programs.program(run("a", "40 + 2"))
    assert made is not None
    assert programs.program(run("a")) is made
    assert programs.program(run("a", "40 + 2")) is made
    assert made.run() == 42


def test_compiled_code_does_instead_of_the_source(tmp_path: Path) -> None:
    kept = KeptPrograms(tmp_path / "programs", Limits())
    source = "fn twice(x) { x * 2 } twice(21)"
    kept.compile(source)
    sha256 = hashlib.sha256(source.encode()).hexdigest()
    code = KeptPrograms(tmp_path / "programs", Limits()).kept(sha256)
    assert code is not None
    programs = Programs()
    made = programs.program(Run(1, sha256, None, "demo/test", {}, Limits(), 0, 0, code))
    assert made is not None
    assert made.run() == 42
    assert programs.program(run(sha256)) is made
    assert KeptPrograms(tmp_path / "programs", Limits(string_bytes=1)).kept(sha256) is None, "it is for other limits"


def test_each_set_of_limits_has_its_own_program() -> None:
    programs = Programs()
    wide, narrow = Limits(operations=1_000_000), Limits(operations=10)
    source = "let n = 0; for i in 0..100 { n += i } 1"
    made = programs.program(run("a", source, wide))
    assert made is not None
    assert made.run() == 1
    assert programs.program(run("a", None, narrow)) is None
    bounded = programs.program(run("a", source, narrow))
    assert bounded is not None
    with pytest.raises(RhaiError, match="Too many operations"):
        bounded.run()


def test_limits_that_the_language_does_not_know_share_programs() -> None:
    programs = Programs()
    made = programs.program(run("a", "1", Limits(wall_ms=1)))
    assert programs.program(run("a", None, Limits(wall_ms=2))) is made


def test_beyond_the_number_the_one_unused_for_longest_goes() -> None:
    programs = Programs()
    for n in range(MOST_PROGRAMS):
        programs.program(run(str(n), "1"))
    assert programs.program(run("0")) is not None
    programs.program(run("one more", "1"))
    assert programs.program(run("1")) is None
    assert programs.program(run("0")) is not None
    assert programs.program(run("one more")) is not None


def test_beyond_the_size_old_ones_go_but_never_the_newest() -> None:
    programs = Programs()
    programs.program(run("small", "1"))
    programs.program(run("large", "1 //" + " " * MOST_SOURCE_CHARACTERS))
    assert programs.program(run("large")) is not None
    assert programs.program(run("small")) is None


def test_a_source_with_a_mistake_is_not_kept() -> None:
    programs = Programs()
    with pytest.raises(RhaiError):
        programs.program(run("a", "let = 1"))
    assert programs.program(run("a")) is None
