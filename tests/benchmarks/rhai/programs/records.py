"""Reads 10,000 orders as JSON, picks and groups them, and writes the totals as JSON."""

import json


def orders_as_json(count):
    regions = ["north", "east", "south", "west"]
    orders = []
    for i in range(count):
        orders.append(
            {
                "id": i,
                "customer": f"customer {i % 97}",
                "region": regions[i % 4],
                "paid": i % 3 != 0,
                "lines": [
                    {"article": "pen", "amount": i % 5, "price": 1.25},
                    {"article": "book", "amount": 1, "price": 9.5},
                ],
            }
        )
    return json.dumps({"orders": orders})


def total(order):
    return sum(line["amount"] * line["price"] for line in order["lines"])


def run():
    orders = json.loads(orders_as_json(10_000))["orders"]

    invoices = [
        {"region": order["region"], "customer": order["customer"], "total": total(order)}
        for order in orders
        if order["paid"]
    ]

    regions = {}
    for invoice in invoices:
        name = invoice["region"]
        if name not in regions:
            regions[name] = {"invoices": 0, "total": 0.0}
        regions[name]["invoices"] += 1
        regions[name]["total"] += invoice["total"]

    large = len([invoice for invoice in invoices if invoice["total"] > 13.0])
    report = json.dumps({"regions": regions, "large": large})
    return json.loads(report)
