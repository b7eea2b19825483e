"""``random::``: numbers and choices that a replay of the run sees again.

    random::float()              from 0 to below 1
    random::int(low, high)       both included
    random::bool()
    random::pick(array)          one element
    random::shuffle(array)       a new array
    random::string(length)       letters and digits
    random::uuid()               a random UUID as text (RFC 9562 version 4)

They come from the run's recorded seed, so they are no secrets: who knows the seed knows them.
"""

from __future__ import annotations

from random import Random
from typing import Any, Final

from picloud.executor.faults import refusal
from picloud.executor.host import script_host
from picloud.rhai.packages.budget import charge, check_array, check_string
from picloud.rhai.packages.declare import Package
from picloud.rhai.runtime.run import Run

PACKAGE: Final = Package("random")

_SIGNS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def source_of(run: Run) -> Random:
    """The run's random numbers."""
    host = script_host(run)
    if host.random is None:
        host.random = Random(host.active.message.seed)
    return host.random


@PACKAGE.function("float", run=True, volatile=True)
def float_(run: Run) -> float:
    """Return a number from 0 to below 1."""
    return source_of(run).random()


@PACKAGE.function("int", "i64", "i64", run=True, volatile=True)
def int_(run: Run, low: int, high: int) -> int:
    """Return a number from ``low`` to ``high``, both included."""
    if low > high:
        raise refusal("random::int", f"there is no number from {low} to {high}")
    return source_of(run).randint(low, high)


@PACKAGE.function("bool", run=True, volatile=True)
def bool_(run: Run) -> bool:
    """Return true or false."""
    return source_of(run).random() < 0.5


@PACKAGE.function("pick", "array", run=True, volatile=True)
def pick(run: Run, items: list[Any]) -> Any:
    """Return one element."""
    if not items:
        raise refusal("random::pick", "the array is empty")
    return items[source_of(run).randrange(len(items))]


@PACKAGE.function("shuffle", "array", run=True, volatile=True)
def shuffle(run: Run, items: list[Any]) -> list[Any]:
    """Return the elements in another order."""
    check_array(run, len(items))
    charge(run, len(items) * 16)
    shuffled = list(items)
    source_of(run).shuffle(shuffled)
    return shuffled


@PACKAGE.function("string", "i64", run=True, volatile=True)
def string(run: Run, length: int) -> str:
    """Return that many letters and digits."""
    if length < 0:
        raise refusal("random::string", f"a text can't have {length} characters")
    check_string(run, length)
    charge(run, length * 16)
    return "".join(source_of(run).choices(_SIGNS, k=length))


@PACKAGE.function("uuid", run=True, volatile=True)
def uuid(run: Run) -> str:
    """Return a random UUID as text."""
    bits = source_of(run).getrandbits(128)
    bits = bits & ~(0xF000 << 64) & ~(0xC000 << 48) | (4 << 76) | (2 << 62)
    digits = f"{bits:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
