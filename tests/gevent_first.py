"""Loaded by pytest before anything else (see setup.cfg): gevent patches first, as in every process of the platform.

Later would be too late: psycopg's C part decides at its import how it waits.
"""

from gevent import monkey

monkey.patch_all()
