"""Which events of an app a log trigger may name: what people and the platform change, never the traffic of runs.

Names, not classes: the configuration of triggers is checked by them, and triggers have events themselves. What is told
of a reaction isn't among them, or a trigger could go on for ever by itself.
"""

from __future__ import annotations

from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Final

CONTROL_EVENTS: Final = (
    "ScriptCreated",
    "ScriptDeployed",
    "ScriptRolledBack",
    "ScriptDisabled",
    "ScriptEnabled",
    "ScriptRemoved",
    "RouteAdded",
    "RouteChanged",
    "RouteConfigured",
    "RouteRemoved",
    "TriggerCreated",
    "TriggerChanged",
    "TriggerPaused",
    "TriggerResumed",
    "TriggerRemoved",
    "SecretSet",
    "SecretExpired",
    "SecretRemoved",
    "SettingSet",
    "SettingRemoved",
    "TickSkipped",
    "DeadLettersPurged",
    "MailFailed",
)
"""All of them. What happens to an app as a whole isn't here: its triggers come after it, and go with it."""


def is_matched(pattern: str, event_type: str) -> bool:
    """Whether ``pattern`` (``Route*``) means events of that type."""
    return event_type in CONTROL_EVENTS and fnmatchcase(event_type, pattern)


def meant_by(pattern: str) -> str:
    """A pattern that matches something and is like ``pattern``, which matches nothing; empty if none is like it."""
    word = pattern.strip("*").lower()
    families = {name.lower(): name for name in CONTROL_EVENTS}
    for name in CONTROL_EVENTS:
        family = next(
            start
            for start in ("Script", "Route", "Trigger", "Secret", "Setting", "Tick", "DeadLetters", "Mail")
            if name.startswith(start)
        )
        families[family.lower()] = f"{family}*"
    near = get_close_matches(word, families, n=1)
    return families[near[0]] if near else ""
