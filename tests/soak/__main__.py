"""``python -m tests.soak [--seconds 600] [--seed 1]``: every kind of trigger, while parts are killed."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.soak.run import soak


def main() -> int:
    """Run one soak; 0 if every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="picloud-soak-"))
    try:
        verdict = soak(folder, seconds=asked.seconds, seed=asked.seed, mail=True, say=print)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{verdict.events:,} events, {len(verdict.accepted.invocations):,} invocations accepted from outside")
    print("killed:", ", ".join(f"{part} {times}" for part, times in verdict.kills.most_common()))
    for outcome, times in sorted(verdict.outcomes.items()):
        print(f"  {outcome:30} {times:>9,}")
    for fault in verdict.faults[:50]:
        print("FAULT:", fault)
    print("every promise was kept" if not verdict.faults else f"{len(verdict.faults)} faults")
    return 1 if verdict.faults else 0


if __name__ == "__main__":
    sys.exit(main())
