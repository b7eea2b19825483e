"""The standard packages: what a script can call without a host.

One module per family of functions declares them as data (`declare.Package`); `standard` gives them all, for a
registry to take in. `operators` and `comparison` also answer generated code's slow paths. The packages know values,
errors, the registry and what a run offers (limits, budget, calls of function pointers); they must not know the code
generator, and of the parser only what reading JSON needs.
"""

from __future__ import annotations

from collections.abc import Iterator

from picloud.rhai.packages import (
    arithmetic,
    array_functions,
    arrays,
    bitfields,
    blob_numbers,
    blobs,
    iterators,
    json,
    language,
    logic,
    maps,
    mathematics,
    operators,
    pointers,
    reflection,
    sorting,
    splitting,
    strings,
    timestamps,
)
from picloud.rhai.packages.iterators import register_iterators
from picloud.rhai.registry import Native

__all__ = ["register_iterators", "standard"]

_MODULES = (
    arithmetic,
    logic,
    operators,
    mathematics,
    bitfields,
    strings,
    splitting,
    iterators,
    arrays,
    array_functions,
    sorting,
    maps,
    blobs,
    blob_numbers,
    timestamps,
    json,
    pointers,
    reflection,
    language,
)


def standard() -> Iterator[Native]:
    """Give all native functions of the standard packages."""
    for module in _MODULES:
        yield from module.PACKAGE.natives
