"""The language as scripts find it in PiCloud: Rhai with the platform's modules, and ``ctx`` in scope."""

from __future__ import annotations

from typing import Final

from picloud.executor.modules import FUNCTIONS, METHODS, MODULES
from picloud.rhai import Engine, Limits, Module, Registry
from picloud.rhai.cache import ProgramCache

VARIABLES: Final = ("ctx",)
"""What is in scope when a script begins."""


def platform_engine(limits: Limits, cache: ProgramCache | None = None, *, traced: bool = False) -> Engine:
    """Return an engine that has the platform's modules; one for :mod:`picloud.executor.traced` if ``traced``."""
    modules = {name: Module("", Registry(package.natives)) for name, package in MODULES.items()}
    engine = Engine(limits, modules, cache=cache, traced=traced)
    engine.register(METHODS.natives)
    engine.register(FUNCTIONS.natives)
    return engine
