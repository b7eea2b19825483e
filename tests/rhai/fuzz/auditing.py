"""All code that is generated while this is on is looked at: :func:`audited`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from picloud.rhai import codegen
from picloud.rhai.codegen.audit import audit
from picloud.rhai.runtime import tracing
from picloud.rhai.runtime.support import HELPERS


@contextmanager
def audited() -> Iterator[None]:
    """Audit each module that the generator makes. Raises :class:`~picloud.rhai.codegen.audit.Unclean` out of it."""
    generate = codegen.generate

    def checked(*arguments: Any, **named: Any) -> Any:
        tree, symbols = generate(*arguments, **named)
        options = arguments[2]
        audit(tree, HELPERS.keys() | tracing.HELPERS if options.traced else HELPERS)
        return tree, symbols

    codegen.generate = checked
    try:
        yield
    finally:
        codegen.generate = generate
