"""Counts the primes up to a million by the sieve of Eratosthenes.

Slices would strike out the multiples at once in Python; Rhai has nothing like them, so that would be another program.
"""


def count_primes(limit):
    is_prime = [True] * (limit + 1)
    is_prime[0] = False
    is_prime[1] = False

    candidate = 2
    while candidate * candidate <= limit:
        if is_prime[candidate]:
            multiple = candidate * candidate
            while multiple <= limit:
                is_prime[multiple] = False
                multiple += candidate
        candidate += 1

    count = 0
    number = 0
    while number <= limit:
        if is_prime[number]:
            count += 1
        number += 1
    return count


def run():
    return count_primes(1_000_000)
