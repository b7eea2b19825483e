"""The keys that secrets are sealed with, as far as the log knows them: their ids, and when each came into use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from picloud.domain.names import stream_id

VAULT: Final[UUID] = stream_id("vault")
"""The one stream of these events."""


class VaultError(Exception):
    """A secret can't be sealed or opened here; the message says why, and nothing of the secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultKeyAdded:
    """Secrets are sealed with the key that has this id; who lacks it can't open them. The key itself is a file's."""

    originator_id: UUID
    originator_version: int
    key: str
