"""The event log: how events get into PostgreSQL, and how they are read back.

In come domain events with their metadata; out come positions, and recorded events in the order of their positions.
``Appender`` commits what is waiting in a process as one transaction (group commit), with the inline projections in the
same call; ``reader`` reads streams, pages and the audit trail; ``Listener`` turns NOTIFY into wake-ups. The package
holds all SQL on the log and knows nothing of HTTP, scripts or who follows.
"""
