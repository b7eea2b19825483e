"""A script's memory stays under the limit: between two slices it can take so little more that it is ended in time."""

from __future__ import annotations

import subprocess
import sys

import pytest

MEGABYTES = 256
QUICK = [
    "arrays of an array",
    "one array many times, then each its own",
    "strings of wide characters",
    "wide characters replaced",
    "maps copied",
    "recursion with large values",
    "errors that hold values",
    "blobs as arrays",
    "long names",
    "a function's own variables",
]


@pytest.mark.parametrize("name", QUICK)
def test_a_hoarding_script_is_ended_before_it_takes_more_than_its_memory(name: str) -> None:
    child = [sys.executable, "-m", "tests.rhai.hostile.hoard", name, str(MEGABYTES)]
    result = subprocess.run(child, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    ending, resident = result.stdout.split()
    assert ending in ("ended", "ErrorDataTooLarge")
    assert int(resident) < MEGABYTES
