"""Everything at once, while everything is killed: ``python -m tests.soak --seconds 600``.

``mix`` makes the load, ``kills`` ends processes, ``judge`` reads the log alone and says whether the promises were kept.
None of them knows the others.
"""
