"""Compiled programs on disk: kept for other processes, and never believed when they may not be."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from picloud.rhai import Engine, Limits, RhaiError
from picloud.rhai.cache import ProgramCache
from picloud.rhai.parser import parse

SOURCE = """
fn twice(x) { x * 2 }
let letters = ['a', 'b'];
let make = |y| || twice(y) + letters.len();
make.call(20).call()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for the cache, which isn't there yet."""
    return tmp_path / "programs"


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sources that were compiled in this test, rather than found."""
    compiled: list[str] = []

    def counting(source: str, *limits: Any, **options: Any) -> Any:
        compiled.append(source)
        return parse(source, *limits, **options)

    monkeypatch.setattr("picloud.rhai.engine.parse", counting)
    return compiled


def run(folder: Path, source: str = SOURCE, limits: Limits | None = None) -> Any:
    """Compile and run as a new process would, with nothing in memory."""
    return Engine(limits or Limits(), cache=ProgramCache(folder)).compile(source).run()


def entries(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def test_a_program_is_compiled_once(folder: Path, compilations: list[str]) -> None:
    assert [run(folder), run(folder)] == [42, 42]
    assert compilations == [SOURCE]


def test_another_process_finds_what_this_one_has_compiled(folder: Path, compilations: list[str]) -> None:
    code = "import sys; from tests.rhai.test_cache import *; print(run(Path(sys.argv[1])))"
    ran = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert ran.stdout == "42\n"
    assert run(folder) == 42
    assert compilations == []


def test_an_error_has_its_place_and_calls_in_a_program_from_the_cache(folder: Path) -> None:
    source = "fn f(a) {\n  a[7]\n}\nf([1])"
    messages = []
    for _ in range(2):
        with pytest.raises(RhaiError) as caught:
            run(folder, source)
        messages.append((caught.value.message, [call.function for call in caught.value.call_stack]))
    assert messages[0] == messages[1]
    assert messages[0][1] == ["f"]


def test_a_source_that_does_not_compile_is_not_kept(folder: Path) -> None:
    with pytest.raises(RhaiError):
        run(folder, "let = 1")
    assert entries(folder) == []


def test_other_limits_and_other_functions_of_the_host_are_other_programs(folder: Path, compilations: list[str]) -> None:
    run(folder)
    run(folder, limits=Limits(max_array_size=10))
    engine = Engine(cache=ProgramCache(folder))
    engine.register_fn("twice", lambda x: x, "string")
    engine.compile(SOURCE)
    assert len(compilations) == len(entries(folder)) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: data[:60] + bytes([data[60] ^ 1]) + data[61:],
        lambda data: b"anything at all" * 100,
    ],
)
def test_a_damaged_entry_counts_as_missing(
    folder: Path, compilations: list[str], damage: Callable[[bytes], bytes]
) -> None:
    run(folder)
    (entry,) = entries(folder)
    entry.write_bytes(damage(entry.read_bytes()))
    assert [run(folder), run(folder)] == [42, 42]
    assert len(compilations) == 2, "it is compiled again, and the entry is mended"


def test_an_entry_under_the_name_of_another_counts_as_missing(folder: Path, compilations: list[str]) -> None:
    run(folder, "1")
    (first,) = entries(folder)
    run(folder, "2")
    (second,) = (path for path in entries(folder) if path != first)
    second.write_bytes(first.read_bytes())
    assert run(folder, "2") == 2


def test_an_entry_that_others_may_write_to_is_not_believed(folder: Path, compilations: list[str]) -> None:
    run(folder)
    (entry,) = entries(folder)
    entry.chmod(0o666)
    run(folder)
    assert len(compilations) == 2


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_a_folder_that_others_may_write_to_is_not_used(folder: Path, mode: int) -> None:
    folder.mkdir()
    folder.chmod(mode)
    cache = ProgramCache(folder)
    assert Engine(cache=cache).compile(SOURCE).run() == 42
    assert "others can write to it" in cache.trouble
    assert entries(folder) == []


def test_a_link_in_place_of_the_folder_is_not_followed(folder: Path) -> None:
    elsewhere = folder.with_name("elsewhere")
    elsewhere.mkdir(mode=0o700)
    folder.symlink_to(elsewhere)
    assert run(folder) == 42
    assert entries(elsewhere) == []


def test_a_link_in_place_of_an_entry_is_not_followed(folder: Path, compilations: list[str]) -> None:
    run(folder)
    (entry,) = entries(folder)
    elsewhere = entry.rename(folder.with_name("elsewhere"))
    entry.symlink_to(elsewhere)
    assert run(folder) == 42
    assert len(compilations) == 2


def test_a_folder_that_cannot_be_made_or_is_lost_later_is_no_error(folder: Path) -> None:
    folder.write_text("a file")
    assert run(folder / "programs") == 42
    assert ProgramCache(None).trouble
    folder.unlink()
    cache = ProgramCache(folder)
    folder.rmdir()
    assert Engine(cache=cache).compile(SOURCE).run() == 42


def test_what_was_not_used_for_longest_goes_first(folder: Path, compilations: list[str]) -> None:
    sources = [f"{number}" for number in range(12)]
    run(folder, sources[0])
    size = entries(folder)[0].stat().st_size
    cache = ProgramCache(folder, most_bytes=8 * size)
    for age, source in enumerate(sources):
        Engine(cache=cache).compile(source)
        for entry in entries(folder):
            about = entry.stat()
            os.utime(entry, (about.st_atime, about.st_mtime - 10))
        if age:
            Engine(cache=ProgramCache(folder)).compile(sources[0])  # used all the time
    kept = len(entries(folder))
    assert 3 <= kept <= 10
    compilations.clear()
    run(folder, sources[0])
    run(folder, sources[-1])
    assert compilations == []
    run(folder, sources[1])
    assert compilations == [sources[1]]
