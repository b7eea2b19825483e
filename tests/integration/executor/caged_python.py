"""Pools whose children are the real ones, cage and scheduler included, but run Python instead of Rhai.

So a test can look around inside the cage with everything that Python has. A script is the body of a function of
``run`` (the ActiveRun); what it returns is answered as JSON.
"""

from __future__ import annotations

import hashlib
import json
import textwrap
from collections.abc import Callable
from typing import Any

from picloud.executor import process
from picloud.executor.pool import ExecutorPool
from picloud.executor.protocol import Limits, Result, RunRequest

_BOOT = """
import sys
sys.path[:0] = sys.argv[2].split(':')
import ctypes, errno, json, mmap, os, resource, signal, socket, subprocess, threading, traceback
from picloud.executor import child
from picloud.executor.protocol import Reply
from picloud.executor.scheduler import Outcome

class PythonScripts:
    def warm(self):
        pass

    def run(self, active):
        if active.message.source is None:
            return None
        names = dict(globals())
        exec(active.message.source, names)
        try:
            value = names["script"](active)
        except Exception as error:
            value = {"raised": type(error).__name__, "errno": getattr(error, "errno", None), "message": str(error)}
        return Outcome(reply=Reply(200, [], json.dumps(value).encode()))

child.Scripts = PythonScripts
child.main(int(sys.argv[1]))
"""


def python_command(memory_mb: int) -> list[str]:
    """The command line of a child that runs Python; in the place of ``process.command``."""
    arguments = _COMMAND(memory_mb)
    arguments[arguments.index("-c") + 1] = _BOOT
    return arguments


_COMMAND: Callable[[int], list[str]] = process.command


def python_request(body: str, **limits: int) -> RunRequest:
    """A request to run the function body ``body``."""
    source = "def script(run):\n" + textwrap.indent(textwrap.dedent(body), "    ")
    return RunRequest(
        invocation=hashlib.sha256(body.encode()).hexdigest()[:8],
        sha256=hashlib.sha256(source.encode()).hexdigest(),
        source=lambda: source,
        name="test/python",
        ctx={},
        seed=1,
        now_ms=0,
        limits=Limits(**limits),
    )


def answer(result: Result) -> Any:
    """The JSON that the script answered."""
    assert result.reply is not None, f"the run failed: {result.error}"
    return json.loads(result.reply.body)


def run_python(pool: ExecutorPool, body: str, **limits: int) -> Any:
    """Run ``body`` in the cage and return what it returned."""
    return answer(pool.run(python_request(body, **limits)))
