"""What the doctor says of certificate authorities."""

from __future__ import annotations

from pathlib import Path

import pytest

from picloud.config import Config
from picloud.doctor import Severity
from picloud.doctor.egress import authorities


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_of_authorities_that_can_not_be_read_is_wrong(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_text(content)
    (found,) = authorities(Config(egress_authorities=file))
    assert found.severity is Severity.WRONG
    assert str(file) in found.found


def test_without_a_file_the_systems_are_trusted_or_missed() -> None:
    (found,) = authorities(Config())
    assert found.severity in (Severity.GOOD, Severity.WARNING)
    assert "certificate authorities" in found.found
