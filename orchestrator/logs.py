"""A node's log on stderr: a line a record, as text or as JSON (`node.log_format`).

    with about(execution="e-1", trace=trace_id, component="press-1"):
        log.info("sent")        # as JSON it says of what; text lines stay as they are

A line of JSON has `time` (UTC), `level`, `logger`, `node` and `message`; `epoch` while the node leads; `execution`,
`trace` and `component` where the code that logs is about one; `exception` with its traceback. Everything is bounded, so
that one record cannot fill a disk.
"""

import json
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from orchestrator.config import NodeSettings

__all__ = [
    "EXCEPTION_CHARS_MAX",
    "MESSAGE_CHARS_MAX",
    "RECENT",
    "JsonLines",
    "RecentLines",
    "about",
    "subject",
    "to_stderr",
]

MESSAGE_CHARS_MAX = 8_192
EXCEPTION_CHARS_MAX = 16_384
SUBJECT_CHARS_MAX = 200
RECENT_LINES, RECENT_CHARS_MAX = 1_000, 2_000
PACKAGES = ("cluster", "framebuffer", "orchestrator")

_subject: ContextVar[Mapping[str, str]] = ContextVar("subject of the log", default={})  # noqa: B039 (never altered)


@contextmanager
def about(*, execution: str | None = None, trace: str | None = None, component: str | None = None) -> Iterator[None]:
    """What is logged within concerns these; what is not given stays as it is outside. Tasks made within inherit it."""
    given = {"execution": execution, "trace": trace, "component": component}
    said = {name: value[:SUBJECT_CHARS_MAX] for name, value in given.items() if value}
    token = _subject.set({**_subject.get(), **said})
    try:
        yield
    finally:
        _subject.reset(token)


def subject() -> Mapping[str, str]:
    """What is logged here is about this: `execution`, `trace`, `component`, where they are known."""
    return _subject.get()


class JsonLines(logging.Formatter):
    """Each record as one line of JSON. `epoch` says under which one this node leads, None while it does not."""

    def __init__(self, node_id: str, epoch: Callable[[], object | None]) -> None:
        super().__init__()
        self._node_id = node_id
        self._epoch = epoch

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "node": self._node_id,
        }
        if (epoch := self._epoch()) is not None:
            line["epoch"] = str(epoch)
        line |= subject()
        line["message"] = _bounded(record.getMessage(), MESSAGE_CHARS_MAX)
        if record.exc_info:
            line["exception"] = _bounded(self.formatException(record.exc_info), EXCEPTION_CHARS_MAX)
        return json.dumps(line, ensure_ascii=False)


class RecentLines(logging.Handler):
    """The last `RECENT_LINES` lines in memory, each bounded: two megabytes at most. What is no Unicode is escaped."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=RECENT_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            # Half surrogates, of bytes that are no UTF-8, could not be sent; stderr escapes them alike.
            line = self.format(record).encode("utf-8", "backslashreplace").decode()
            self._lines.append(_bounded(line, RECENT_CHARS_MAX))
        except (TypeError, ValueError):  # a message that does not fit its arguments: as logging's own handlers do
            self.handleError(record)

    def lines(self) -> list[str]:
        """The newest last."""
        return list(self._lines)


RECENT = RecentLines()
"""Of this process, once `to_stderr` was called: for whoever asks the node for its log."""


def to_stderr(settings: NodeSettings, *, epoch: Callable[[], object | None] = lambda: None) -> None:
    """From now on this process logs as `settings` ask for. Libraries are heard from warnings on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(settings.id, epoch) if settings.log_format == "json" else _text(settings.id))
    root = logging.getLogger()
    RECENT.setFormatter(handler.formatter)
    root.handlers[:] = [handler, RECENT]
    root.setLevel(logging.WARNING)
    for package in PACKAGES:
        logging.getLogger(package).setLevel(settings.log_level.upper())


def _text(node_id: str) -> logging.Formatter:
    """With the node's id, in UTC."""
    form = logging.Formatter(f"%(asctime)s.%(msecs)03dZ {node_id} %(levelname)s %(name)s: %(message)s")
    form.converter = time.gmtime
    form.datefmt = "%Y-%m-%dT%H:%M:%S"
    return form


def _bounded(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"
