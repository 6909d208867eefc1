"""The leader's duty towards components: send them commands, hear them, and say who is ONLINE.

Heartbeats stay in the leader's memory; only transitions are proposed. A new leader has heard nobody yet, so everyone
gets a full timeout from the moment it takes the duty up.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import ValidationError

from cluster import Applied, ClusterError, Epoch
from orchestrator.components import ComponentCommand, ComponentRegistry, ComponentRow, Observe, Position, Presence
from orchestrator.errors import (
    ComponentSuperseded,
    ComponentUnknown,
    EventInvalid,
    EventUnknown,
    OutcomeUnknown,
    Unreachable,
    from_code,
)
from orchestrator.events import (
    COMMAND,
    HEARTBEAT,
    STATE_CHANGED,
    CommandAnswer,
    Event,
    HeartbeatPayload,
    StateChangedPayload,
    StateReport,
    parse_payload,
)
from orchestrator.lifecycle import parse_command
from orchestrator.tasks import cancelled

log = logging.getLogger(__name__)

TICK_S = 0.25
SOURCE = "orchestrator"


@dataclass(frozen=True, slots=True)
class Observation:
    """What the leader last heard of a component. `heard_at` is monotonic; cpu a share of one core; memory bytes."""

    position: Position
    heard_at: float
    cpu: float = 0.0
    memory: int = 0


class PlantDuty:
    """Commands to components, and their presence, under one epoch.

    Args:
        registry: the replicated registry; read only.
        epoch: goes with every command; the components refuse an older one.
        propose: replicates a command under the epoch.
        http: client for the components. It outlives the duty: making one takes longer than an election may.
        heartbeat_timeout_s: silence after which a component is OFFLINE.
        command_timeout_s: how long an answer to a command is waited for.
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
    ) -> None:
        self._registry = registry
        self._epoch = epoch
        self._propose = propose
        self._heartbeat_timeout_s = heartbeat_timeout_s
        self._http = http
        self._timeout = httpx.Timeout(command_timeout_s, connect=1.0)
        self._heard: dict[str, Observation] = {}
        self._task: asyncio.Task[None] | None = None

    async def take_up(self) -> None:
        self._task = asyncio.create_task(self._watch(), name="plant")

    async def lay_down(self) -> None:
        await cancelled(self._task)

    def observation(self, component_id: str) -> Observation | None:
        """What was last heard of a component, by this leader."""
        return self._heard.get(component_id)

    # ── Commands ────────────────────────────────

    async def send_command(self, component_id: str, command: str, key: str) -> CommandAnswer:
        """Send a lifecycle command and wait for the answer. The same key again is answered, not done again.

        ComponentUnknown; EventInvalid (no such command); CommandRefused, ComponentBusy, StaleEpoch, … as the component
        says; Unreachable: certainly not delivered; OutcomeUnknown: it may have been done, repeat it under the same key.
        """
        row = self._registry.get(component_id)
        if row is None:
            raise ComponentUnknown(f"component {component_id} is not registered")
        try:
            wanted = parse_command(command)
        except ValueError as error:
            raise EventInvalid(f"command: {error}") from None
        event = Event(
            type=COMMAND,
            source=SOURCE,
            target=component_id,
            payload={"command": wanted},
            idempotency_key=key,
            epoch=str(self._epoch),
        )
        answer = await self._post(row, event)
        await self._observe(component_id, answer.state, answer.incarnation, answer.sequence, answer.message)
        return answer

    async def _post(self, row: ComponentRow, event: Event) -> CommandAnswer:
        where = f"{row.address}/event"
        try:
            response = await self._http.post(
                where, json=event.model_dump(mode="json", exclude_none=True), timeout=self._timeout
            )
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unreachable(f"component {row.id} does not listen on {row.address}: {error}") from error
        except httpx.HTTPError as error:
            raise OutcomeUnknown(
                f"component {row.id} did not answer ({type(error).__name__}); repeat it under the same key",
                idempotency_key=event.idempotency_key,
            ) from error
        if response.is_success:
            try:
                return CommandAnswer.model_validate_json(response.content)
            except ValidationError as error:
                raise OutcomeUnknown(f"component {row.id} answered what is no answer to a command") from error
        document = _document(response)
        code = str(document.get("code", "refused"))
        detail = str(document.get("detail", response.text[:300]))
        if response.status_code >= 500 and code != "component_stopping":
            raise OutcomeUnknown(f"component {row.id}: {response.status_code} {detail}")
        raise from_code(code, f"component {row.id}: {detail}")

    # ── Events ────────────────────────────────

    async def component_event(self, event: Event) -> None:
        """Take a heartbeat or a change of state. ComponentUnknown: it must register (again)."""
        if event.type == HEARTBEAT:
            beat = parse_payload(event, HeartbeatPayload)
            await self._hear(event.source, beat, cpu=beat.cpu, memory=beat.memory)
        elif event.type == STATE_CHANGED:
            await self._hear(event.source, parse_payload(event, StateChangedPayload))
        else:
            raise EventUnknown(f"the orchestrator takes {HEARTBEAT} and {STATE_CHANGED}, not {event.type}")

    async def _hear(self, component_id: str, report: StateReport, *, cpu: float = 0.0, memory: int = 0) -> None:
        row = self._registry.get(component_id)
        if row is None:
            raise ComponentUnknown(f"component {component_id} is not registered")
        if report.incarnation != row.incarnation:
            raise ComponentSuperseded(f"another process has registered as component {component_id}")
        before = self._heard.get(component_id)
        if before is not None and not (cpu or memory):
            cpu, memory = before.cpu, before.memory
        self._heard[component_id] = Observation(row.position, time.monotonic(), cpu, memory)
        if not row.online:
            await self._propose(
                Presence(id=component_id, online=True, reason="heartbeat received", position=row.position)
            )
        await self._observe(component_id, report.state, report.incarnation, report.sequence, report.reason)

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
        while True:
            try:
                await self._judge()
                trouble = ""
            except ClusterError as error:
                # Derived from the state anew at the next tick, so nothing is lost.
                if str(error) != trouble:
                    log.info("presence of components not proposed now: %s", error)
                trouble = str(error)
            await asyncio.sleep(TICK_S)

    async def _judge(self) -> None:
        now = time.monotonic()
        rows = self._registry.rows
        for gone in self._heard.keys() - rows.keys():
            del self._heard[gone]
        for component_id, row in sorted(rows.items()):
            heard = self._heard.get(component_id)
            if heard is None or heard.position != row.position:
                self._heard[component_id] = Observation(row.position, now)
            elif row.online and (silent := now - heard.heard_at) > self._heartbeat_timeout_s:
                reason = f"no heartbeat for {silent:.1f} s"
                log.info("component %s is OFFLINE: %s", component_id, reason)
                await self._propose(Presence(id=component_id, online=False, reason=reason, position=row.position))


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
