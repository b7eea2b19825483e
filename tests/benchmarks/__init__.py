"""Measurements, as ratios within one run: ``python -m tests.benchmarks``. No test fails for being slow."""
