"""Log lines: JSON where a program reads them, text where a person does. Only `__main__` and `cli` configure them.

A line is a change of state or a fault, never a message of a stream: a short event name and fields.
"""

import json
import logging
import sys
from collections.abc import Mapping
from io import TextIOWrapper
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from indexer.configuration import values

_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
)


def configure(level: str, environ: Mapping[str, str], stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's lines from `level` up to `stream` (standard output).

    Colours on a terminal, unless NO_COLOR is set to anything (no-color.org).
    """
    stream = stream or sys.stdout
    if stream.isatty():
        processors = _for_people(colors=not environ.get("NO_COLOR"))
        logger_factory: Any = structlog.PrintLoggerFactory(stream)
    else:
        processors = _for_programs()
        # Bytes go below the text layer: nothing may be left in it, or lines change places.
        stream.flush()
        logger_factory = structlog.BytesLoggerFactory(stream.buffer if isinstance(stream, TextIOWrapper) else None)
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_SHARED, *processors],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=logger_factory,
        cache_logger_on_first_use=True,
    )
    # Libraries speak up only when something is wrong; at debug their chatter would drown ours.
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[_ToStructlog()], force=True)
    logging.captureWarnings(capture=True)


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The processor behind the promise that no password is logged: drivers put URLs into their messages."""
    return {key: _masked(value) for key, value in event.items()}


def _masked(value: Any) -> Any:
    match value:
        case str():
            return values.mask(value)
        case Exception():
            return values.mask(str(value) or type(value).__name__)
        case dict():
            return {key: _masked(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked(item) for item in value]
        case _:
            return value


def _for_people(*, colors: bool) -> list[Processor]:
    console = structlog.dev.ConsoleRenderer(
        colors=colors, timestamp_key="time", pad_event_to=24, exception_formatter=structlog.dev.plain_traceback
    )
    return [structlog.processors.format_exc_info, mask_secrets, console]


def _for_programs() -> list[Processor]:
    return [structlog.processors.format_exc_info, mask_secrets, _in_order, _json]


def _in_order(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Time, level and event name first: people read JSON lines too."""
    head = {key: event.pop(key) for key in ("time", "level", "event") if key in event}
    return {**head, **event}


def _json(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # a lone surrogate or a huge integer, quoted from somebody's data; the line must go out
        return json.dumps(event, default=str).encode("ascii")


class _ToStructlog(logging.Handler):
    """Lines of libraries and of the interpreter (asyncio's unhandled exceptions, warnings) in the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info or None
        )
