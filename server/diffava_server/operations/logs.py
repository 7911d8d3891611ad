"""The log: a line an event on stderr, as key=value or as JSON. Prompts and tokens are never given to it unasked."""

import contextlib
import functools
import logging
import sys
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor

from diffava_server.config import LogFormat
from diffava_server.engine.protocol import Engine, EngineFactory

_FIRST_KEYS = ("timestamp", "level", "event")


def server_log(log_format: LogFormat = "logfmt", stream: TextIO | None = None) -> Any:
    """The server's own logger."""
    return structlog.wrap_logger(
        structlog.PrintLogger(cast(TextIO, _Forgiving(stream or sys.stderr))),
        processors=[*_shared_processors(), _renderer(log_format)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )


def logged(factory: EngineFactory, log_format: LogFormat) -> EngineFactory:
    """The same engine, whose process writes the log of its libraries in the server's form."""
    return functools.partial(_build_logged, factory, log_format)


def take_over_libraries(log_format: LogFormat, stream: TextIO | None = None) -> None:
    """Let what libraries say through Python's own logging come out in the same form, from warnings on."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_shared_processors()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(log_format)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


class _Forgiving:
    """A stream whose lines may be lost: jobs go on where the disk under the log is full, or no one reads it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def _build_logged(factory: EngineFactory, log_format: LogFormat) -> Engine:
    take_over_libraries(log_format)
    return factory()


def _shared_processors() -> list[Processor]:
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _visible,
    ]


def _visible(_logger: Any, _level: str, event: EventDict) -> EventDict:
    """Control characters as escapes: a client's words must not steer the terminal on which they are read."""
    return {key: _escaped(value) if isinstance(value, str) else value for key, value in event.items()}


def _escaped(text: str) -> str:
    return "".join(each if each.isprintable() or each == "\n" else repr(each)[1:-1] for each in text)


def _renderer(log_format: LogFormat) -> Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer()
    return structlog.processors.LogfmtRenderer(key_order=_FIRST_KEYS)
