"""Read models: every table that anything reads, each one a function of the log.

A projection has a name, a version, a set of tables in a PostgreSQL schema of its own, and one function from a page of
events to rows. ``Follower`` keeps the tables up with the log, a page per transaction together with the position
reached, so that each event counts exactly once. ``rebuild`` fills a fresh set beside the live one and swaps the two;
the outbox alone is written inline, by the append itself. In come recorded events; out go rows and, with the same
commit, a NOTIFY on ``picloud_<projection>``. The package knows nothing of HTTP, scripts or who reads.
"""
