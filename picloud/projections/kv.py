"""Keys and values, written inline by the append: a run that starts after a commit reads what it wrote.

A deleted key keeps its row, with no value, because its version goes on counting.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from picloud.domain.kv import KeyDeleted, KeyWritten
from picloud.domain.metadata import Metadata


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A row of ``kv.entries``. ``value`` is JSON text, None for a deleted key; ``version`` is the stream's."""

    app: str
    key: str
    value: str | None
    version: int


@dataclass(slots=True)
class KvChange:
    """What a run of events, in order, does to the entries."""

    put: dict[tuple[str, str], EntryRow] = field(default_factory=dict)

    def add(self, event: object, metadata: Metadata) -> None:
        """Fold one more event."""
        match event:
            case KeyWritten(originator_version=version, key=key, value=value):
                self.put[metadata.app, key] = EntryRow(metadata.app, key, value, version)
            case KeyDeleted(originator_version=version, key=key):
                self.put[metadata.app, key] = EntryRow(metadata.app, key, None, version)
