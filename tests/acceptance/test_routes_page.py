"""What docs/routes.md shows is what happens: its commands are run in one shell, one after the other."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.platform import PICLOUD, Platform

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "routes.md"
MARK = "-- end of command --"


def commands() -> list[tuple[str, list[str]]]:
    """Each command of the page, with the lines that it is to print."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif found[-1][0].endswith("\\"):
                found[-1] = (f"{found[-1][0]}\n{line}", [])
            else:
                found[-1][1].append(line)
    return found


def fits(shown: list[str], printed: str) -> bool:
    """Whether the page's lines describe what was printed; ``…`` is anything, and columns are as wide as they like."""
    parts = [r"\s+".join(re.escape(word) for word in line.split()).replace("…", ".*") for line in shown]
    return re.fullmatch(r"\s*".join(parts), printed.strip(), re.DOTALL) is not None


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="the page uses curl and openssl")
def test_the_page_shows_what_happens(platform: Platform) -> None:
    expected = commands()
    script = "".join(f"{command}\necho '{MARK}'\n" for command, _ in expected)
    done = subprocess.run(
        ["bash"],
        input=script.replace("http://127.0.0.1:8000", platform.url),
        env=platform.environment | {"PATH": f"{PICLOUD.parent}:/usr/bin:/bin"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    printed = done.stdout.replace(platform.url, "http://127.0.0.1:8000").split(f"{MARK}\n")
    assert len(printed) == len(expected) + 1, done.stdout
    for (command, shown), output in zip(expected, printed, strict=False):
        assert fits(shown, output), f"$ {command}\n{output}\nThe page shows:\n" + "\n".join(shown)
