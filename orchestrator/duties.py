"""What this node does while it leads, as the leadership and the API see it: the duties of one epoch."""

from collections.abc import Callable, Sequence
from typing import Protocol

import httpx
import msgspec

from cluster import Applied, Epoch
from framebuffer.errors import Fenced, RedisFailure
from framebuffer.health import Heartbeat
from framebuffer.metrics import FrameMetrics
from framebuffer.registry import Health
from framebuffer.router import Router
from framebuffer.shards import ShardedStreams
from framebuffer.tracing import SpanSink
from framebuffer.wire import DispatchReport
from orchestrator.api.view import ProcessorObservation, ProcessorReport
from orchestrator.components import ComponentCommand
from orchestrator.config import NodeConfig
from orchestrator.events import CommandAnswer, Event
from orchestrator.frame_duty import DispatchDuty
from orchestrator.leadership import Duty
from orchestrator.plant import Observation, PlantDuty
from orchestrator.pressure_duty import PressureDuty
from orchestrator.processor_duty import ProcessorDuty
from orchestrator.state import PlantState


class Proposer(Protocol):
    """``Node.propose``."""

    async def __call__(self, kind: str, body: msgspec.Struct, *, epoch: Epoch | None = None) -> Applied: ...


class Duties:
    """The duties of ``epoch``. What they propose carries it, so that nothing of an old leader is applied."""

    def __init__(
        self,
        config: NodeConfig,
        state: PlantState,
        epoch: Epoch,
        *,
        propose: Proposer,
        http: httpx.AsyncClient,
        health_http: httpx.AsyncClient,
        streams: Callable[[], ShardedStreams | None],
        metrics: FrameMetrics,
        dispatched: Callable[[DispatchReport], None],
        spans: SpanSink | None = None,
        router: Router | None = None,
    ) -> None:
        async def propose_health(body: Health) -> Applied:
            return await propose(body.kind, body, epoch=epoch)

        async def propose_component(body: ComponentCommand) -> Applied:
            return await propose(body.kind, body, epoch=epoch)

        self.epoch = epoch
        self.plant = PlantDuty(
            state.components,
            epoch,
            propose_component,
            http=http,
            heartbeat_timeout_s=config.components.heartbeat_timeout_s,
            command_timeout_s=config.components.command_timeout_s,
        )
        self.processors = ProcessorDuty(
            streams,
            epoch,
            state.processors,
            propose_health,
            http=health_http,
            settings=config.frames,
            on_change=self._wake,
            metrics=metrics,
        )
        self.pressure = PressureDuty(
            streams, epoch, config.frames.thresholds(), smoothing_s=config.frames.pressure_smoothing_s, metrics=metrics
        )

        def reported(report: DispatchReport) -> None:
            self.pressure.observe(report)
            dispatched(report)

        self.dispatch = DispatchDuty(
            streams,
            epoch,
            config.node.id,
            state.processors,
            reported,
            metrics=metrics,
            spans=spans,
            limit=config.frames.dispatch_batch,
            gates=self.processors.gates,
            capacity_max=config.frames.capacity_max,
            strategy=config.frames.strategy,
            router=router,
            direct=config.frames.direct,
        )
        self.in_order: Sequence[Duty] = (self.dispatch, self.processors, self.pressure, self.plant)
        """Dispatch first: every millisecond before the fence is written is one in which no frame moves."""

    def _wake(self) -> None:
        self.dispatch.wake()

    async def heartbeat(self, processor_id: str, report: ProcessorReport) -> None:
        self.processors.heartbeat(processor_id, Heartbeat(report.in_flight, report.settled, report.errors))

    def processor(self, processor_id: str) -> ProcessorObservation:
        """What this leader knows of a processor."""
        return self.processors.observation(processor_id)

    async def processors_changed(self) -> None:
        await self.dispatch.told()

    async def processor_removed(self, processor_id: str) -> int:
        await self.dispatch.told()
        try:
            return await self.processors.return_queue(processor_id)
        except (RedisFailure, Fenced):
            return 0  # the processors' duty looks for stranded queues until it finds none

    async def component_event(self, event: Event) -> None:
        await self.plant.component_event(event)

    async def send_command(self, component_id: str, command: str, key: str) -> CommandAnswer:
        return await self.plant.send_command(component_id, command, key)

    def observation(self, component_id: str) -> Observation | None:
        """What was last heard of a component, by this leader."""
        return self.plant.observation(component_id)
