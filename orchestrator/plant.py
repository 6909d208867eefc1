"""The leader's duty towards components: send them commands, hear them, and say who is well and who is silent.

Heartbeats stay in the leader's memory; only transitions are proposed. A new leader has heard nobody yet, so everyone
gets a full timeout from the moment it takes the duty up.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from cluster import Applied, ClusterError, Epoch, KindUnsupported
from orchestrator.command_link import CommandLink
from orchestrator.commanding import ANSWER_BYTES_MAX, SOURCE, Bearer, CommandSender
from orchestrator.components import (
    ComponentCommand,
    ComponentRegistry,
    ComponentRow,
    Observe,
    Position,
    Presence,
    SelfReport,
)
from orchestrator.errors import ComponentSuperseded, ComponentUnknown
from orchestrator.events import (
    ERROR,
    HEARTBEAT,
    STATE_CHANGED,
    CommandAnswer,
    ErrorPayload,
    Event,
    HeartbeatPayload,
    StateChangedPayload,
    StateReport,
)
from orchestrator.lifecycle import State
from orchestrator.listener import EventTable
from orchestrator.seen_events import SeenEvents
from orchestrator.state_wait import wait_for_state
from orchestrator.tasks import cancelled
from orchestrator.verdicts import Damping, Word, silence_limit

__all__ = ["ANSWER_BYTES_MAX", "SOURCE", "Observation", "PlantDuty"]

log = logging.getLogger(__name__)

TICK_S = 0.25
STALL_S = 1.0
"""A tick that comes later than this was held up together with the heartbeats: nobody's silence is counted then."""
PROPOSALS_AT_ONCE = 32
MISSED_HEARTBEATS = 3
HEALTH_HOLD_S = 5.0
EVENT_MAX_AGE_S = 3600.0

Events = Callable[[Event], Awaitable[None]]
"""Takes what happened. It may be called again with an event whose taking failed, so the event's id is its key."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What the leader last heard of a component. `heard_at` is monotonic; cpu a share of one core; memory bytes.

    Before its first heartbeat to this leader, `heard` is false and `heard_at` is when its silence began to count.
    """

    position: Position
    heard_at: float
    cpu: float = 0.0
    memory: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    heard: bool = True

    def public(self, now: float) -> dict[str, Any]:
        """As the API shows it: `last_seen_s` is an age in seconds, None before the first heartbeat to this leader."""
        if not self.heard:
            return {"last_seen_s": None, "cpu": None, "memory": None, "metrics": {}}
        age = round(max(0.0, now - self.heard_at), 3)
        return {"last_seen_s": age, "cpu": self.cpu, "memory": self.memory, "metrics": dict(self.metrics)}


