"""How many calls were made, how they ended, and how long they took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from prometheus_client.core import Metric

BUCKETS: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0)
_HELP: Final = "Calls of scripts to the world outside by this process, by class of status or kind of failure"


class Metrics:
    """Counts for one process."""

    def __init__(self) -> None:
        self._counts: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def took(self, outcome: str, seconds: float) -> None:
        """Count a call that ended with ``outcome``: ``2xx`` or a kind of failure."""
        counts = self._counts.setdefault(outcome, [0] * (len(BUCKETS) + 1))
        counts[next((at for at, bound in enumerate(BUCKETS) if seconds <= bound), len(BUCKETS))] += 1
        self._seconds[outcome] = self._seconds.get(outcome, 0.0) + seconds

    def of(self, node: str) -> Metric:
        """The histogram, its values marked with the ``node``'s id: each process counts its own."""
        from prometheus_client.core import HistogramMetricFamily

        family = HistogramMetricFamily("picloud_http_call_seconds", _HELP, labels=["node", "outcome"])
        for outcome, counts in self._counts.items():
            made, buckets = 0, []
            for bound, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
                made += count
                buckets.append((bound, made))
            family.add_metric([node, outcome], buckets, self._seconds[outcome])
        return family
