"""What stands before a route: who may call, how often, and how many at a time.

A :class:`Guard` is made from a route's settings when the node's catalog reads them; a route without settings has none,
and pays nothing. In goes what a request shows, as plain values; out comes who called, or why not. The package knows
nothing of HTTP frameworks: answers are made in ``picloud/http``.
"""

from picloud.orchestrator.guards.caller import Caller, Presented, Refused
from picloud.orchestrator.guards.guard import Guard, Guards

__all__ = ["Caller", "Guard", "Guards", "Presented", "Refused"]
