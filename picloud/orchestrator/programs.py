"""Compiled scripts, kept in the data folder from their upload on, for the executors of all processes that come.

A script is compiled when it is uploaded, so that a syntax error is told then and nothing is deployed. What comes of it
is kept; an executor that meets the script for the first time gets the code, so it needn't read the source and compile
it. A script that was uploaded at another node, or before an upgrade, is compiled by the executor itself.

Executors can't put anything here: code that a caged process made is not to run in another one.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from picloud.executor.language import platform_engine
from picloud.executor.protocol import Limits
from picloud.executor.script import language_limits
from picloud.rhai import Engine
from picloud.rhai.cache import ProgramCache


class Programs:
    """See the module."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        """``limits`` are those of the runs: code depends on them."""
        self._folder = folder
        self._limits = limits

    @cached_property
    def _engine(self) -> Engine:
        return platform_engine(language_limits(self._limits), ProgramCache(self._folder))

    def compile(self, source: str) -> None:
        """Compile a script and keep it. Raises :class:`~picloud.rhai.RhaiError`."""
        self._engine.compile(source)

    def kept(self, sha256: str) -> bytes | None:
        """The program of the source with this SHA-256, as the executors' protocol has it; None if it isn't here."""
        return self._engine.kept(sha256)
