"""Event ingress and dispatch: what takes requests in, gives them to executors and records how they ended.

A ``Node`` is one process's orchestrator, made of greenlets: requests come in through ``Invoker`` (claimed at birth if
there is room), the ``Dispatcher`` takes what waits in the outbox, ``Runner`` runs one attempt and appends its outcome,
and ``Inbox`` hands outcomes to whoever waits, also when another node ran it. The package knows nothing of HTTP.
"""
