"""What ``import`` finds: the other scripts of the same app, each in the version that is deployed.

    import "greetings" as greetings;
    greetings::hello("Anna")

A script needs no route to be imported; one that is disabled takes no calls, but may be imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from picloud.log.contents import get_content
from picloud.postgres.sessions import Sessions
from picloud.services.work import Work

_DEPLOYED: Final = "SELECT sha256 FROM catalog.scripts WHERE app = %s AND name = %s"


class Modules:
    """See the module. Scripts can't call it by name: their ``import`` does."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self.functions: dict[str, Callable[..., Any]] = {"source": self.source}

    def source(self, work: Work, name: str) -> str | None:
        """The source of the app's script called ``name``; None if there is none."""
        with self._sessions.session() as connection:
            row = connection.execute(_DEPLOYED, (work.app, name), prepare=True).fetchone()
            if row is None or row[0] is None:
                return None
            return get_content(connection, row[0]).decode()
