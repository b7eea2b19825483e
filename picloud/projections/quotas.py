"""What apps may keep where that was set, written inline by the append: the next commit goes by it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from picloud.domain.metadata import Metadata
from picloud.domain.quota import QuotaSet


class QuotasChange:
    """What a run of events, in order, does to ``quotas.limits``."""

    __slots__ = ("put",)

    types: ClassVar[tuple[type, ...]] = (QuotaSet,)
    call: ClassVar[str] = "log.change_quotas(%b::text, %b::text[], %b::text[], %b::bigint[], %b::bigint[])"

    def __init__(self) -> None:
        self.put: dict[tuple[str, str], tuple[int | None, int | None]] = {}

    def add(self, event: QuotaSet, metadata: Metadata, at: datetime | None = None) -> None:
        """Fold one more event."""
        self.put[metadata.app, event.service] = event.items, event.bytes

    @staticmethod
    def arguments(changes: Sequence[QuotasChange], store: str | None = None) -> tuple[Any, ...]:
        """See :class:`picloud.projections.inlining.InlineChange`."""
        put = {key: limits for change in changes for key, limits in change.put.items()}
        return (
            store or "quotas",
            [app for app, _ in put],
            [service for _, service in put],
            [items for items, _ in put.values()],
            [size for _, size in put.values()],
        )
