"""Platforms for acceptance tests: one that a module shares, and fresh ones."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.platform import Platform


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="picloud-acceptance-"))


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """A running platform that the tests of a module share; each uses an app of its own."""
    folder = _folder()
    with Platform(folder) as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_platform() -> Iterator[Platform]:
    """A running platform of the test's own, to break."""
    folder = _folder()
    with Platform(folder) as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)
