"""The manager: what one process of the whole platform does for all nodes.

Every node runs a manager process; the one that holds a PostgreSQL advisory lock leads, the others wait for that lock
and take over at once. The leader keeps the projections up with the log, rebuilds those that somebody asks for, fires
schedules, asks for the runs that are owed to dead letters and to events of the platform, carries out replay jobs,
sends mails, purges dead letters, and watches over the nodes. Nothing here is trusted to be the only one: whatever it
writes is fenced by the log or by the tracking rows, so that two leaders, for the moment that a broken connection goes
unseen, do no harm.
"""
