"""What ``time::`` computes with: zones, calendar, patterns, durations. Moments are Unix times in milliseconds.

Pure but for :mod:`~picloud.executor.dates.zones`, whose rules the parent hands over: the cage can't open their files.
Whatever can't be done is a :class:`DateError`, which ``time::`` tells the script under its function's name.
"""
