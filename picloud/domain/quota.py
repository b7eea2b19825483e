"""How much an app may keep in a service: items, and their bytes. What would go beyond is refused at the commit.

Usage is counted exactly, in the same commit that changes it, so two runs can't both take the last byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from picloud.domain.errors import Invalid
from picloud.domain.names import stream_id


@dataclass(frozen=True, slots=True)
class Quota:
    """``items`` and ``bytes`` at most."""

    items: int
    bytes: int


DEFAULTS: Final[dict[str, Quota]] = {
    "docs": Quota(1_000_000, 1024 * 1024 * 1024),
    "files": Quota(100_000, 10 * 1024 * 1024 * 1024),
    "kv": Quota(1_000_000, 256 * 1024 * 1024),
    "users": Quota(100_000, 256 * 1024 * 1024),
}
"""What an app may keep unless it was told otherwise, by service."""


def quota_id(app: str) -> UUID:
    """The stream of an app's quotas."""
    return stream_id("quota", app)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaSet:
    """The app may keep so much in ``service``; None is what every app may."""

    originator_id: UUID
    originator_version: int
    service: str
    items: int | None = None
    bytes: int | None = None


def set_quota(app: str, version: int, service: str, *, items: int | None, size: int | None) -> QuotaSet:
    """Let ``app``, whose quotas' stream has ``version``, keep so much. Raises :class:`Invalid`."""
    if service not in DEFAULTS:
        known = ", ".join(DEFAULTS)
        raise Invalid(f"there is no quota for {service[:60]!r}", field="service", remedy=f"There is one for {known}.")
    for field, value in (("items", items), ("bytes", size)):
        if value is not None and value < 0:
            raise Invalid(f"a quota is 0 or more, not {value}", field=field)
    return QuotaSet(
        originator_id=quota_id(app), originator_version=version + 1, service=service, items=items, bytes=size
    )
