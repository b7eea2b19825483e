"""One soak, from an empty folder to the verdict."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.acceptance.platform import Platform, free_port
from tests.soak.judge import Judge
from tests.soak.kills import kill
from tests.soak.mix import Accepted, Mix, deploy, told

STUCK_SECONDS: Final = 30.0
"""After the last request something must come to its end within so long, until everything has."""
RECOVERY_SECONDS: Final = 30.0
BETWEEN_KILLS: Final = 120
"""So many requests are accepted between two kills."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a soak came to. ``faults`` is empty if every promise was kept."""

    faults: list[str]
    accepted: Accepted
    kills: Counter[str]
    outcomes: Counter[str]
    events: int


def soak(folder: Path, *, seconds: float, seed: int, mail: bool, say: Callable[[str], None]) -> Verdict:
    """Run the mix for ``seconds`` while parts are killed, wait for quiet, and judge the log."""
    dice = random.Random(seed)
    smtp_port = free_port() if mail else None
    settings = {"smtp_listen": f"127.0.0.1:{smtp_port}"} if mail else {}
    kills: Counter[str] = Counter()
    with Platform(folder, log_level="error", **settings) as platform:
        deploy(platform, mail=mail)
        end = time.monotonic() + seconds
        with Mix(platform, seed=seed, smtp_port=smtp_port) as mix:
            while time.monotonic() < end:
                mix.wait_for(BETWEEN_KILLS, RECOVERY_SECONDS)
                what = kill(platform, dice, mail=mail)
                kills[what] += 1
                say(f"{end - time.monotonic():6.0f} s left; killed {what}; accepted {told(mix.accepted)}")
            mix.wait_for(BETWEEN_KILLS, RECOVERY_SECONDS)
        accepted = mix.accepted
        for name in ("tick", "queued"):
            platform.api("POST", f"/apps/soak/triggers/{name}/pause", {"note": "quiet"})
        judge = _settled(platform.dsn)
    faults = [*judge.faults, *judge.waiting]
    asked, meant = judge.lives.keys(), set(accepted.invocations)
    faults += [f"{stream} was accepted, and is not in the log" for stream in meant - asked]
    mails = judge.mails()
    faults += [f"the mail {mail} was taken {mails[mail]} times" for mail in accepted.mails if mails[mail] != 1]
    return Verdict(faults, accepted, kills, judge.outcomes, judge.position)


def _settled(dsn: str) -> Judge:
    """The judgement once nothing is open any more, or once nothing goes on."""
    fewest, changed = 0, time.monotonic()
    while True:
        judge = Judge().read(dsn)
        if not judge.waiting:
            return judge
        if not fewest or len(judge.waiting) < fewest:
            fewest, changed = len(judge.waiting), time.monotonic()
        if time.monotonic() - changed > STUCK_SECONDS:
            return judge
        time.sleep(0.5)
