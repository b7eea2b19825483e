"""Retry policies, as the API takes and shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from picloud.domain.duration import format_duration, parse_duration
from picloud.domain.invocation import RetryPolicy

MOST_DELAY_MS: Final = 30 * 86_400_000


def retry_policy(given: Mapping[str, Any]) -> RetryPolicy:
    """The policy that ``RetryIn`` describes. Raises :class:`Invalid`."""
    return RetryPolicy(
        attempts=given["attempts"],
        first_delay_ms=parse_duration(given["first"], field="retry.first"),
        factor=given["factor"],
        max_delay_ms=parse_duration(given["max"], field="retry.max", most_ms=MOST_DELAY_MS),
        delays_ms=tuple(
            parse_duration(delay, field=f"retry.delays.{number}", most_ms=MOST_DELAY_MS)
            for number, delay in enumerate(given["delays"])
        ),
        retry_on=tuple(given["on"]),
        deadline_ms=parse_duration(given["deadline"], field="retry.deadline", least_ms=1) if given["deadline"] else 0,
    )


def shown_retry(retry: RetryPolicy) -> dict[str, Any]:
    """The policy as ``RetryOut``."""
    return {
        "attempts": retry.attempts,
        "first": format_duration(retry.first_delay_ms),
        "factor": retry.factor,
        "max": format_duration(retry.max_delay_ms),
        "delays": [format_duration(delay) for delay in retry.delays_ms],
        "on": list(retry.retry_on),
        "deadline": format_duration(retry.deadline_ms) if retry.deadline_ms else None,
    }
