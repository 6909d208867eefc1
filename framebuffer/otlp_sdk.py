"""The OpenTelemetry SDK, behind what `framebuffer.otlp` needs of it: the only module that imports it."""

import logging
from collections.abc import Mapping, Sequence

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation import set_span_in_context

from framebuffer.tracing import Kind, Span

__all__ = ["Exporter"]

_KINDS: Mapping[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)

# It has a line for each try of each batch; `framebuffer.otlp` says once when the receiver is gone, and when it is back.
logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter").setLevel(logging.CRITICAL)


class _Prescribed(IdGenerator):
    """The ids that our spans have already, as the SDK asks for them."""

    def __init__(self) -> None:
        self.trace_id = 0
        self.span_id = 0

    def generate_span_id(self) -> int:
        return self.span_id

    def generate_trace_id(self) -> int:
        return self.trace_id


class _Ended(SpanProcessor):
    """Collects the SDK's finished spans."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


class Exporter:
    """Sends finished spans. One thread uses it, but for ``close``."""

    def __init__(self, url: str, resource: Mapping[str, str], timeout_s: float) -> None:
        self._ids = _Prescribed()
        self._ended = _Ended()
        provider = TracerProvider(
            sampler=ALWAYS_ON,  # whether a trace is recorded was decided by its producer
            resource=Resource.create(dict(resource)),
            shutdown_on_exit=False,
            id_generator=self._ids,
        )
        provider.add_span_processor(self._ended)
        self._tracer = provider.get_tracer("triarch.framebuffer")
        self._exporter = OTLPSpanExporter(endpoint=url, timeout=timeout_s)

    def send(self, spans: Sequence[Span]) -> str:
        """Try until the receiver took them or the timeout is over; says why it did not, empty when it did."""
        for span in spans:
            self._make(span)
        made, self._ended.spans = self._ended.spans, []
        try:
            result = self._exporter.export(made)
        except Exception as error:  # noqa: BLE001 (whatever it is must not end the thread: the spans count as dropped)
            return f"{type(error).__name__}: {error}"
        return "" if result is SpanExportResult.SUCCESS else "no answer, or a refusal"

    def close(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _make(self, span: Span) -> None:
        self._ids.trace_id, self._ids.span_id = int(span.trace_id, 16), int(span.span_id, 16)
        context = Context()
        if span.parent_span_id is not None:
            parent = SpanContext(self._ids.trace_id, int(span.parent_span_id, 16), is_remote=True, trace_flags=_SAMPLED)
            context = set_span_in_context(NonRecordingSpan(parent), context)
        made = self._tracer.start_span(
            span.name, context, _KINDS[span.kind], attributes=span.attributes, start_time=span.start_ns
        )
        if span.exception:
            what = {"exception.type": span.exception, "exception.message": span.error}
            made.add_event("exception", what, span.end_ns)
        if span.error:
            made.set_status(Status(StatusCode.ERROR, span.error))
        elif span.ok:
            made.set_status(Status(StatusCode.OK))
        made.end(span.end_ns)
