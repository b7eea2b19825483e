"""What generated code leans on while a script runs.

Generated code is straight Python for what it can prove or test cheaply; all else is a call into this package: the
slow paths of operators, chains of indexes and properties, calls by name, function pointers, scopes that ``eval`` may
look into, errors and the operations budget. It knows values, errors, limits and the registry; it must not know the
parser or the code generator (``eval`` and ``import`` get their compiler from the engine).
"""
