"""How fast Rhai programs run and compile: ``make bench-rhai``, that is ``python -m tests.benchmarks.rhai``.

Each program of ``programs/`` is there twice, in Rhai and by hand in Python; what is told is the ratio of their times.
No test fails for being slow.
"""
