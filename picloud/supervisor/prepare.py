"""``python -m picloud.supervisor.prepare``: what is to be done once before the services start.

Exit codes: 0 done, 1 can't be done, 3 the database can't be reached (so that a later try may help).
"""

from __future__ import annotations

import os
import sys
from typing import Final

import psycopg

from picloud.config import Config
from picloud.orchestrator.bootstrap import ensure_owner_token
from picloud.orchestrator.vault import ensure_vault_key
from picloud.postgres.migrations import MigrationError, migrate
from picloud.projections.installation import install

UNREACHABLE: Final = 3


def prepare_schema(dsn: str) -> list[str]:
    """Bring the database's schema up to the code's: migrations, then missing projections; return what was applied."""
    applied = migrate(dsn)
    install(dsn)
    return applied


def main() -> int:
    """Do it, and say on standard error what went wrong."""
    config = Config.from_environment(os.environ)
    try:
        applied = prepare_schema(config.dsn)
        ensure_owner_token(config.data, config.dsn)
        locked = ensure_vault_key(config.vault_file, config.dsn)
    except psycopg.OperationalError as error:
        print(f"the database can't be reached: {str(error).strip()}", file=sys.stderr)
        return UNREACHABLE
    except (MigrationError, psycopg.Error, OSError) as error:
        print(f"the database can't be prepared: {str(error).strip()}", file=sys.stderr)
        return 1
    for name in applied:
        print(f"applied migration {name}", file=sys.stderr)
    if locked is not None:
        # Everything that needs no secret works all the same.
        print(f"secrets can't be opened: {locked}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