class PlantDuty:
    """Commands to components, their events, their presence and health, under one epoch.

    Args:
        registry: the replicated registry; read only.
        epoch: goes with every command; the components refuse an older one.
        propose: replicates a command under the epoch.
        http: client for the components. It outlives the duty: making one takes longer than an election may.
        heartbeat_timeout_s: silence after which a component that declared no interval is UNRESPONSIVE.
        missed_heartbeats: so many intervals of silence where it declared one.
        health_hold_s: how long a component must find itself well before DEGRADED is left.
        event_max_age_s: bound between an event's time and this node's clock.
        command_timeout_s: how long an answer to a command is waited for.
        link: a lean way to components that `http` would be slow for.
        bearer: the token that a component is shown with a command.
        events: called with every event that is accepted and no heartbeat. What it raises, the sender is answered.
    """

    name = "plant"

    def __init__(
        self,
        registry: ComponentRegistry,
        epoch: Epoch,
        propose: Callable[[ComponentCommand], Awaitable[Applied]],
        *,
        http: httpx.AsyncClient,
        heartbeat_timeout_s: float,
        command_timeout_s: float,
        missed_heartbeats: int = MISSED_HEARTBEATS,
        health_hold_s: float = HEALTH_HOLD_S,
        event_max_age_s: float = EVENT_MAX_AGE_S,
        events: Events | None = None,
        link: CommandLink | None = None,
        bearer: Bearer | None = None,
    ) -> None:
        self._registry = registry
        self._propose = propose
        self._heartbeat_timeout_s = heartbeat_timeout_s
        self._missed_heartbeats = missed_heartbeats
        self._health_hold_s = health_hold_s
        self._commands = CommandSender(http, epoch, timeout_s=command_timeout_s, link=link, bearer=bearer)
        self._events = events
        self._seen = SeenEvents(event_max_age_s)
        self._taking: dict[tuple[str, str], asyncio.Future[None]] = {}
        self._heard: dict[str, Observation] = {}
        self._damping: dict[str, Damping] = {}
        self._task: asyncio.Task[None] | None = None
        self._table = EventTable(SOURCE)
        self._table.on(HEARTBEAT, HeartbeatPayload, self._on_heartbeat)
        self._table.on(STATE_CHANGED, StateChangedPayload, self._on_state_changed)
        self._table.on(ERROR, ErrorPayload, self._on_error)
        self._table.otherwise(self._happened)

    async def take_up(self) -> asyncio.Task[None]:
        self._task = asyncio.create_task(self._watch(), name="plant")
        return self._task

    async def lay_down(self) -> None:
        await cancelled(self._task)

    def observation(self, component_id: str) -> Observation | None:
        """What was last heard of a component, by this leader."""
        return self._heard.get(component_id)

    def observations(self) -> Mapping[str, Observation]:
        """What was last heard of every component, by this leader. A copy."""
        return dict(self._heard)

    # ── Commands ────────────────────────────────

    async def send_command(
        self,
        component_id: str,
        command: str,
        key: str,
        *,
        params: Mapping[str, Any] | None = None,
        traceparent: str | None = None,
    ) -> CommandAnswer:
        """Send a lifecycle command, or one of the component's own with its `params`, and wait for the answer.

        The same key again is answered, not done again. ComponentUnknown; EventInvalid (no such command);
        CommandRefused, ComponentBusy, StaleEpoch, … as the component says; Unreachable: certainly not delivered;
        OutcomeUnknown: it may have been done, repeat it under the same key.
        """
        row = self._registered(component_id)
        answer = await self._commands.send(row, command, key, params=params, traceparent=traceparent)
        reason = answer.message if answer.code in ("command_failed", "command_interrupted") else ""
        await self._observe(component_id, answer.state, answer.incarnation, answer.sequence, reason)
        return answer

    async def wait_for_state(
        self,
        component_id: str,
        target: State,
        *,
        timeout_s: float,
        on_timeout: Callable[[ComponentRow], Awaitable[None]] | None = None,
    ) -> ComponentRow:
        """As `orchestrator.state_wait.wait_for_state`. Errors: StateNotReached, ComponentUnknown."""
        return await wait_for_state(self._registry, component_id, target, timeout_s=timeout_s, on_timeout=on_timeout)

    # ── Events ────────────────────────────────

    async def component_event(self, event: Event) -> None:
        """Take an event from a registered component; once per id, however often it comes.

        ComponentUnknown: it must register (again). EventUnknown: a type of the product's that is not taken here.
        EventInvalid names the field. EventTooOld, EventReused, ComponentSuperseded, and what `events` raises.
        """
        await self._table.handle(event)

    async def _on_heartbeat(self, event: Event, beat: HeartbeatPayload) -> None:
        row = self._reporting(event.source, beat)
        now = time.monotonic()
        self._heard[row.id] = Observation(row.position, now, beat.cpu, beat.memory, beat.metrics)
        await self._present(row)
        await self._observe(row.id, beat.state, beat.incarnation, beat.sequence, beat.reason)
        await self._self_report(row.id, Word(beat.health == "DEGRADED", beat.health_reason), now)

    async def _on_state_changed(self, event: Event, change: StateChangedPayload) -> None:
        row = self._reporting(event.source, change)
        now = time.monotonic()
        before = self._heard.get(row.id)
        known = before or Observation(row.position, now)
        self._heard[row.id] = replace(known, position=row.position, heard_at=now, heard=True)
        await self._present(row)
        await self._observe(row.id, change.state, change.incarnation, change.sequence, change.reason)
        if self._events is not None:
            await self._events(event)

    async def _on_error(self, event: Event, _error: ErrorPayload) -> None:
        await self._happened(event)

    async def _happened(self, event: Event) -> None:
        """Pass on what has no order of its own, once per id."""
        self._registered(event.source)
        key = (event.source, event.id)
        while (first := self._taking.get(key)) is not None:  # a repeat that comes while the first is being taken
            await asyncio.wait({first})
        if not self._seen.is_new(event, time.time()):
            return
        self._taking[key] = asyncio.get_running_loop().create_future()
        try:
            if self._events is not None:
                await self._events(event)
            self._seen.taken(event, time.time())
        finally:
            self._taking.pop(key).set_result(None)

    def _registered(self, component_id: str) -> ComponentRow:
        row = self._registry.get(component_id)
        if row is None:
            raise ComponentUnknown(f"component {component_id} is not registered; it registers with POST /v1/components")
        return row

    def _reporting(self, component_id: str, report: StateReport) -> ComponentRow:
        row = self._registered(component_id)
        if report.incarnation != row.incarnation:
            raise ComponentSuperseded(f"another process has registered as component {component_id}")
        return row

    async def _present(self, row: ComponentRow) -> None:
        if not row.online:
            await self._propose(Presence(id=row.id, online=True, reason="heartbeat received", position=row.position))

    async def _self_report(self, component_id: str, said: Word, now: float) -> None:
        row = self._registry.get(component_id)
        if row is None:
            return
        damping = self._damping.get(component_id)
        if damping is None:
            if not said.degraded and not row.degraded:
                return  # well, and known to be: nearly every heartbeat
            damping = self._damping[component_id] = Damping(now, hold_s=self._health_hold_s)
        due = damping.due(said, Word(row.degraded, row.degraded_reason), now)
        if due is None:
            return
        try:
            await self._propose(
                SelfReport(id=component_id, degraded=due.degraded, reason=due.reason, position=row.position)
            )
        except KindUnsupported:
            return  # while a release is rolled out; the component says it again with its next heartbeat
        damping.noted(now)
        log.info("component %s is %s", component_id, f"DEGRADED: {due.reason}" if due.degraded else "OK again")

    async def _observe(
        self, component_id: str, state: Any, incarnation: str, sequence: int | None, reason: str
    ) -> None:
        row = self._registry.get(component_id)
        if row is None or incarnation != row.incarnation:
            return
        stale = sequence is not None and row.sequence is not None and sequence <= row.sequence
        if stale or (sequence is None and (row.state, row.reason) == (state, reason)):
            return
        await self._propose(
            Observe(id=component_id, state=state, reason=reason, incarnation=incarnation, sequence=sequence)
        )

    # ── Presence ────────────────────────────────

    async def _watch(self) -> None:
        trouble = ""
        stalled = False
        while True:
            try:
                if stalled:
                    self._forgive()
                await self._judge()
                trouble = ""
            except ClusterError as error:
                # Derived from the state anew at the next tick, so nothing is lost.
                if str(error) != trouble:
                    log.info("presence of components not proposed now: %s", error)
                trouble = str(error)
            slept_at = time.monotonic()
            await asyncio.sleep(TICK_S)
            stalled = time.monotonic() - slept_at > TICK_S + STALL_S

    def _forgive(self) -> None:
        """Count everyone's silence from now on."""
        now = time.monotonic()
        self._heard = {key: replace(heard, heard_at=now) for key, heard in self._heard.items()}

    async def _judge(self) -> None:
        now = time.monotonic()
        rows = self._registry.rows
        for gone in self._heard.keys() - rows.keys():
            del self._heard[gone]
            self._damping.pop(gone, None)
        absent: list[Presence] = []
        for component_id, row in sorted(rows.items()):
            heard = self._heard.get(component_id)
            if heard is None or heard.position != row.position:
                self._heard[component_id] = Observation(row.position, now, heard=False)
                self._damping.pop(component_id, None)
            elif row.online and (silent := now - heard.heard_at) > self._silence_limit(row):
                reason = f"no heartbeat for {silent:.1f} s"
                absent.append(Presence(id=component_id, online=False, reason=reason, position=row.position))
        for start in range(0, len(absent), PROPOSALS_AT_ONCE):
            some = [self._declare_absent(each) for each in absent[start : start + PROPOSALS_AT_ONCE]]
            # Waits for all of them: none may go on in the background when the duty is laid down.
            for ended in await asyncio.gather(*some, return_exceptions=True):
                if ended is not None:
                    raise ended

    def _silence_limit(self, row: ComponentRow) -> float:
        return silence_limit(row.heartbeat_s, missed=self._missed_heartbeats, timeout_s=self._heartbeat_timeout_s)

    async def _declare_absent(self, presence: Presence) -> None:
        if (await self._propose(presence)).outcome.ok:
            log.info("component %s is UNRESPONSIVE: %s", presence.id, presence.reason)
