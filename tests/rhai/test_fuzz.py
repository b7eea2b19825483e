"""No script, however strange, does anything but give a value or an error of the language.

A few seconds' worth; ``make fuzz`` looks for longer.
"""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import HealthCheck, Phase, given, settings

from tests.rhai.fuzz.grammar import programs
from tests.rhai.fuzz.mutation import mutated
from tests.rhai.fuzz.verdict import engine, judge

PROGRAMS, MUTANTS = 150, 600
ENGINE = engine()


def test_any_program_of_the_grammar_ends_in_a_value_or_an_error_of_the_language() -> None:
    endings: Counter[str] = Counter()

    @settings(
        max_examples=PROGRAMS,
        derandomize=True,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(programs())
    def run(source: str) -> None:
        endings[judge(ENGINE, source)] += 1

    run()
    assert endings["value"] + endings["ErrorTooManyOperations"] > PROGRAMS // 5, f"hardly a program ran: {endings}"
    assert endings["parse"] < PROGRAMS // 3, f"many programs are none: {endings}"


def test_any_damaged_script_ends_in_a_value_or_an_error_of_the_language() -> None:
    endings: Counter[str] = Counter()
    for number in range(MUTANTS):
        source = mutated(Random(number))
        try:
            endings[judge(ENGINE, source)] += 1
        except BaseException as error:
            shown = source.encode("utf-8", "backslashreplace").decode()
            raise AssertionError(f"{type(error).__name__}: {error}, number {number}:\n{shown}") from error
    assert endings["value"] > MUTANTS // 20, f"hardly a script ran: {endings}"
