"""PiCloud's own log: events with fields, one a line on standard error."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

from picloud.config import Config

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def configure_logging(config: Config) -> None:
    """Set structlog up as ``config`` says: JSON, or coloured lines for a person at a terminal."""
    for_people = config.log_format == "console" or (config.log_format == "auto" and sys.stderr.isatty())
    renderer: Any
    if for_people:
        # Plain tracebacks: the pretty ones load a terminal library into every worker.
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    else:
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_process,
            *([] if for_people else [structlog.processors.format_exc_info]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[config.log_level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _add_process(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    # Asked each time: workers are forked after this is set up.
    event["pid"] = os.getpid()
    return event
