"""What docs/routes.md shows is what happens."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.acceptance.page import play
from tests.acceptance.platform import Platform

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="the page uses curl and openssl")
def test_the_page_shows_what_happens(platform: Platform) -> None:
    play(platform, ROOT / "docs" / "routes.md", ROOT)
