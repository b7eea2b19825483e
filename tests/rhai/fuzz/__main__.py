"""Look for scripts that go wrong, for a given time: ``python -m tests.rhai.fuzz [--seconds 300] [--seed N]``.

Programs of the grammar and damaged scripts take turns. Each finding is printed with its source, and the search goes
on. Ends with status 1 if there was one.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from random import Random, SystemRandom
from time import monotonic

from hypothesis import HealthCheck, Phase, given, seed, settings

from picloud.rhai import Engine
from tests.rhai.fuzz.auditing import audited
from tests.rhai.fuzz.grammar import programs
from tests.rhai.fuzz.mutation import mutated
from tests.rhai.fuzz.verdict import engine, judge

ROUND = 200


class Search:
    """One search, and what it has come upon."""

    def __init__(self, start: int) -> None:
        self.engine: Engine = engine()
        self.endings: Counter[str] = Counter()
        self.findings: set[str] = set()
        self.start = start

    def tried(self, source: str) -> None:
        """Try a script; print what is found, once for each kind of finding."""
        try:
            self.endings[judge(self.engine, source)] += 1
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._found(error, source)

    def _found(self, error: BaseException, source: str) -> None:
        kind = f"{type(error).__name__}: {str(error)[:80]}"
        self.endings["FOUND"] += 1
        if kind not in self.findings:
            self.findings.add(kind)
            print(f"\n--- {kind}\n{source.encode('utf-8', 'backslashreplace').decode()}\n---", flush=True)

    def mutants(self, number: int) -> None:
        """Damaged scripts."""
        for each in range(ROUND):
            self.tried(mutated(Random(f"{self.start}/{number}/{each}")))

    def grammar(self, number: int) -> None:
        """Programs of the grammar."""

        @seed(self.start * 1_000_000 + number)
        @settings(
            max_examples=ROUND // 2,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(programs())
        def run(source: str) -> None:
            self.tried(source)

        run()


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.rhai.fuzz", description="Look for scripts that go wrong.")
    parser.add_argument("--seconds", type=float, default=300.0, help="how long (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1 << 32), help="where to begin")
    given_arguments = parser.parse_args()
    search = Search(given_arguments.seed)
    print(f"seed {given_arguments.seed}", flush=True)
    began, number = monotonic(), 0
    with audited():
        while monotonic() - began < given_arguments.seconds:
            search.mutants(number)
            search.grammar(number)
            number += 1
            if number % 20 == 0:
                print(f"{monotonic() - began:6.0f} s: {sum(search.endings.values())} scripts", flush=True)
    print(f"{sum(search.endings.values())} scripts: {dict(search.endings.most_common())}")
    return 1 if search.findings else 0


if __name__ == "__main__":
    sys.exit(main())
