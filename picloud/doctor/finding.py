"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is."""

    GOOD = "ok"
    NOTE = "note"
    """Nothing to mend, but good to know."""
    WARNING = "warning"
    """It works, and something is at risk."""
    WRONG = "wrong"
    """It doesn't work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, what was found, and what to do about it (empty if nothing)."""

    severity: Severity
    subject: str
    found: str
    remedy: str = ""

    def to_dict(self) -> dict[str, str]:
        """For JSON."""
        return {
            "severity": self.severity.value,
            "subject": self.subject,
            "found": self.found,
            "remedy": self.remedy,
        }


def good(subject: str, found: str) -> Finding:
    """All is well."""
    return Finding(Severity.GOOD, subject, found)


def note(subject: str, found: str, remedy: str = "") -> Finding:
    """Good to know."""
    return Finding(Severity.NOTE, subject, found, remedy)


def warning(subject: str, found: str, remedy: str) -> Finding:
    """Something is at risk."""
    return Finding(Severity.WARNING, subject, found, remedy)


def wrong(subject: str, found: str, remedy: str) -> Finding:
    """It doesn't work."""
    return Finding(Severity.WRONG, subject, found, remedy)
