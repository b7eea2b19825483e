"""``time::``: the run's clock.

    time::now()        Unix time in milliseconds
    time::iso()        the same as text: 2026-05-01T12:00:00.000Z
    time::iso(ms)      any Unix time in milliseconds as text
    time::parse(text)  Unix time in milliseconds of such a text, with Z or an offset

The clock stands still during a run: it is the moment at which the run began, kept with the run, so that a replay sees
the same. To measure how long something takes there is Rhai's own ``timestamp()``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from picloud.executor.faults import refusal
from picloud.executor.host import active_run
from picloud.rhai.packages.declare import Package
from picloud.rhai.runtime.run import Run

PACKAGE: Final = Package("time")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@PACKAGE.function("now", run=True, volatile=True)
def now(run: Run) -> int:
    """Return the run's Unix time in milliseconds."""
    return active_run(run).message.now_ms


@PACKAGE.function("iso", run=True, volatile=True)
def iso_now(run: Run) -> str:
    """Return the run's time as text."""
    return iso(active_run(run).message.now_ms)


@PACKAGE.function("iso", "i64")
def iso(milliseconds: int) -> str:
    """Return a Unix time as text (RFC 3339, in UTC)."""
    try:
        moment = _EPOCH + milliseconds * _MILLISECOND
    except OverflowError:
        raise refusal("time::iso", f"{milliseconds} ms is no year from 1 to 9999") from None
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


@PACKAGE.function("parse", "string")
def parse(text: str) -> int:
    """Return the Unix time in milliseconds that a text says."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise refusal("time::parse", f"{text[:60]!r} isn't like 2026-05-01T12:00:00Z") from None
    if moment.tzinfo is None:
        raise refusal("time::parse", f"{text!r} has neither Z nor an offset")
    return (moment - _EPOCH) // _MILLISECOND
