"""Errors that the platform's own functions raise in a script. None knows its place: the call that failed gives it."""

from __future__ import annotations

from picloud.rhai.errors import RhaiError, thrown


def refusal(function: str, why: str) -> RhaiError:
    """An error that a script can catch: ``function: why``."""
    return thrown(f"{function}: {why}")
