"""The syntax tree to a Python syntax tree.

    nodes.py         Python's nodes, in the few forms that generated code has
    types.py         what is certain of the types of expressions
    shapes.py        what is certain of the contents of arrays, maps and function pointers
    plans.py         what is known of functions
    inference.py     what is certain of a whole script
    effects.py       what natives put into arrays and maps, and give
    speculation.py   guesses at parameters of which nothing is certain
    emitter.py       values, temporaries, the order of evaluation
    expressions.py   literals, names, operators
    roots.py         where chains begin
    chains.py        properties and indexes, read
    elements.py      assigned to
    methods.py       methods
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
from picloud.rhai.codegen.module import FunctionEntry, Symbols, generate

__all__ = ["FunctionEntry", "Options", "Symbols", "generate"]
