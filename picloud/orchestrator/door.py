"""The one door between scripts and services: every service call of a run comes through here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from picloud.executor.pool import ServiceError as RefusedCall
from picloud.executor.protocol import RunRequest
from picloud.orchestrator.messaging import Messaging
from picloud.postgres.sessions import Sessions
from picloud.services.kv import Kv
from picloud.services.modules import Modules
from picloud.services.queues import Queues
from picloud.services.topics import Topics
from picloud.services.work import Caller, ServiceError, Work


class Door:
    """Finds the service, and the unit of work of the run that calls."""

    def __init__(self, sessions: Sessions, messaging: Messaging) -> None:
        self._services: dict[str, dict[str, Callable[..., Any]]] = {
            "kv": Kv(sessions).functions,
            "modules": Modules(sessions).functions,
            "queue": Queues(messaging.send).functions,
            "topic": Topics(messaging.publish).functions,
        }
        self._works: dict[str, Work] = {}

    def add(self, service: str, functions: dict[str, Callable[..., Any]]) -> None:
        """Let scripts call one more service: one that itself needs what runs scripts."""
        self._services[service] = functions

    def open(self, app: str, caller: Caller) -> Work:
        """Begin the unit of work of a run; close it when the run is over."""
        work = self._works[str(caller.invocation)] = Work(app, caller)
        return work

    def close(self, invocation: str) -> None:
        """The run is over: it calls no more."""
        self._works.pop(invocation, None)

    def answer(self, request: RunRequest, service: str, function: str, args: list[Any]) -> Any:
        """The service's answer. Raises the pool's ``ServiceError`` with what the script is to be told."""
        work = self._works.get(request.invocation)
        called = self._services.get(service, {}).get(function)
        if work is None or called is None:
            raise RefusedCall(f"there is no service function {service}::{function}")
        try:
            return called(work, *args)
        except ServiceError as error:
            raise RefusedCall(str(error)) from error
        except TypeError as error:
            raise RefusedCall(f"{service}::{function} doesn't take {len(args)} arguments") from error
        except psycopg.Error as error:
            raise RefusedCall(f"{service}::{function} could not reach the database") from error
