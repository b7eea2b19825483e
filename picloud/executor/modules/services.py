"""Services behind the door: ``kv::`` and those to come. A call asks the parent, and the run sleeps until the answer.

A new service is one more entry of :data:`SERVICES`: its functions, and how many arguments each may take. What only
writes is *posted* if all that may be wrong with its arguments can be seen here (:data:`POSTED`): then the run goes on
at once, and a write costs no round trip.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from picloud.domain.file import fault_of_path
from picloud.domain.kv import fault_of_key, json_text
from picloud.executor.faults import refusal
from picloud.executor.host import active_run
from picloud.executor.plain import NotPlain, plain, value_of
from picloud.executor.scheduler import CallRefused
from picloud.rhai.errors import thrown
from picloud.rhai.packages.declare import ANY, Package
from picloud.rhai.runtime.run import Run

SERVICES: Final[dict[str, dict[str, tuple[int, ...]]]] = {
    "config": {"get": (1, 2), "all": (0,)},
    "docs": {
        "count": (1, 2),
        "delete": (2, 3),
        "find": (1, 2, 3),
        "get": (2,),
        "insert": (2, 3),
        "page": (1, 2, 3),
        "patch": (3, 4),
        "replace": (3, 4),
    },
    "email": {"send": (1,)},
    "files": {
        "copy": (2,),
        "delete": (1,),
        "exists": (1,),
        "list": (1, 2),
        "metadata": (1,),
        "move": (2,),
        "read": (1, 2),
        "read_text": (1,),
        "write": (2, 3),
    },
    "invoke": {"start": (2, 3), "run": (2, 3)},
    "kv": {
        "append": (2, 3),
        "compare_and_set": (3, 4),
        "delete": (1,),
        "get": (1, 2),
        "get_many": (1,),
        "incr": (1, 2, 3),
        "list": (1,),
        "page": (1, 2),
        "set": (2, 3),
    },
    "queue": {"send": (2, 3)},
    "secrets": {"get": (1,), "live": (1,)},
    "topic": {"publish": (2, 3)},
    "users": {
        "code": (1, 2),
        "create_token": (1, 2),
        "delete": (1,),
        "end_session": (2,),
        "end_sessions": (1,),
        "find": (1,),
        "get": (1,),
        "has_role": (2,),
        "list": (0, 1),
        "register": (2, 3),
        "revoke_token": (2,),
        "send_code": (2,),
        "session": (1,),
        "sessions": (1,),
        "set_password": (2,),
        "sign_in": (2, 3),
        "sign_out": (1,),
        "start_session": (1, 2),
        "token": (1,),
        "tokens": (1,),
        "update": (2,),
        "verify": (2, 3),
        "verify_code": (2, 3),
    },
}


Check = Callable[[list[Any]], str]
"""What is wrong with the arguments of a call, as plain values; empty if nothing is."""


def _key_fault(args: list[Any]) -> str:
    return fault_of_key(args[0])


def _value_fault(args: list[Any]) -> str:
    fault = fault_of_key(args[0])
    if not fault:
        try:
            json_text(args[1])
        except ValueError as error:
            fault = str(error)
    return fault


def _sum_fault(args: list[Any]) -> str:
    return fault_of_key(args[0]) or ("" if type(args[1]) is int else f"an integer is added, not {args[1]!r:.60}")


def _path_fault(args: list[Any]) -> str:
    return fault_of_path(args[0])


def _content_fault(args: list[Any]) -> str:
    return fault_of_path(args[0]) or ("" if isinstance(args[1], str | bytes) else "it takes a string or a blob")


POSTED: Final[dict[tuple[str, str, int], Check]] = {
    ("files", "delete", 1): _path_fault,
    ("files", "write", 2): _content_fault,
    ("kv", "append", 2): _value_fault,
    ("kv", "delete", 1): _key_fault,
    ("kv", "incr", 1): _key_fault,
    ("kv", "incr", 2): _sum_fault,
    ("kv", "set", 2): _value_fault,
}
"""Calls that nobody waits for, with what looks at their arguments: service, function, how many there are."""


def packages() -> dict[str, Package]:
    """A module for each service."""
    made = {}
    for service, functions in SERVICES.items():
        package = made[service] = Package(service)
        for function, counts in functions.items():
            for count in counts:
                check = POSTED.get((service, function, count))
                call = calling(service, function) if check is None else _posting(service, function, check)
                package.function(function, *[ANY] * count, run=True, volatile=True)(call)
    return made


def _posting(service: str, function: str, check: Check) -> Callable[..., Any]:
    def post(run: Run, *arguments: Any) -> None:
        sent = _sent(service, function, arguments)
        fault = check(sent)
        if fault:
            raise refusal(f"{service}::{function}", fault)
        active_run(run).post(service, function, sent)

    return post


def _sent(service: str, function: str, arguments: tuple[Any, ...]) -> list[Any]:
    try:
        return [plain(argument) for argument in arguments]
    except NotPlain as error:
        raise refusal(f"{service}::{function}", f"an argument can't be sent: {error}") from None


def calling(service: str, function: str) -> Callable[..., Any]:
    """What a script calls to ask the parent for ``function`` of ``service``."""

    def call(run: Run, *arguments: Any) -> Any:
        sent = _sent(service, function, arguments)
        try:
            return value_of(active_run(run).call(service, function, sent))
        except CallRefused as error:
            raise thrown(str(error) if error.thrown is None else value_of(error.thrown)) from None

    return call
