"""What generated code leans on while a script runs.

    support.py     all helpers that generated code sees, by the names under which it sees them
    run.py         one run: limits, budget, the way to the host and to functions
    budget.py      operations, handed out as an iterator
    scopes.py      variables by name, for the host and for ``eval``
    calls.py       calls by name, through pointers, as methods
    functions.py   script functions and modules as values
    modules.py     ``import``, ``export``, names with a path
    chains.py      changes through chains of indexes, properties and methods
    indexing.py    elements of the language's own types
    iteration.py   what ``for`` goes through
    ownership.py   who holds a value: copy on write
    sizes.py       limits on the sizes of values
    places.py      where an error happened, read off the traceback
    tracing.py     the steps of a program that is traced
    snapshots.py   what variables hold, as texts, to tell what has changed

Generated code is straight Python for what it can prove or test cheaply; all else is a call into this package: the
slow paths of operators, chains of indexes and properties, calls by name, function pointers, scopes that ``eval`` may
look into, errors and the operations budget. It knows values, errors, limits and the registry; it must not know the
parser or the code generator (``eval`` and ``import`` get their compiler from the engine).
"""
