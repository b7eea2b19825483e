"""The one door between scripts and services: every service call of a run comes through here."""

from __future__ import annotations

from typing import Any

from picloud.executor.pool import ServiceError
from picloud.executor.protocol import RunRequest
from picloud.postgres.sessions import Sessions


class Door:
    """See the module."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def answer(self, request: RunRequest, service: str, function: str, args: list[Any]) -> Any:
        """The service's answer. Raises :class:`ServiceError` for a call that no service takes."""
        raise ServiceError(f"there is no service function {service}::{function}")
