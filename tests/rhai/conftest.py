"""Whatever these tests compile, the code made of it is audited."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rhai.fuzz.auditing import audited


@pytest.fixture(autouse=True, scope="session")
def _audit() -> Iterator[None]:
    with audited():
        yield
