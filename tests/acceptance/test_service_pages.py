"""What the pages on services show is what happens, each with an app of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.acceptance.page import commands, files, play
from tests.acceptance.platform import Platform

PAGES = sorted((Path(__file__).parents[2] / "docs" / "services").glob("*.md"))


@pytest.mark.skipif(not shutil.which("curl"), reason="the pages use curl")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_shows_what_happens(platform: Platform, tmp_path: Path, page: Path) -> None:
    assert files(page), f"{page.name} shows no script"
    assert commands(page), f"{page.name} shows no command"
    play(platform, page, tmp_path)
