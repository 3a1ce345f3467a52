"""Structured logs on standard error; personal data stays out of them unless it is asked for."""

import logging
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from ringdown.config import Settings

#: Numbers, words, digits and tool arguments are logged under keys that begin with this.
PERSONAL = "pii."

_OWN_WORDS = frozenset({"event", "exception", "stack"})

# Libraries that tell every step, with URLs and so with numbers in them; only their warnings are for an operator.
_TALKATIVE = ("aioice", "aiortc", "alembic", "httpcore2", "httpx", "httpx2", "openai", "uvicorn", "websockets")


def configure(settings: Settings) -> None:
    """Set up structlog, and what libraries log through `logging`, for this process."""
    shared = _list_processors(settings)
    structlog.configure(
        processors=[*shared, _choose_renderer(settings)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _choose_renderer(settings)],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=settings.log_level.upper(), force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def drop_personal_data(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Remove every key that begins with `pii.`."""
    return {name: value for name, value in event.items() if not name.startswith(PERSONAL)}


def escape_controls(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape what a terminal would obey in words that somebody else chose; tracebacks have their lines."""
    return {
        name: value.encode("unicode_escape").decode()
        if isinstance(value, str) and name not in _OWN_WORDS and not value.isprintable()
        else value
        for name, value in event.items()
    }


def _list_processors(settings: Settings) -> list[Processor]:
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if not settings.log_personal_data:
        processors.append(drop_personal_data)
    if settings.log_format == "json":
        # Never with local variables: they hold keys, numbers and words.
        plain = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        processors.append(structlog.processors.ExceptionRenderer(plain))
    else:
        processors.append(escape_controls)
    return processors


def _choose_renderer(settings: Settings) -> Processor:
    if settings.log_format == "json":
        return structlog.processors.JSONRenderer(sort_keys=False)
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
