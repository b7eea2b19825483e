"""Services behind the door: ``kv::`` and those to come. A call asks the parent, and the run sleeps until the answer.

A new service is one more entry of :data:`SERVICES`: its functions, and how many arguments each may take.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from picloud.executor.faults import refusal
from picloud.executor.host import active_run
from picloud.executor.plain import NotPlain, plain, value_of
from picloud.executor.scheduler import CallRefused
from picloud.rhai.errors import thrown
from picloud.rhai.packages.declare import ANY, Package
from picloud.rhai.runtime.run import Run

SERVICES: Final[dict[str, dict[str, tuple[int, ...]]]] = {
    "invoke": {"start": (2, 3), "run": (2, 3)},
    "kv": {"get": (1,), "set": (2,), "delete": (1,), "list": (1,)},
    "queue": {"send": (2, 3)},
    "topic": {"publish": (2, 3)},
}


def packages() -> dict[str, Package]:
    """A module for each service."""
    made = {}
    for service, functions in SERVICES.items():
        package = made[service] = Package(service)
        for function, counts in functions.items():
            for count in counts:
                call = _calling(service, function)
                package.function(function, *[ANY] * count, run=True, volatile=True)(call)
    return made


def _calling(service: str, function: str) -> Callable[..., Any]:
    def call(run: Run, *arguments: Any) -> Any:
        try:
            sent = [plain(argument) for argument in arguments]
        except NotPlain as error:
            raise refusal(f"{service}::{function}", f"an argument can't be sent: {error}") from None
        try:
            return value_of(active_run(run).call(service, function, sent))
        except CallRefused as error:
            raise thrown(str(error)) from None

    return call
