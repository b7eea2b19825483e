"""The language as scripts find it in PiCloud: Rhai with the platform's modules, and ``ctx`` in scope."""

from __future__ import annotations

from typing import Final

from picloud.executor.modules import METHODS, MODULES
from picloud.rhai import Engine, Limits, Module, Registry

VARIABLES: Final = ("ctx",)
"""What is in scope when a script begins."""


def platform_engine(limits: Limits) -> Engine:
    """Return an engine that has the platform's modules."""
    engine = Engine(limits, {name: Module("", Registry(package.natives)) for name, package in MODULES.items()})
    engine.register(METHODS.natives)
    return engine
