"""What scripts may call, one module per service.

A call comes through the orchestrator's door with the run's unit of work (``work``): reads are answered from the run's
own writes first, then from the database; writes are kept in the unit of work and become events that commit together
with the run's outcome, or not at all. A service holds the SQL of its own table and knows nothing of HTTP or executors.
"""
