"""The syntax tree to a Python syntax tree.

    nodes.py         Python's nodes, in the few forms that generated code has
    types.py         what is certain of the types of variables and expressions
    emitter.py       values, temporaries, the order of evaluation
    expressions.py   literals, names, operators
    chains.py        properties, indexes, methods, and assignments to them
    calls.py         functions, natives, closures, what the language answers itself
    statements.py    declarations, control flow
    module.py        functions, and the whole
    audit.py         the proof that generated code holds nothing else

Each function, closure and the script's own statements become a Python function; variables of the script become Python
variables under names of our own (``v1``), or cells where a closure captures them. Every node that may fail carries
the place of the Rhai source. The generated module sees no builtins, only the helpers of
:mod:`picloud.rhai.runtime.support`. It must not know how it is run.
"""

from __future__ import annotations

from picloud.rhai.codegen.emitter import Options
from picloud.rhai.codegen.module import FunctionEntry, Generated, generate

__all__ = ["FunctionEntry", "Generated", "Options", "generate"]
