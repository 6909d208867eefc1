"""What this node does while it leads, as the leadership and the API see it: the duties of one epoch."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import httpx
import msgspec

from cluster import Applied, Counters, Epoch
from framebuffer.errors import Fenced, RedisFailure
from framebuffer.health import Heartbeat
from framebuffer.metrics import FrameMetrics
from framebuffer.registry import Health
from framebuffer.router import Router
from framebuffer.shards import ShardedStreams
from framebuffer.tracing import SpanSink
from framebuffer.wire import DispatchReport
from orchestrator.access.credential import commanding
from orchestrator.api.view import ProcessorObservation, ProcessorReport
from orchestrator.command_link import CommandLink
from orchestrator.components import ComponentCommand
from orchestrator.config import NodeConfig
from orchestrator.events import HEARTBEAT, CommandAnswer, Event
from orchestrator.frame_duty import DispatchDuty
from orchestrator.leadership import Duty
from orchestrator.leadership_note import LeadershipNote
from orchestrator.leaderships import Noted
from orchestrator.logs import about
from orchestrator.monitoring.alert_commands import Notified, Record
from orchestrator.monitoring.alert_duty import AlertDuty
from orchestrator.monitoring.alert_reports import NO_SUBJECT
from orchestrator.monitoring.frame_figures import FrameFigures
from orchestrator.monitoring.history import History
from orchestrator.monitoring.notice_duty import NoticeDuty
from orchestrator.plant import Events, Observation, PlantDuty
from orchestrator.playbook_duty import PlaybookDuty
from orchestrator.playbook_parts import PlaybookParts
from orchestrator.playbooks.committing import Committer
from orchestrator.playbooks.effects import Effects
from orchestrator.playbooks.holding import Holding
from orchestrator.playbooks.plant_view import PlantView
from orchestrator.pressure_duty import PressureDuty
from orchestrator.processor_duty import ProcessorDuty
from orchestrator.state import PlantState
from orchestrator.supervision_duty import SupervisionDuty
from orchestrator.topology.rows import SupervisionCommand
from orchestrator.triggers_duty import TriggersDuty


class Proposer(Protocol):
    """``Node.propose``."""

    async def __call__(
        self, kind: str, body: msgspec.Struct, *, command_id: str | None = None, epoch: Epoch | None = None
    ) -> Applied: ...


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
        history: History,
        spans: SpanSink | None = None,
        router: Router | None = None,
        playbooks: PlaybookParts,
        events: Events | None = None,
        link: CommandLink | None = None,
        counters: Callable[[], Counters] = Counters,
    ) -> None:
        async def propose_health(body: Health) -> Applied:
            return await propose(body.kind, body, epoch=epoch)

        async def propose_component(body: ComponentCommand) -> Applied:
            return await propose(body.kind, body, epoch=epoch)

        async def happened(event: Event) -> None:
            await self.triggers.event(event)
            if events is not None:
                await events(event)

        async def propose_supervision(body: SupervisionCommand) -> Applied:
            return await propose(body.kind, body, epoch=epoch)

        self.epoch = epoch
        self.plant = PlantDuty(
            state.components,
            epoch,
            propose_component,
            http=http,
            heartbeat_timeout_s=config.components.heartbeat_timeout_s,
            command_timeout_s=config.components.command_timeout_s,
            missed_heartbeats=config.components.missed_heartbeats,
            health_hold_s=config.components.health_hold_s,
            event_max_age_s=config.components.event_max_age_s,
            events=happened,
            link=link,
            bearer=commanding(config.api_token(), state.access, others=config.api.oidc is not None),
        )
        holding = Holding()
        self.supervision = SupervisionDuty(
            state,
            propose_supervision,
            self.plant.send_command,
            now=playbooks.clock.now,
            held=lambda: holding.of(state.executions.rows),
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
            streams,
            epoch,
            config.frames.thresholds(),
            smoothing_s=config.frames.pressure_smoothing_s,
            durability=config.durability(),
            metrics=metrics,
            events=happened,
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

        async def propose_alerts(body: Record) -> Applied:
            return await propose(body.kind, body, epoch=epoch)

        async def propose_execution(kind: str, body: msgspec.Struct, command_id: str) -> Applied:
            return await propose(kind, body, command_id=command_id, epoch=epoch)

        effects = Effects(
            playbooks.spans.sending(self.plant.send_command), playbooks.http, config.notifications.channels
        )

        async def propose_told(body: Notified) -> Applied:
            return await propose(body.kind, body, epoch=epoch)

        self.notices = NoticeDuty(
            state.alerts,
            propose_told,
            effects.perform,
            channels=config.monitoring.notify,
            least=config.monitoring.notify_from,
        )
        view = PlantView(state, playbooks.books.newest, self._metrics_of)
        self._figures = FrameFigures(self.pressure.figures, metrics, state.processors, self.processors.gates)
        self.alerts: AlertDuty = AlertDuty(
            state.alerts,
            state.components,
            propose_alerts,
            facts=lambda: view.world().components,
            history=history,
            figures=self._figures,
        )
        self.playbooks = PlaybookDuty(
            state,
            view=view,
            books=playbooks.books,
            templates=playbooks.templates,
            clock=playbooks.clock,
            commit=Committer(propose_execution),
            perform=playbooks.spans.performing(effects.perform),
            watch=lambda: playbooks.watch(None),
            figures=playbooks.figures,
            on_record=playbooks.on_record,
        )
        self.triggers = TriggersDuty(
            state,
            view=view,
            books=playbooks.books,
            templates=playbooks.templates,
            clock=playbooks.clock,
            propose=propose_execution,
            watch=playbooks.watch,
            applied=playbooks.applied,
        )

        async def propose_note(body: Noted) -> Applied:
            return await propose(body.kind, body, epoch=epoch)

        self.note = LeadershipNote(epoch, config.node.id, counters, propose_note)
        self.in_order: Sequence[Duty] = (
            self.dispatch,
            self.processors,
            self.pressure,
            self.plant,
            self.supervision,
            self.playbooks,
            self.triggers,
            self.alerts,
            self.notices,
            self.note,
        )
        """Dispatch first: every millisecond before the fence is written is one in which no frame moves."""

    def _metrics_of(self, component_id: str) -> Mapping[str, float]:
        """A component's newest figures: what its heartbeats say, and `cpu` and `memory`."""
        heard = self.plant.observation(component_id)
        if heard is None:
            return {}
        return {**heard.metrics, "cpu": heard.cpu, "memory": float(heard.memory)}

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
        with about(component=event.source, trace=None if event.traceparent is None else event.traceparent[3:35]):
            await self.plant.component_event(event)
        if event.type == HEARTBEAT and (heard := self.plant.observation(event.source)) is not None:
            own = {"cpu": heard.cpu, "memory": float(heard.memory)}
            self.alerts.heard(event.source, {**heard.metrics, **{k: v for k, v in own.items() if k in event.payload}})

    async def send_command(
        self,
        component_id: str,
        command: str,
        key: str,
        *,
        params: Mapping[str, Any] | None = None,
        traceparent: str | None = None,
    ) -> CommandAnswer:
        return await self.plant.send_command(component_id, command, key, params=params, traceparent=traceparent)

    def heard_of(self, component_id: str) -> Mapping[str, Any]:
        seen = self.plant.observation(component_id)
        return {} if seen is None else seen.public(time.monotonic())

    def frame_figures(self) -> Mapping[str, Any]:
        found = self._figures(time.monotonic())
        return {
            "dispatch_p95_s": found.get("dispatch_p95_s", {}).get(NO_SUBJECT),
            "oldest_frame_s": found.get("oldest_frame_s"),
            "lost": found.get("frames_lost", {}).get(NO_SUBJECT),
        }

    def supervised(self) -> list[dict[str, str]]:
        """What the supervision decided in its last tick, and why."""
        return self.supervision.decisions()

    def observation(self, component_id: str) -> Observation | None:
        """What was last heard of a component, by this leader."""
        return self.plant.observation(component_id)

    def waiting(self, execution_id: str) -> Mapping[str, str]:
        return self.playbooks.waiting(execution_id)
