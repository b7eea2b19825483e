"""``picloud check``: a script is judged without a server, with the place shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from picloud.cli.commands import picloud


def check(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(picloud, ["check", *map(str, arguments)], input=stdin)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.rhai"
    path.write_text("let x = 1;\nx + 1\n")
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.rhai"
    path.write_text("let x = 1;\nlet y = x +;\n")
    return path


def test_a_script_that_compiles_is_ok(good: Path) -> None:
    result = check(good)
    assert (result.exit_code, result.output) == (0, f"{good}: ok\n")


def test_an_error_is_shown_with_its_place_and_a_caret(bad: Path) -> None:
    result = check(bad)
    assert result.exit_code == 1
    first, line, caret = result.output.splitlines()
    assert first.startswith(f"{bad}:2:12: error: ")
    assert line == "  2 | let y = x +;"
    assert caret == "    |            ^"


def test_every_file_is_judged_though_one_is_bad(good: Path, bad: Path) -> None:
    result = check("--json", bad, good)
    assert result.exit_code == 1
    first, second = map(json.loads, result.output.splitlines())
    assert (first["ok"], first["error"]["line"], first["error"]["column"]) == (False, 2, 12)
    assert (second["ok"], second["error"]) == (True, None)


def test_a_script_may_come_from_standard_input() -> None:
    assert check("-", stdin=b"1 + 1").output == "-: ok\n"


def test_a_file_that_is_no_text_is_told_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "binary.rhai"
    path.write_bytes(b"let x = 1;\n\xff")
    result = check(path)
    assert result.exit_code == 1
    assert "is not UTF-8: byte 11, in line 2" in result.output


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = check(tmp_path / "none.rhai")
    assert result.exit_code == 1
    assert "No such file" in result.output


@pytest.mark.parametrize(
    "script", sorted(Path(__file__).resolve().parents[3].glob("examples/*.rhai")), ids=lambda p: p.stem
)
def test_the_examples_compile(script: Path) -> None:
    assert check(script).exit_code == 0


def test_warnings_are_shown_when_asked_for_and_spoil_nothing_unless_strict(tmp_path: Path) -> None:
    path = tmp_path / "unused.rhai"
    path.write_text("let x = ctx.app;\n1\n")
    assert check(path).output == f"{path}: ok\n"
    told = check("--warn", path)
    assert told.exit_code == 0
    assert told.output.splitlines() == [
        f"{path}:1:5: warning: nobody uses `x` [unused-variable]",
        "  1 | let x = ctx.app;",
        "    |     ^",
    ]
    assert check("--strict", path).exit_code == 1
    (line,) = check("--strict", "--json", path).output.splitlines()
    found = json.loads(line)
    assert (found["ok"], found["error"]) == (True, None)
    assert [(warning["code"], warning["line"]) for warning in found["warnings"]] == [("unused-variable", 1)]


def test_warnings_know_the_platform_and_its_modules(tmp_path: Path) -> None:
    path = tmp_path / "kv.rhai"
    path.write_text("kv::gett(ctx.app)")
    assert "did you mean `kv::get`?" in check("--warn", path).output


def test_an_error_comes_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "elif.rhai"
    path.write_text("if true { 1 } elif false { 2 }")
    assert "write `else if`" in check(path).output
    assert json.loads(check("--json", path).output)["error"]["advice"] == ["`elif` is no word of Rhai: write `else if`"]
