"""The control plane's use cases: what a caller may ask to be changed, one module per noun.

Each loads the aggregates, lets the domain decide, appends the events in one commit and returns when the catalog has
caught up with them, so that callers read their own writes. It knows nothing of HTTP or tokens: who asks comes in as
the actor of a ``Command``.
"""

from picloud.orchestrator.control.control import Command, Control, NotCaughtUp

__all__ = ["Command", "Control", "NotCaughtUp"]
