"""Structured logs. One line per fact, JSON for machines or coloured for a terminal.

Two nets keep secrets out: fields whose name says secret are dropped whatever they hold, and texts
that look like an API key, an e-mail address or a phone number are masked.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

from kit.context import request_id_var, traceparent_var

_SECRET_FIELDS = re.compile(
    r"(secret|token|password|passwd|authorization|api_?key|private|plaintext|card|codes?$|pin$|cookie)",
    re.IGNORECASE,
)
_HARMLESS_FIELDS = frozenset({"code", "error_code", "status_code", "api_key_id", "key_id"})
_API_KEY = re.compile(r"ls[ki]_[A-Za-z0-9_\-.]{6,}")
_EMAIL = re.compile(r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9.\-]+\.[A-Za-z]{2,}")
_PHONE = re.compile(r"(?<![\w\-])\+?\d{2,3}[ \-]?\d{3,4}[ \-]?\d{4,6}(?![\w\-])")


def redact_text(text: str) -> str:
    """`text` with API keys, e-mail addresses and phone numbers masked."""
    text = _API_KEY.sub("ls*_***", text)
    text = _EMAIL.sub("***@***", text)
    return _PHONE.sub("***", text)


def _redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if name not in _HARMLESS_FIELDS and _SECRET_FIELDS.search(name):
            event[name] = "***"
        elif isinstance(value, str) and name not in {"timestamp", "level", "request_id"}:
            event[name] = redact_text(value)
    return event


def _add_context(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if (request_id := request_id_var.get()) is not None:
        event.setdefault("request_id", request_id)
    if (traceparent := traceparent_var.get()) is not None:
        event.setdefault("trace_id", traceparent[3:35])
    return event


def configure_logging(
    service: str, *, log_format: Literal["json", "console"] = "json", level: str = "INFO"
) -> None:
    """Send structlog and the standard library's logging to stderr in one shape."""

    def add_service(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(
            fmt="iso" if log_format == "json" else "%H:%M:%S", utc=True
        ),
        _add_context,
        structlog.processors.format_exc_info,
        _redact,
    ]
    renderer: structlog.typing.Processor
    if log_format == "json":
        shared.append(add_service)
        renderer = structlog.processors.JSONRenderer()
    else:
        # Plain tracebacks: the pretty ones print local variables, which may be secrets.
        renderer = structlog.dev.ConsoleRenderer(
            colors=True, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
        )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("uvicorn.access", "uvicorn.error", "httpx", "httpcore", "asyncio", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It reports every failed connection attempt, 20 a second while a broker is away; relay and
    # consumer say what matters of it.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose lines carry `name`; fields are keywords: log.info("order_paid",
    order_id=...).
    """
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
