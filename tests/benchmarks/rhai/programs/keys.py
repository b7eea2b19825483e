"""A map of 100,000 keys: filled, changed, searched, thinned out."""


def fill(count):
    stock = {}
    for i in range(count):
        stock[f"article-{i}"] = i % 100
    return stock


def run():
    count = 100_000
    stock = fill(count)

    for i in range(count):
        key = f"article-{i}"
        if stock[key] < 10:
            stock[key] += 50

    missing = 0
    i = 0
    while i < 2 * count:
        if f"article-{i}" not in stock:
            missing += 1
        i += 3

    for key in list(stock):
        if stock[key] > 90:
            del stock[key]

    total = 0
    for amount in stock.values():
        total += amount

    return [len(stock), missing, total]
