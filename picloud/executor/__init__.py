"""Where scripts run: caged child processes, the frames they speak, and the pool that keeps them.

In: a :class:`~picloud.executor.protocol.RunRequest`. Out: a :class:`~picloud.executor.protocol.Result`, or
:class:`~picloud.executor.pool.ExecutorDied`. Both sides know ``protocol``. The parent's side, on gevent, is ``pool``,
``executor`` (one child and its runs) and ``process``. The child's is ``child`` (its beginning), ``cage``, ``channel``,
``scheduler``, ``memory``, ``script`` and what that needs: ``context``, ``host``, ``traced``, ``answer``, ``modules``.

The package knows nothing of the log, the database or HTTP: what a script may reach beyond its cage goes through
the ``door`` that the orchestrator gives to the pool. This file imports nothing, so that a child stays small.
"""
