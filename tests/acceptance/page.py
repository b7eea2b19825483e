"""A page of the documentation as a test: what it shows is what happens.

Blocks of ``rhai`` whose first line is ``// name.rhai`` are files; blocks of ``console`` hold commands (``$ …``), which
run in one shell, one after the other, and what each prints. ``…`` stands for anything.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final

from tests.acceptance.platform import PICLOUD, Platform

ADDRESS: Final = "http://127.0.0.1:8000"
"""What pages call the platform's address."""
_MARK: Final = "-- end of command --"


def files(page: Path) -> dict[str, str]:
    """The page's scripts by their names, without the line that says it."""
    return dict(re.findall(r"^```rhai\n// ([\w-]+\.rhai)\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE))


def commands(page: Path) -> list[tuple[str, list[str]]]:
    """Each command of the page, with the lines that it is to print."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
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


def play(platform: Platform, page: Path, folder: Path) -> None:
    """Do what the page shows, in ``folder``, and compare. Raises :class:`AssertionError` at the first difference."""
    for name, text in files(page).items():
        (folder / name).write_text(text.replace(ADDRESS, platform.url))
    expected = commands(page)
    script = "".join(f"{command}\necho '{_MARK}'\n" for command, _ in expected)
    done = subprocess.run(
        ["bash"],
        input=script.replace(ADDRESS, platform.url),
        env=platform.environment | {"PATH": f"{PICLOUD.parent}:/usr/bin:/bin"},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    printed = done.stdout.replace(platform.url, ADDRESS).split(f"{_MARK}\n")
    assert len(printed) == len(expected) + 1, done.stdout
    for (command, shown), output in zip(expected, printed, strict=False):
        assert fits(shown, output), f"$ {command}\n{output}\nThe page shows:\n" + "\n".join(shown)
