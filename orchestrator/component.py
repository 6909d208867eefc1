"""`Component`: an event listener with a lifecycle, built on by everything that the orchestrator runs.

    class Conveyor(Component):
        async def on_start(self) -> None: ...

    await Conveyor("conveyor", orchestrator_url="http://127.0.0.1:8101").serve()

A command is done once per idempotency key, however often it arrives; a repeat gets the first answer. A command that was
refused has done nothing, and is judged anew when it is repeated. A command under an older epoch than one seen before is
refused: its sender leads no more. So is one without an epoch, once a leader has spoken: silence does not pass.
"""

import asyncio
import ipaddress
import logging
import math
import socket
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
from orchestrator.load import Load
from orchestrator.reporting import Reporter

log = logging.getLogger(__name__)

KEYS_MAX = 1_000
"""Idempotency keys remembered; the oldest is forgotten first."""
ANSWER_WITHIN_S = 2.0
"""A command that works longer is answered with `completed` false, and goes on."""
STOP_WITHIN_S = 10.0
"""A component that leaves gives each piece of work this long, then cancels it."""
KEEPALIVE_S = 30
"""Longer than the orchestrator's clients keep a connection: a command is never sent on one that is being closed."""


class Component(EventListener):
    """Override the `on_…` hooks. One that raises puts the component into FAULT, with the error as the reason.

    Args:
        component_id: unique in the plant.
        orchestrator_url: base URL of one node, or of several: any of them answers.
        groups: the component belongs to these.
        heartbeat_s: seconds between heartbeats.
        token: bearer token, shared with the orchestrator: sent to its API, and demanded of whoever sends commands.

    Raises ValueError for an id, a name, a group or a URL that the orchestrator would refuse.
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
        super().__init__(component_id, token=token)
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
        self._faults = 0
        self._leaving: asyncio.Task[None] | None = None
        self._load = Load()
        # What would be refused with every attempt to register is refused here.
        ComponentRegistration(id=self.id, name=name, groups=self.groups, address="http://localhost")
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

    async def serve(self, host: str = "127.0.0.1", port: int = 0, *, advertised: str | None = None) -> None:
        """Listen, register, and run until `stop` is called or this is cancelled. Once in a component's life.

        Port 0 picks a free one. `advertised` is the base URL where the orchestrator reaches the component; it must be
        given when `host` is a wildcard. Raises OSError when the address cannot be listened on, ValueError
        when it is beyond loopback and there is no token.
        """
        if self._leaving is not None:
            return  # told to stop before it began
        if self._server is not None:
            raise RuntimeError("a component serves once; make another one")
        if advertised is None and host in ("", "0.0.0.0", "::"):  # noqa: S104 - refused, not bound
            raise ValueError(f"advertised: nobody can reach a component at {host or 'every address'}; say where")
        if self._token is None and not _is_loopback(host):
            raise ValueError(f"token: on {host} anyone could send commands; beyond loopback a component needs a token")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family) as listener:
            shown = f"[{host}]" if ":" in host else host
            self.address = advertised or f"http://{shown}:{listener.getsockname()[1]}"
            self._registration()  # raises ValueError here rather than at every attempt to register
            server = self._server = _Server(
                uvicorn.Config(
                    self,
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    lifespan="off",
                    timeout_keep_alive=KEEPALIVE_S,
                    timeout_graceful_shutdown=math.ceil(ANSWER_WITHIN_S) + 1,
                )
            )
            serving = asyncio.create_task(server.serve(sockets=[listener]), name=f"{self.id}-server")
            try:
                await self._reporter.start()
                await asyncio.shield(serving)
            finally:
                # Also when cancelled: uvicorn closes its connections only when it is asked to.
                server.should_exit = True
                await self._end_work(0)
                await asyncio.wait([serving])
                await self._reporter.stop()

    async def stop(self) -> None:
        """Leave gracefully: what is running is finished, and a started component stops first.

        Work that takes longer than `STOP_WITHIN_S` is cancelled. Any number of calls make one departure.
        """
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._leave(), name=f"{self.id}-leave")
        await asyncio.shield(self._leaving)

    async def _leave(self) -> None:
        await self._end_work(STOP_WITHIN_S)
        if self.state in (State.STARTED, State.INIT_COMPLETE):
            work = self._work(Command.GRACEFUL_STOP, f"leaving-{self.incarnation}", State.STOPPING)
            self._working = asyncio.create_task(work, name=f"{self.id}-leaving")
            await self._end_work(STOP_WITHIN_S)
        if self._server is not None:
            self._server.should_exit = True

    async def _end_work(self, within_s: float) -> None:
        """Wait for the command that runs; cancel it when it takes longer. It ends in FAULT then."""
        if self._working is None or self._working.done():
            return
        _, late = await asyncio.wait({self._working}, timeout=within_s)
        for task in late:
            task.cancel()
            await asyncio.wait({task}, timeout=1.0)

    async def wait_registered(self) -> None:
        """Until the orchestrator has taken the registration."""
        await self._reporter.registered.wait()

    def fault(self, reason: str) -> None:
        """Go into FAULT: the component has found out by itself that it cannot go on."""
        self._faults += 1
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
        # No epoch is older than any.
        term, _, index = (text or "0.0").partition(".")
        epoch = (int(term), int(index))
        if epoch < self._epoch:
            newest = f"{self._epoch[0]}.{self._epoch[1]}"
            raise StaleEpoch(f"a leader of epoch {newest} has spoken, this command is of {text or 'none'}")
        self._epoch = epoch

    def _begin(self, command: Command, key: str) -> asyncio.Task[CommandAnswer]:
        if self._leaving is not None:
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
        faults = self._faults
        if target in PASSAGES:
            self._enter(target, "")
        try:
            await hooks[command]()
        except asyncio.CancelledError:
            # This task's own cancellation or one inside the hook: the state must not stay a passage for ever. The task
            # ends here either way, so nothing is held up by not raising it again.
            self.fault(f"{command} was cancelled")
        except Exception as error:
            log.exception("component %s: %s failed", self.id, command)
            self.fault(f"{command} failed: {type(error).__name__}: {error}")
        if self._faults != faults:  # here, or by the component's own call while the command worked
            return self._answer(command, key, code="command_failed", message=self.reason)
        reached = transition(target, Signal.DONE) if target in PASSAGES else target
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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: they belong to the program."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
