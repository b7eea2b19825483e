"""What docs/rhai-tools.md shows is what the tools print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from picloud.cli.commands import picloud
from picloud.rhai import Engine
from picloud.rhai.tools import warnings
from picloud.rhai.tools.terminal import execute

PAGE = Path(__file__).parents[2] / "docs" / "rhai-tools.md"


def shown(command: str) -> str:
    """What the page shows below a command."""
    found = re.search(rf"^\$ {re.escape(command)}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None, f"the page shows no `{command}`"
    return found[1]


def test_an_error_of_the_compiler_is_shown_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sum.rhai").write_text("fn sum(price, count) {\n  let total = price * count\n  return total;\n}\n")
    assert CliRunner().invoke(picloud, ["check", "sum.rhai"]).output == shown("picloud check sum.rhai")


def test_an_error_of_a_run_is_shown_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shop.rhai").write_text("fn count(basket) {\n  basket.lenght()\n}\nprint(count([1, 2]));\n")
    assert execute("shop.rhai", Engine()) == 1
    assert capsys.readouterr().err == shown("python -m picloud.rhai shop.rhai")


def test_every_warning_is_listed() -> None:
    listed = re.findall(r"^\| `([a-z-]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert warnings.__doc__ is not None
    assert listed == re.findall(r"^([a-z]+-?[a-z-]+) {2,}\w", warnings.__doc__, re.MULTILINE)
