"""Counts to a million."""


def run():
    count = 0
    while count < 1_000_000:
        count += 1
    return count
