"""PiCloud: a lightweight, self-hosted, event-driven serverless platform.

A script in Rhai becomes an HTTP endpoint; everything that happens is an event in one log in PostgreSQL. Data flows one
way: http → orchestrator → log → projections → outbox → executor → log, and nothing imports to its left.
``docs/architecture.md`` tells the whole.

This module is imported by every process, the lightest ones too: it holds the version and imports nothing.
"""

__version__ = "0.1.0"
