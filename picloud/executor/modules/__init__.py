"""What scripts find in PiCloud beside Rhai itself: modules, one Python module each.

Those without a door compute on what they are given and on the run's recorded clock and seed; ``services`` are those
that ask the parent. Each declares its functions as a package of the language; nothing here knows frames or processes.
"""

from __future__ import annotations

from typing import Final

from picloud.executor.modules import (
    crypto,
    csv,
    html,
    http,
    json,
    log,
    random,
    regex,
    reply,
    services,
    steps,
    template,
    time,
    url,
    uuid,
)
from picloud.executor.modules.arguments import explained
from picloud.rhai.packages.declare import Package

_OWN: Final = (crypto, csv, html, http, json, log, random, regex, reply, template, time, url, uuid)

MODULES: Final[dict[str, Package]] = {
    module.PACKAGE.name: explained(module.PACKAGE) for module in _OWN
} | services.packages()
"""The modules by name; each is there without an import."""

METHODS: Final = reply.METHODS
"""Methods on the platform's own types."""

FUNCTIONS: Final = steps.FUNCTIONS
"""What scripts call without a module's name."""
