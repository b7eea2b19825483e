"""Platforms for acceptance tests: one that a module shares, and fresh ones.

Their data folders are copies of one whose database was made once: what a first start costs is no matter of these tests.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.platform import Platform


@pytest.fixture(scope="session")
def new_folder() -> Iterator[Callable[[], Path]]:
    """Makes data folders of platforms that were started once, and of which nothing was asked yet."""
    seed = _folder()
    with Platform(seed):
        pass
    made = [seed]

    def make() -> Path:
        folder = _folder()
        made.append(folder)
        # With their owners: the database may run as another user than the tests.
        subprocess.run(["cp", "-a", f"{seed}/.", str(folder)], check=True)
        return folder

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="picloud-acceptance-"))


@pytest.fixture(scope="module")
def platform(new_folder: Callable[[], Path]) -> Iterator[Platform]:
    """A running platform that the tests of a module share; each uses an app of its own."""
    folder = new_folder()
    with Platform(folder) as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_platform(new_folder: Callable[[], Path]) -> Iterator[Platform]:
    """A running platform of the test's own, to break."""
    folder = new_folder()
    with Platform(folder) as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)
