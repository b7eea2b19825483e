"""``picloud up``: everything that a node needs, started in order, kept alive, and stopped in order.

In: the settings, as environment variables. Out: one process that starts the embedded PostgreSQL (unless the settings
name another), runs the one-time preparation (migrations, owner token) in a short-lived child, then gunicorn, the
manager and, if asked to, the server for mail, and starts each again when it dies.

It must not know what those do, and holds no database connection: a process that is always there has to be small and
asleep. So nothing here but ``prepare`` imports anything beyond the standard library's lighter half.
"""
