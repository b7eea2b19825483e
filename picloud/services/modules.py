"""What ``import`` finds: the other scripts of the same app, each in the version that was deployed when the importing
script was; what wasn't there then, in the version that is deployed now.

    import "greetings" as greetings;
    greetings::hello("Anna")

Which version that is stands with the importing script's (``ScriptDeployed.imports``), so that a library which changes
changes nobody until they are deployed again. A module's own imports are the importing script's: in a run each name
means one version. A script needs no route to be imported; one that is disabled takes no calls, but may be imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from picloud.log.contents import get_content
from picloud.postgres.sessions import Sessions
from picloud.services.work import Work

_IMPORTED: Final = """
    SELECT coalesce(
        (
            SELECT imports -> %(name)s ->> 'sha256'
            FROM catalog.versions
            WHERE app = %(app)s AND script = %(script)s AND number = %(version)s
        ),
        (SELECT sha256 FROM catalog.scripts WHERE app = %(app)s AND name = %(name)s)
    )
"""


class Modules:
    """See the module. Scripts can't call it by name: their ``import`` does."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self.functions: dict[str, Callable[..., Any]] = {"source": self.source}

    def source(self, work: Work, name: str) -> str | None:
        """The source of the app's script called ``name``; None if there is none."""
        caller = work.caller
        script = caller.title.partition("/")[2]
        asked = {"app": work.app, "name": name, "script": script, "version": caller.version}
        with self._sessions.session() as connection:
            row = connection.execute(_IMPORTED, asked, prepare=True).fetchone()
            if row is None or row[0] is None:
                return None
            return get_content(connection, row[0]).decode()
