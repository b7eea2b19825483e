"""Sorts 100,000 numbers in falling order with a comparator.

With ``reverse=True`` it would be another program: Rhai's ``sort`` takes a comparator and nothing else.
"""

from functools import cmp_to_key


def numbers(count):
    numbers = []
    seed = 42
    for _ in range(count):
        seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
        numbers.append(seed % 1_000_000)
    return numbers


def run():
    items = numbers(100_000)
    items.sort(key=cmp_to_key(lambda a, b: b - a))

    checksum = 0
    for index, number in enumerate(items):
        checksum = (checksum * 31 + number + index) % 1_000_007
    return checksum
