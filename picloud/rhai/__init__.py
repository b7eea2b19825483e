"""Rhai 1.26 for Python: a compiler from the language to Python code objects.

    Engine().compile(source).run()

    source → lexer → parser → syntax tree → resolver → codegen → Python code object → Program

The language's own values, errors, limits, standard packages and runtime stand beside that line. A host registers
functions and modules with the engine, hands variables and its hooks to a run, and gets a value or a
:class:`RhaiError`. This package imports the standard library alone and knows nothing of the platform that it is part
of.
"""

from __future__ import annotations

from picloud.rhai.engine import Engine
from picloud.rhai.errors import CallFrame, RhaiError
from picloud.rhai.limits import Limits
from picloud.rhai.program import Constant, Program
from picloud.rhai.registry import ANY, Native, Registry
from picloud.rhai.runtime.functions import Module
from picloud.rhai.runtime.run import DefaultHost, Host, Run
from picloud.rhai.values import Blob, Char, FnPtr, InclusiveRange, Range, Timestamp

__all__ = [
    "ANY",
    "Blob",
    "CallFrame",
    "Char",
    "Constant",
    "DefaultHost",
    "Engine",
    "FnPtr",
    "Host",
    "InclusiveRange",
    "Limits",
    "Module",
    "Native",
    "Program",
    "Range",
    "Registry",
    "RhaiError",
    "Run",
    "Timestamp",
]
