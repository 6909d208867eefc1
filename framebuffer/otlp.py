"""Spans to an OpenTelemetry receiver over OTLP/HTTP, from a thread of their own.

Whoever makes spans only appends to a bounded queue: no dispatch and no frame ever waits for the receiver. When it is
gone, or slower than spans are made, spans are dropped and counted; frames are not concerned.

The SDK is the extra `telemetry`; it is imported when an `OtlpSpans` is made and not before.
"""

import logging
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from framebuffer.errors import TelemetryInvalid, TelemetryMissing
from framebuffer.models import http_url
from framebuffer.tracing import Span

if TYPE_CHECKING:
    from framebuffer.otlp_sdk import Exporter

__all__ = [
    "DEFAULT_RATIO",
    "EXPORTED",
    "QUEUE_FULL",
    "RECEIVER",
    "Configured",
    "OtlpSpans",
    "from_environment",
    "traces_url",
]

log = logging.getLogger(__name__)

EXPORTED = "exported"
QUEUE_FULL = "queue_full"
"""Dropped: the receiver is slower than spans are made."""
RECEIVER = "receiver"
"""Dropped: the receiver is gone, or refused them, in spite of several tries."""

DEFAULT_RATIO = 0.01
"""Share of the traces that are recorded, where nothing else is asked for."""

_PATH = "/v1/traces"
_ENDPOINT = "TRIARCH_TELEMETRY__OTLP_ENDPOINT"
_RATIO = "TRIARCH_TELEMETRY__SAMPLE_RATIO"


def traces_url(endpoint: str) -> str:
    """Where traces go: the base URL of a receiver (``http://collector:4318``), or the whole. Raises ValueError."""
    url = http_url(endpoint).rstrip("/")
    return url if url.endswith(_PATH) else url + _PATH


class OtlpSpans:
    """A `SpanSink` that exports to ``endpoint``; start nothing, but ``close`` it: that sends what is left.

    Args:
        service_name: the `service.name` of the spans: `triarch-node`, `camera`, ...
        attributes: more of that kind, such as `service.instance.id`.
        queue_max: spans that wait at most; beyond, new ones are dropped.
        batch_max: spans sent at once; interval_s: how long the first of a batch waits for others at most.
        timeout_s: how long one batch is tried.
        count: told what became of spans (`EXPORTED`, `QUEUE_FULL`, `RECEIVER`, and how many), from any thread.

    Errors: TelemetryMissing; ValueError for what is not an http URL.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        service_name: str,
        attributes: Mapping[str, str] | None = None,
        queue_max: int = 8192,
        batch_max: int = 512,
        interval_s: float = 1.0,
        timeout_s: float = 5.0,
        count: Callable[[str, int], None] | None = None,
    ) -> None:
        resource = {**(attributes or {}), "service.name": service_name}
        self.url = traces_url(endpoint)
        self._exporter = _exporter(self.url, resource, timeout_s)
        self._queue: deque[Span | Callable[[], None]] = deque()
        self._queue_max = queue_max
        self._batch_max = batch_max
        self._interval_s = interval_s
        self._count = count
        self._lock = threading.Lock()
        self._counters: Counter[str] = Counter()
        self._some = threading.Event()
        self._enough = threading.Event()
        self._closing = False
        self._failing = False
        # A daemon: a receiver that hangs must not hold up the end of the process.
        self._thread = threading.Thread(target=self._run, name="otlp-spans", daemon=True)
        self._thread.start()

    def export(self, spans: Sequence[Span], done: Callable[[], None] | None = None) -> None:
        """Queue them; those that find no room are dropped. Takes microseconds, from any thread.

        ``done`` is called from the exporting thread, when these and all before them were sent or dropped.
        """
        with self._lock:
            room = 0 if self._closing else max(0, self._queue_max - len(self._queue))
            self._queue.extend(spans[:room] if room < len(spans) else spans)
            if done is not None:
                self._queue.append(done)
            enough = len(self._queue) >= self._batch_max
        if room < len(spans):
            self._note(QUEUE_FULL, len(spans) - room)
        self._some.set()
        if enough:
            self._enough.set()

    def counters(self) -> Mapping[str, int]:
        """Spans by what became of them; those that still wait are in none."""
        with self._lock:
            return {name: self._counters[name] for name in (EXPORTED, QUEUE_FULL, RECEIVER)}

    def close(self, timeout_s: float = 3.0) -> None:
        """Send what is left, for at most so long; blocks its caller meanwhile. A second call does nothing."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
        self._some.set()
        self._enough.set()
        self._thread.join(timeout_s)
        self._exporter.close()  # ends a try that still goes on

    def _run(self) -> None:
        while True:
            self._some.wait()
            self._enough.wait(self._interval_s)  # for more of them to go together
            closing = self._closing  # looked at before the queue is emptied: nothing is added after it
            self._some.clear()
            self._enough.clear()
            while batch := self._next():
                self._send(batch)
            if closing:
                return

    def _next(self) -> list[Span | Callable[[], None]]:
        with self._lock:
            return [self._queue.popleft() for _ in range(min(self._batch_max, len(self._queue)))]

    def _send(self, batch: list[Span | Callable[[], None]]) -> None:
        spans = [one for one in batch if isinstance(one, Span)]
        if spans:
            self._tried(spans)
        for one in batch:
            if not isinstance(one, Span):
                one()

    def _tried(self, spans: list[Span]) -> None:
        problem = self._exporter.send(spans)
        self._note(RECEIVER if problem else EXPORTED, len(spans))
        if bool(problem) != self._failing:
            self._failing = bool(problem)
            if problem:
                log.warning("spans are dropped: %s takes none (%s); frames are not concerned", self.url, problem)
            else:
                log.warning("spans: %s takes them again; %d were dropped", self.url, self.counters()[RECEIVER])

    def _note(self, what: str, number: int) -> None:
        with self._lock:
            self._counters[what] += number
        if self._count is not None:
            self._count(what, number)


def _exporter(url: str, resource: Mapping[str, str], timeout_s: float) -> "Exporter":
    try:
        from framebuffer.otlp_sdk import Exporter
    except ImportError as error:
        raise TelemetryMissing(str(error)) from None
    return Exporter(url, resource, timeout_s)


class Configured(NamedTuple):
    """What the environment asks for."""

    spans: OtlpSpans
    sample_ratio: float


def from_environment(service_name: str, environment: Mapping[str, str] = os.environ) -> Configured | None:
    """For cameras and processors: the variables that the nodes read too.

    None where `TRIARCH_TELEMETRY__OTLP_ENDPOINT` is not set; `TRIARCH_TELEMETRY__SAMPLE_RATIO` is 0.01 unless set.
    Errors: TelemetryMissing, TelemetryInvalid.
    """
    endpoint = environment.get(_ENDPOINT, "")
    if not endpoint:
        return None
    try:
        ratio = float(environment.get(_RATIO, DEFAULT_RATIO))
    except ValueError:
        raise TelemetryInvalid(_RATIO, "is no number") from None
    if not 0.0 <= ratio <= 1.0:
        raise TelemetryInvalid(_RATIO, f"must be from 0 to 1, is {ratio}")
    try:
        return Configured(OtlpSpans(endpoint, service_name=service_name), ratio)
    except ValueError as error:
        raise TelemetryInvalid(_ENDPOINT, str(error)) from None
