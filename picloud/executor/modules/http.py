"""``http::``: calls to the world outside, which the parent makes.

What comes back is a map: ``status``, ``headers``, ``body``, ``url``, ``redirects``, and ``json`` if the answer is JSON.
That is parsed here: what strangers send is for the cage. A call without an answer throws a map with ``kind`` and
``host``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from picloud.executor.context import json_of
from picloud.executor.modules.services import calling
from picloud.rhai.errors import thrown
from picloud.rhai.packages.budget import charge
from picloud.rhai.packages.declare import ANY, Package
from picloud.rhai.runtime.run import Run

PACKAGE: Final = Package("http")
FUNCTIONS: Final[dict[str, tuple[int, ...]]] = {
    "get": (1, 2),
    "delete": (1, 2),
    "post": (1, 2, 3),
    "put": (1, 2, 3),
    "patch": (1, 2, 3),
    "request": (2, 3),
}


def _calling(function: str) -> Callable[..., Any]:
    ask = calling("http", function)

    def call(run: Run, *arguments: Any) -> Any:
        answer = ask(run, *arguments)
        failed = answer.get("failed")
        if failed is not None:
            raise thrown(failed)
        body = answer["body"]
        charge(run, len(body) * 8)
        if type(body) is str:
            answer["json"] = json_of(answer["headers"].get("content-type"), body)
        return answer

    return call


for _name, _counts in FUNCTIONS.items():
    for _count in _counts:
        PACKAGE.function(_name, *[ANY] * _count, run=True, volatile=True)(_calling(_name))
