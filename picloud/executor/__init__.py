"""Where scripts run: caged child processes, the frames they speak, and the pool that keeps them.

In: a :class:`~picloud.executor.protocol.RunRequest`. Out: a :class:`~picloud.executor.protocol.Result`, or
:class:`~picloud.executor.pool.ExecutorDied`. ``protocol`` is known to both sides; ``pool`` and ``process`` are the
parent's (gevent); ``child``, ``scheduler``, ``cage``, ``answer``, ``context`` and ``modules`` are the child's.

The package knows nothing of the log, the database or HTTP: what a script may reach beyond its cage goes through
the ``door`` that the orchestrator gives to the pool. This file imports nothing, so that a child stays small.
"""
