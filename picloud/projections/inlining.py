"""What the append itself writes beside events, the outbox apart: which change each type of event belongs to.

An inline projection that holds what services keep has a change: a class that takes in events, and says which function
of the database does to its tables what they do. The append calls these functions in its one statement, behind
``log.append``; a rebuild calls the same ones with pages of the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Final, Protocol

from picloud.domain.metadata import Metadata
from picloud.projections.docs import DocsChange
from picloud.projections.files import FilesChange
from picloud.projections.kv import KvChange
from picloud.projections.quotas import QuotasChange
from picloud.projections.users import UsersChange


class InlineChange(Protocol):
    """What events, in order, do to the tables of one inline projection.

    ``call`` is the call of the database's function, with a place for each of what ``arguments`` gives.
    """

    types: ClassVar[tuple[type, ...]]
    call: ClassVar[str]

    def add(self, event: Any, metadata: Metadata, at: datetime | None = None) -> None:
        """Fold one more event; ``at`` is its time in a rebuild, None in the append that is about to give it one."""

    @staticmethod
    def arguments(changes: Sequence[Any], store: str | None = None) -> tuple[Any, ...]:
        """What the function takes for these changes, one behind the other.

        ``store`` is the schema that a rebuild fills; None are the live tables.
        """


KINDS: Final[tuple[type[InlineChange], ...]] = (QuotasChange, KvChange, DocsChange, UsersChange, FilesChange)
"""In the order in which the append calls them."""

CHANGES: Final[dict[type, type[InlineChange]]] = {event: kind for kind in KINDS for event in kind.types}
"""The change that takes in each type of event."""
