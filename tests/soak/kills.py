"""``kill -9`` of one part of a platform after the other, by chance but seeded."""

from __future__ import annotations

import contextlib
import random
from typing import Final

import psutil

from tests.acceptance.platform import Platform

PARTS: Final = ("executor", "worker", "manager", "gunicorn", "postgres", "smtp", "everything")


def kill(platform: Platform, dice: random.Random, *, mail: bool) -> str:
    """Kill something; return what."""
    part = dice.choice([part for part in PARTS if part != "smtp" or mail])
    if part == "everything":
        platform.kill()
        platform.start()
        return part
    victim = dice.choice(platform.some(part))
    family = [victim, *victim.children(recursive=True)] if part == "postgres" else [victim]
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return part
