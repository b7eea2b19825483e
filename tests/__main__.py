"""``python -m tests``: the whole suite, in two halves side by side, since half of each is waiting.

What is printed of the second half comes when the first has ended. With arguments it is pytest, and they are its own.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

SOAK: Final = "tests/acceptance/test_soak.py"
HALVES: Final = (
    ("tests/acceptance", f"--ignore={SOAK}"),
    ("tests/unit", "tests/integration", "tests/rhai", SOAK),
)
"""The minute of kills is in the second half, which would end sooner otherwise."""


def main(arguments: list[str]) -> int:
    """Run the tests; return pytest's exit code, that of the half that went worse."""
    command = [sys.executable, "-m", "pytest"]
    if arguments:
        return subprocess.call([*command, *arguments])
    with tempfile.TemporaryFile("w+") as later:
        second = subprocess.Popen([*command, *HALVES[1]], stdout=later, stderr=subprocess.STDOUT)
        try:
            first = subprocess.call([*command, *HALVES[0]])
            second.wait()
        finally:
            second.kill()
        later.seek(0)
        sys.stdout.write(later.read())
    return max(first, second.returncode)


def halves_are_all() -> bool:
    """Whether every folder of tests belongs to a half."""
    here = Path(__file__).parent
    folders = {f"tests/{path.parent.relative_to(here).parts[0]}" for path in here.rglob("test_*.py")}
    return folders == {part for half in HALVES for part in half if Path(part).is_dir()}


if __name__ == "__main__":
    assert halves_are_all(), "a folder of tests belongs to no half"
    sys.exit(main(sys.argv[1:]))
