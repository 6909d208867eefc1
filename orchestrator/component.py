"""`Component`: an event listener with a lifecycle, built on by everything that the orchestrator runs.

    class Conveyor(Component):
        async def on_start(self) -> None: ...

    await Conveyor("conveyor", orchestrator_url="http://127.0.0.1:8101").serve()

A command is done once per idempotency key, however often it arrives; a repeat gets the first answer. A command under an
older epoch than one seen before is refused: its sender leads no more.
"""

import asyncio
import logging
import os
import resource
import socket
import sys
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn

from orchestrator.components import ComponentRegistration
from orchestrator.errors import CommandRefused, ComponentBusy, ComponentStopping, EventInvalid, KeyReused, StaleEpoch
from orchestrator.events import (
    COMMAND,
    REASON_CHARS_MAX,
    CommandAnswer,
    CommandPayload,
    Event,
    HeartbeatPayload,
    StateChangedPayload,
)
from orchestrator.lifecycle import PASSAGES, Command, Refusal, Signal, State, transition
from orchestrator.listener import EventListener
from orchestrator.reporting import Reporter

log = logging.getLogger(__name__)

KEYS_MAX = 1_000
"""Idempotency keys remembered; the oldest is forgotten first."""
ANSWER_WITHIN_S = 2.0
"""A command that works longer is answered with `completed` false, and goes on."""


