"""What the pages on services show is what happens, each with an app of its own."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.page import commands, files, play
from tests.acceptance.platform import Platform

PAGES = sorted((Path(__file__).parents[2] / "docs" / "services").glob("*.md"))


@pytest.fixture(scope="module")
def recording(new_folder: Callable[[], Path]) -> Iterator[Platform]:
    """A platform that keeps the journals of all runs."""
    folder = new_folder()
    with Platform(folder, journal="all") as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.skipif(not shutil.which("curl"), reason="the pages use curl")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_shows_what_happens_and_its_runs_repeat_bit_for_bit(
    recording: Platform, tmp_path: Path, page: Path
) -> None:
    assert files(page), f"{page.name} shows no script"
    assert commands(page), f"{page.name} shows no command"
    play(recording, page, tmp_path)
    inspected = 0
    for app in sorted(set(re.findall(r"--app ([a-z][a-z0-9-]*)", page.read_text()))):
        for item in _invocations(recording, app):
            if item["state"] in ("succeeded", "dead"):
                found = recording.api("POST", f"/invocations/{item['id']}/inspection", {}).json
                assert found["exact"], f"{item['script']}: {found['why_not']} {found['notes']}"
                inspected += 1
    assert inspected, f"no run of {page.name} was repeated"


def _invocations(platform: Platform, app: str) -> list[Any]:
    """The app's runs, once the list of them has caught up with what the page did; none if nothing comes."""
    end = time.monotonic() + 10
    while True:
        items = platform.api("GET", f"/apps/{app}/invocations?limit=1000").json["items"]
        if (items and all(item["state"] != "running" for item in items)) or time.monotonic() > end:
            return list(items)
        time.sleep(0.05)
