"""What PiCloud is about, in events and aggregates: apps, scripts, routes, invocations, access.

Commands come in with everything they need (time, ids, randomness) as arguments; events come out. The package knows
nothing of databases, HTTP or clocks: it imports the standard library and ``eventsourcing`` alone. ``catalogue`` lists
every event type under the name that the log keeps.
"""
