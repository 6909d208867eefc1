"""A node's spans: made where it leads, sent where `telemetry.otlp_endpoint` says."""

import asyncio

from framebuffer.metrics import FrameMetrics
from framebuffer.otlp import OtlpSpans
from orchestrator.config import NodeConfig

__all__ = ["Telemetry"]

EXPORT_S = 0.1
"""How long a span waits for others: until they are sent the server keeps what they are made from."""


class Telemetry:
    """Between ``start`` and ``stop`` it exports; where no endpoint is configured, it does nothing at all."""

    def __init__(self, config: NodeConfig, metrics: FrameMetrics) -> None:
        self._config = config
        self._metrics = metrics
        self.spans: OtlpSpans | None = None
        """Where the dispatch duty's spans go."""

    def start(self) -> None:
        """Errors: TelemetryMissing."""
        endpoint, node_id = self._config.telemetry.otlp_endpoint, self._config.node.id
        if endpoint is None:
            return
        self.spans = OtlpSpans(
            endpoint,
            service_name="triarch-node",
            attributes={"service.instance.id": node_id, "service.namespace": self._config.cluster.name},
            count=self._metrics.count_spans,
            interval_s=EXPORT_S,
        )

    async def stop(self) -> None:
        """Send what is left, for a few seconds at most."""
        if self.spans is not None:
            await asyncio.to_thread(self.spans.close)