class Component(EventListener):
    """Override the `on_…` hooks. One that raises puts the component into FAULT, with the error as the reason.

    Args:
        component_id: unique in the plant.
        orchestrator_url: base URL of one node, or of several: any of them answers.
        groups: the component belongs to these.
        heartbeat_s: seconds between heartbeats.
        token: bearer token of the orchestrator's API, if it wants one.
    """

    def __init__(
        self,
        component_id: str,
        *,
        orchestrator_url: str | Sequence[str],
        name: str = "",
        groups: Sequence[str] = (),
        heartbeat_s: float = 1.0,
        token: str | None = None,
    ) -> None:
        super().__init__(component_id)
        self.name = name
        self.groups = tuple(groups)
        self.state = State.READY
        self.reason = ""
        self.incarnation = uuid.uuid4().hex
        self.address = ""
        """Base URL where it listens; known once it serves."""
        self._sequence = 0
        self._epoch = (0, 0)
        self._commands: OrderedDict[str, tuple[Command, asyncio.Task[CommandAnswer]]] = OrderedDict()
        self._working: asyncio.Task[CommandAnswer] | None = None
        self._leaving = False
        self._load = _Load()
        urls = orchestrator_url.split(",") if isinstance(orchestrator_url, str) else orchestrator_url
        self._reporter = Reporter(
            component_id,
            [url.strip() for url in urls if url.strip()],
            registration=self._registration,
            heartbeat=self._heartbeat,
            heartbeat_s=heartbeat_s,
            token=token,
        )
        self._server: uvicorn.Server | None = None
        self.on(COMMAND, CommandPayload, self._on_command)

    # ── To override ────────────────────────────────

    async def on_initialize(self) -> None:
        """READY → INITIALIZING → (this returns) → INIT_COMPLETE."""

    async def on_start(self) -> None:
        """INIT_COMPLETE → (this returns) → STARTED."""

    async def on_stop(self) -> None:
        """STARTED or INIT_COMPLETE → STOPPING → (this returns: what was in flight is finished) → STOPPED."""

    async def on_reset(self) -> None:
        """STOPPED or FAULT → (this returns) → READY."""

    # ── Life ────────────────────────────────

    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen, register, and run until `stop` is called or this is cancelled. Port 0 picks a free one.

        Raises OSError when the address cannot be listened on.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{listener.getsockname()[1]}"
        self._server = _Server(
            uvicorn.Config(self, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=2)
        )
        await self._reporter.start()
        try:
            await self._server.serve(sockets=[listener])
        finally:
            await self._reporter.stop()
            listener.close()

    async def stop(self) -> None:
        """Leave gracefully: what is running is finished, and a started component stops first."""
        self._leaving = True
        if self._working is not None:
            await asyncio.wait({self._working})
        if self.state in (State.STARTED, State.INIT_COMPLETE):
            await self._work(Command.GRACEFUL_STOP, f"leaving-{self.incarnation}", State.STOPPING)
        if self._server is not None:
            self._server.should_exit = True

    async def wait_registered(self) -> None:
        """Until the orchestrator has taken the registration."""
        await self._reporter.registered.wait()

    def fault(self, reason: str) -> None:
        """Go into FAULT: the component has found out by itself that it cannot go on."""
        self._enter(State.FAULT, reason)

    def health(self) -> Mapping[str, Any]:
        return {"id": self.id, **self._heartbeat().model_dump(mode="json")}

    # ── Commands ────────────────────────────────

    async def _on_command(self, event: Event, payload: CommandPayload) -> CommandAnswer:
        key = event.idempotency_key
        if key is None:
            raise EventInvalid("idempotency_key: a command needs one, so that a repeat is not done twice")
        self._check_epoch(event.epoch)
        known = self._commands.get(key)
        if known is None:
            task = self._begin(payload.command, key)
        elif known[0] != payload.command:
            raise KeyReused(f"key {key} was {known[0]} before, not {payload.command}")
        else:
            task = known[1]
        done, _ = await asyncio.wait({task}, timeout=ANSWER_WITHIN_S)
        answer = task.result() if done else self._answer(payload.command, key, completed=False)
        return answer if known is None else answer.model_copy(update={"repeated": True})

    def _check_epoch(self, text: str | None) -> None:
        if text is None:
            return
        term, _, index = text.partition(".")
        epoch = (int(term), int(index))
        if epoch < self._epoch:
            newest = f"{self._epoch[0]}.{self._epoch[1]}"
            raise StaleEpoch(f"a leader of epoch {newest} has spoken, this command is of {text}")
        self._epoch = epoch

    def _begin(self, command: Command, key: str) -> asyncio.Task[CommandAnswer]:
        if self._leaving:
            raise ComponentStopping(f"{self.id} is going away and takes no new work")
        if self._working is not None and not self._working.done():
            raise ComponentBusy(f"{self.id} is busy with another command; its state is {self.state}")
        target = transition(self.state, command)
        if isinstance(target, Refusal):
            raise CommandRefused(target.reason, state=self.state)
        task = asyncio.create_task(self._work(command, key, target), name=f"{self.id}-{command}")
        self._working = task
        self._commands[key] = (command, task)
        if len(self._commands) > KEYS_MAX:
            self._commands.popitem(last=False)
        return task

    async def _work(self, command: Command, key: str, target: State) -> CommandAnswer:
        hooks = {
            Command.INITIALIZE: self.on_initialize,
            Command.START: self.on_start,
            Command.GRACEFUL_STOP: self.on_stop,
            Command.RESET: self.on_reset,
        }
        if target in PASSAGES:
            self._enter(target, "")
        try:
            await hooks[command]()
        except Exception as error:
            log.exception("component %s: %s failed", self.id, command)
            self._enter(State.FAULT, f"{command} failed: {type(error).__name__}: {error}")
            return self._answer(command, key, code="command_failed", message=self.reason)
        reached = transition(target, Signal.DONE) if target in PASSAGES else target
        if self.state is State.FAULT and command is not Command.RESET:
            # `fault` was called while the command worked.
            return self._answer(command, key, code="command_failed", message=self.reason)
        assert isinstance(reached, State)  # noqa: S101 - each passage has a row for DONE
        self._enter(reached, "")
        return self._answer(command, key)

    def _answer(
        self, command: Command, key: str, *, completed: bool = True, code: Any = "", message: str = ""
    ) -> CommandAnswer:
        return CommandAnswer(
            component_id=self.id,
            command=command,
            key=key,
            state=self.state,
            completed=completed,
            incarnation=self.incarnation,
            sequence=self._sequence,
            code=code,
            message=message,
        )

    def _enter(self, state: State, reason: str) -> None:
        previous, self.state = self.state, state
        self.reason = reason[:REASON_CHARS_MAX]
        self._sequence += 1
        log.info("component %s: %s → %s %s", self.id, previous, state, reason)
        self._reporter.state_changed(
            StateChangedPayload(
                state=state,
                reason=self.reason,
                incarnation=self.incarnation,
                sequence=self._sequence,
                previous=previous,
            )
        )

    # ── Reports ────────────────────────────────

    def _registration(self) -> ComponentRegistration:
        return ComponentRegistration(
            id=self.id,
            name=self.name,
            address=self.address,
            groups=self.groups,
            state=self.state,
            incarnation=self.incarnation,
            sequence=self._sequence,
        )

    def _heartbeat(self) -> HeartbeatPayload:
        return HeartbeatPayload(
            state=self.state,
            reason=self.reason,
            incarnation=self.incarnation,
            sequence=self._sequence,
            cpu=self._load.cpu(),
            memory=self._load.memory(),
        )


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: they belong to the program."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Load:
    """CPU and memory of this process."""

    def __init__(self) -> None:
        self._at = time.monotonic()
        self._spent = time.process_time()

    def cpu(self) -> float:
        """Share of one core since the last call."""
        now, spent = time.monotonic(), time.process_time()
        share = (spent - self._spent) / max(now - self._at, 1e-3)
        self._at, self._spent = now, spent
        return max(0.0, share)

    @staticmethod
    def memory() -> int:
        """Resident bytes (the peak, where the system does not tell the present)."""
        try:
            with open("/proc/self/statm", encoding="ascii") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return peak if sys.platform == "darwin" else peak * 1024
