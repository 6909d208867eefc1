"""What the HTTP interface sees of a node: two ports, implemented by `orchestrator.node` and `orchestrator.duties`.

`NodeView` is there on every node. `Duties` exists only while this node leads; every request that needs them is passed
on to the leader by `orchestrator.api.forward` before a route is reached.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from cluster import Applied, Cluster, Epoch
    from framebuffer.shards import ShardedStreams
    from framebuffer.streams import FrameStreams
    from orchestrator.audit.trail import Trail
    from orchestrator.config import NodeConfig
    from orchestrator.events import CommandAnswer, Event
    from orchestrator.monitoring.alert_duty import AlertDuty
    from orchestrator.state import PlantState


@dataclass(frozen=True, slots=True)
class ProcessorReport:
    """One heartbeat of a processor: frames it holds now, and its totals since it started."""

    in_flight: int = 0
    settled: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class ProcessorObservation:
    """What the leader knows of a processor beside its registration; None where nothing was heard.

    `breaker`: CLOSED, HALF_OPEN or OPEN. `silence_s`: since its last heartbeat. `health_pull`: what was wrong at the
    last one, empty when nothing was. The counters are those of its last heartbeat.
    """

    breaker: str
    silence_s: float | None = None
    in_flight: int | None = None
    settled: int | None = None
    errors: int | None = None
    health_pull: str | None = None


class Duties(Protocol):
    """What only the leader does. Errors of `orchestrator.errors` and of `cluster` pass through to the API."""

    async def heartbeat(self, processor_id: str, report: ProcessorReport) -> None:
        """Note that a registered processor lives. The caller has checked that it is registered."""

    def processor(self, processor_id: str) -> ProcessorObservation:
        """What this leader knows of a processor."""

    async def processors_changed(self) -> None:
        """Return when frames go by the registrations as they are now, at the latest after a second."""

    async def processor_removed(self, processor_id: str) -> int:
        """Return the queue of a processor that is gone to dispatch; the number of frames returned. Safe to repeat."""

    async def component_event(self, event: "Event") -> None:
        """Take an event of the event protocol: a report (`component.heartbeat`, …) or one of an application's types.

        Raises ComponentUnknown (it must register), EventInvalid, EventUnknown, EventTooOld, EventReused,
        ComponentSuperseded.
        """

    async def send_command(
        self,
        component_id: str,
        command: str,
        key: str,
        *,
        params: Mapping[str, Any] | None = None,
        traceparent: str | None = None,
    ) -> "CommandAnswer":
        """Send a command, once per `key`, and wait for the answer (`components.command_timeout_s`).

        Raises ComponentUnknown, Unreachable (not delivered), OutcomeUnknown (no answer in time); a refusal is an
        answer with a `code`, or CommandRefused and its like.
        """

    def supervised(self) -> list[dict[str, str]]:
        """What the supervision decided in its last tick: `component`, `reason`, and `trouble` (empty: none)."""

    @property
    def alerts(self) -> "AlertDuty":
        """What watches the plant: histories, and what is about to fire."""

    def heard_of(self, component_id: str) -> Mapping[str, Any]:
        """`last_seen_s` (an age), `cpu`, `memory` and `metrics` of its last heartbeat to this leader; else empty."""

    def frame_figures(self) -> Mapping[str, Any]:
        """`dispatch_p95_s`, `oldest_frame_s` by place, `lost`: as last measured, None where nothing was."""

    def waiting(self, execution_id: str) -> Mapping[str, str]:
        """By path, what the open steps of an execution wait for, in words; empty where this leader knows nothing."""


class NodeView(Protocol):
    """One node, as its API sees it. The methods answer at once from memory unless they are `async`."""

    @property
    def config(self) -> "NodeConfig": ...

    @property
    def cluster(self) -> "Cluster": ...

    @property
    def state(self) -> "PlantState":
        """What is applied here. Its rows are replaced on change and never altered; read it by `cluster.read`."""

    @property
    def streams(self) -> "FrameStreams | None":
        """The first shard, which is all there is without a cluster; None while Redis has never answered yet."""

    @property
    def shards(self) -> "ShardedStreams | None":
        """All shards; None while Redis has never answered yet."""

    @property
    def trail(self) -> "Trail":
        """The file of the audit on this node."""

    @property
    def registry(self) -> "CollectorRegistry": ...

    async def propose(
        self,
        kind: str,
        body: msgspec.Struct,
        *,
        command_id: str | None = None,
        epoch: "Epoch | None" = None,
        key: str = "",
        request: str = "",
        actor: dict[str, str] | None = None,
    ) -> "Applied":
        """`Cluster.propose` of a typed body; its errors pass through (NotLeader, NoLeader, OutcomeUnknown, …).

        `key` and `request`: as in `cluster.Command`. `actor`: who is behind it, where that is not this request's.
        """

    def actor(self) -> dict[str, str] | None:
        """Who is behind this request, as the audit tells it; None: nobody, or not every member knows the audit."""

    def audited(self) -> bool:
        """Whether changes are entered in the audit."""

    def tokens_asked_for(self) -> bool:
        """A replicated token is asked for, though the configuration may have none: an admin's was made once."""

    def leader_api(self) -> str | None:
        """Base URL of the leader's API by the applied claim; None when no leader is known to be reachable now."""

    def api_of(self, member_id: str) -> str | None:
        """Base URL of a member's API, as the membership has it; this node's settings where it has none."""

    def is_leader(self) -> bool:
        """Leadership is established here: the claim of this term is applied."""

    def epoch(self) -> "Epoch | None":
        """The newest epoch whose claim is applied here, whoever leads."""

    def leading(self) -> "Epoch | None":
        """The epoch that this node leads under; None while it does not. Not `epoch` while another's claim is newer."""

    def duties(self) -> Duties | None:
        """The leader's duties, None on a follower and until they are established."""

    def plant_time(self) -> float:
        """Seconds of the plant clock (`orchestrator.playbooks.execution`)."""

    def redis_health(self) -> tuple[bool, str]:
        """(answers, why not), as last seen by the node's own probe."""

    def control_status(self) -> Mapping[str, Any]:
        """`consumption_rate` (frames dispatched a second), dispatch figures, `paused`."""
