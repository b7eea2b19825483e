"""The syntax tree to a Python syntax tree.

What is certain:

    types.py           the types of expressions
    shapes.py          the contents of arrays, maps and function pointers
    plans.py           functions, and what is known of them
    inference.py       a whole script, gone through until nothing changes
    call_inference.py  of this, what calls give and what functions get by them
    effects.py         what natives put into arrays and maps, and give
    ranges.py          between which bounds integers are
    sole.py            which variables are the only ones to hold their arrays and maps
    borrowing.py       which functions are lent the value that they are called on
    speculation.py     guesses at parameters of which nothing is certain; they are tested

The generator, a class whose layers stand on each other in this order:

    nodes.py           Python's nodes, in the few forms that generated code has
    emitter.py         values, temporaries, the order of evaluation
    expressions.py     literals, names, operators
    runs.py            elements that statements in a row go down through
    roots.py           where chains begin
    chains.py          properties and indexes, read
    elements.py        assigned to
    methods.py         methods
    inlining.py        small functions, written out where they are called
    calls.py           functions, natives, closures, what the language answers itself
    switches.py        ``switch``
    tracing.py         what statements tell of themselves, in programs that are traced
    statements.py      declarations, control flow
    module.py          functions, and the whole

And audit.py, the proof that generated code holds nothing else.

Each function, closure and the script's own statements become a Python function; variables of the script become Python
variables under names of our own (``v1``), or cells where a closure captures them. Every node that may fail carries
the place of the Rhai source. The generated module sees no builtins, only the helpers of
:mod:`picloud.rhai.runtime.support`. It must not know how it is run.
"""

from __future__ import annotations

from picloud.rhai.codegen.emitter import Options
from picloud.rhai.codegen.module import FunctionEntry, Symbols, generate

__all__ = ["FunctionEntry", "Options", "Symbols", "generate"]
