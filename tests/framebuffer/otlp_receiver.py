"""A receiver of OTLP over HTTP: it decodes what is sent to it, as a collector does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Received(NamedTuple):
    """A span as it arrived; ids in hex, `parent_id` empty for a root."""

    name: str
    service: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    start_ns: int
    end_ns: int
    attributes: dict[str, Any]
    failed: bool
    ok: bool
    exceptions: list[dict[str, Any]]
    """The attributes of each exception that was recorded."""


class OtlpReceiver:
    """`answer` is the status that it gives to whatever comes."""

    def __init__(self) -> None:
        self.answer = 200
        self.requests = 0
        self._lock = threading.Lock()
        self._spans: list[Received] = []
        self.url = ""

    @property
    def spans(self) -> list[Received]:
        with self._lock:
            return list(self._spans)

    def named(self, name: str) -> list[Received]:
        return [span for span in self.spans if span.name == name]

    def orphans(self) -> list[Received]:
        """Spans whose parent never arrived."""
        known = {(span.trace_id, span.span_id) for span in self.spans}
        return [span for span in self.spans if span.parent_id and (span.trace_id, span.parent_id) not in known]

    def parent(self, span: Received) -> Received:
        (found,) = [one for one in self.spans if (one.trace_id, one.span_id) == (span.trace_id, span.parent_id)]
        return found

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        with self._lock:
            for resource in request.resource_spans:
                service = _attributes(resource.resource.attributes)["service.name"]
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        self._spans.append(
                            Received(
                                span.name,
                                service,
                                span.trace_id.hex(),
                                span.span_id.hex(),
                                span.parent_span_id.hex(),
                                span.kind,
                                span.start_time_unix_nano,
                                span.end_time_unix_nano,
                                _attributes(span.attributes),
                                span.status.code == 2,
                                span.status.code == 1,
                                [_attributes(event.attributes) for event in span.events if event.name == "exception"],
                            )
                        )

    @contextmanager
    def running(self) -> Iterator["OtlpReceiver"]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests += 1
                assert self.path == "/v1/traces"
                assert self.headers["content-type"] == "application/x-protobuf"
                if receiver.answer == 200:
                    receiver.take(body)
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(receiver.answer)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: the tests look at what arrived."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
