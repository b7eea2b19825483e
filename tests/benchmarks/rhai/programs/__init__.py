"""The programs of ``make bench-rhai``: each one in Rhai, and beside it the same one by hand in Python.

Both are written as a user of that language would write them: neither is tuned to its compiler or interpreter, and
neither is held back. The Python one is a function ``run()`` that returns what the Rhai script's value is.
"""
