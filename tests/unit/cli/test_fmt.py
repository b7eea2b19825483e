"""``picloud fmt``: files are formatted in place, or looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from picloud.cli.commands import picloud


def fmt(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(picloud, ["fmt", *map(str, arguments)], input=stdin)


@pytest.fixture
def untidy(tmp_path: Path) -> Path:
    path = tmp_path / "untidy.rhai"
    path.write_text("let x=1;\nx")
    path.chmod(0o640)
    return path


def test_a_file_is_formatted_in_place_with_its_permissions(untidy: Path) -> None:
    result = fmt(untidy)
    assert (result.exit_code, result.stderr) == (0, f"formatted {untidy}\n")
    assert untidy.read_text() == "let x = 1;\nx\n"
    assert untidy.stat().st_mode & 0o777 == 0o640
    assert list(untidy.parent.iterdir()) == [untidy], "nothing is left beside it"


def test_a_file_in_order_is_not_touched(untidy: Path) -> None:
    fmt(untidy)
    before = untidy.stat()
    assert fmt(untidy).output == ""
    assert untidy.stat().st_ino == before.st_ino


def test_a_link_is_followed(untidy: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.rhai"
    link.symlink_to(untidy)
    fmt(link)
    assert link.is_symlink()
    assert untidy.read_text() == "let x = 1;\nx\n"


def test_check_names_what_would_change_and_writes_nothing(untidy: Path) -> None:
    result = fmt("--check", untidy)
    assert (result.exit_code, result.output) == (1, f"{untidy} is to be formatted\n")
    assert untidy.read_text() == "let x=1;\nx"
    fmt(untidy)
    assert fmt("--check", untidy).exit_code == 0


def test_diff_shows_what_would_change_and_writes_nothing(untidy: Path) -> None:
    result = fmt("--diff", untidy)
    assert result.exit_code == 0
    assert "-let x=1;\n" in result.output
    assert "+let x = 1;\n" in result.output
    assert untidy.read_text() == "let x=1;\nx"


def test_standard_input_goes_to_standard_output() -> None:
    assert fmt("-", stdin=b"x+1").output == "x + 1\n"


def test_a_script_that_is_wrong_stays_and_the_others_are_formatted(untidy: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.rhai"
    wrong.write_text("let x = ;")
    result = fmt(wrong, untidy)
    assert result.exit_code == 1
    assert f"{wrong}:1:9: error: " in result.stderr
    assert wrong.read_text() == "let x = ;"
    assert untidy.read_text() == "let x = 1;\nx\n"
