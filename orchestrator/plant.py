"""The leader's duty towards components: send them commands, hear them, and say who is ONLINE.

Heartbeats stay in the leader's memory; only transitions are proposed. A new leader has heard nobody yet, so everyone
gets a full timeout from the moment it takes the duty up.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
from pydantic import ValidationError

from cluster import Applied, ClusterError, Epoch
from orchestrator.components import ComponentCommand, ComponentRegistry, ComponentRow, Observe, Position, Presence
from orchestrator.errors import (
    ComponentStopping,
    ComponentSuperseded,
    ComponentUnknown,
    EventInvalid,
    EventUnknown,
    OutcomeUnknown,
    Refused,
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
STALL_S = 1.0
"""A tick that comes later than this was held up together with the heartbeats: nobody's silence is counted then."""
ANSWER_BYTES_MAX = 64 * 1024
PROPOSALS_AT_ONCE = 32
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
        self._command_timeout_s = command_timeout_s
        self._timeout = httpx.Timeout(command_timeout_s, connect=min(1.0, command_timeout_s / 2))
        self._heard: dict[str, Observation] = {}
        self._task: asyncio.Task[None] | None = None

    async def take_up(self) -> asyncio.Task[None]:
        self._task = asyncio.create_task(self._watch(), name="plant")
        return self._task

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
        answer = await self._post(row, event, key)
        reason = answer.message if answer.code == "command_failed" else ""
        await self._observe(component_id, answer.state, answer.incarnation, answer.sequence, reason)
        return answer

    async def _post(self, row: ComponentRow, event: Event, key: str) -> CommandAnswer:
        try:
            async with asyncio.timeout(self._command_timeout_s):
                status, body = await self._exchange(row, event)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.InvalidURL) as error:
            raise Unreachable(f"component {row.id} cannot be reached at {row.address}: {error}") from error
        except (TimeoutError, httpx.HTTPError) as error:
            raise _unknown(row, key, f"did not answer ({type(error).__name__})") from error
        if 200 <= status < 300:
            try:
                answer = CommandAnswer.model_validate_json(body)
            except ValidationError as error:
                raise _unknown(row, key, "answered what is no answer to a command") from error
            if (answer.component_id, answer.key) != (row.id, key):
                raise _unknown(row, key, f"answered as {answer.component_id} for key {answer.key}")
            return answer
        document = _document(body)
        code = str(document.get("code", "refused"))[:100]
        detail = str(document.get("detail", f"status {status}"))[:1000]
        if status >= 500 and code != ComponentStopping.code:
            raise _unknown(row, key, f"failed: {status} {detail}")
        refusal = from_code(code, f"component {row.id}: {detail}")
        # What a component cannot know of (who leads, who is registered) is not taken from it.
        raise refusal if isinstance(refusal, Refused) else Refused(refusal.message)

    async def _exchange(self, row: ComponentRow, event: Event) -> tuple[int, bytes]:
        """(status, body) of the component's answer; no body when it is too large."""
        document = event.model_dump(mode="json", exclude_none=True)
        body = bytearray()
        async with self._http.stream("POST", f"{row.address}/event", json=document, timeout=self._timeout) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > ANSWER_BYTES_MAX:
                    return response.status_code, b""
        return response.status_code, bytes(body)

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
        absent: list[Presence] = []
        for component_id, row in sorted(rows.items()):
            heard = self._heard.get(component_id)
            if heard is None or heard.position != row.position:
                self._heard[component_id] = Observation(row.position, now)
            elif row.online and (silent := now - heard.heard_at) > self._heartbeat_timeout_s:
                reason = f"no heartbeat for {silent:.1f} s"
                absent.append(Presence(id=component_id, online=False, reason=reason, position=row.position))
        for start in range(0, len(absent), PROPOSALS_AT_ONCE):
            some = [self._declare_absent(each) for each in absent[start : start + PROPOSALS_AT_ONCE]]
            # Waits for all of them: none may go on in the background when the duty is laid down.
            for ended in await asyncio.gather(*some, return_exceptions=True):
                if ended is not None:
                    raise ended

    async def _declare_absent(self, presence: Presence) -> None:
        if (await self._propose(presence)).outcome.ok:
            log.info("component %s is OFFLINE: %s", presence.id, presence.reason)


def _unknown(row: ComponentRow, key: str, what: str) -> OutcomeUnknown:
    return OutcomeUnknown(f"component {row.id} {what}; repeat it under the same key", idempotency_key=key)


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
