"""Closures that make closures: counters, adders and chains of them."""


def adder(amount):
    return lambda value: value + amount


def compose(first, second):
    return lambda value: second(first(value))


def counter(step):
    count = 0

    def step_on():
        nonlocal count
        count += step
        return count

    return step_on


def scaler(factor):
    return lambda row: [value * factor for value in row]


def run():
    add_three = adder(3)
    double = lambda value: value * 2  # noqa: E731 - that is what is measured
    both = compose(add_three, double)
    step_on = counter(5)

    total = 0
    for i in range(100_000):
        total += both(i) - step_on()

    table = []
    for i in range(1, 101):
        table.append(scaler(i))
    row = []
    for i in range(100):
        row.append(i)
    for scale in table:
        total += sum(scale(row))
    return total
