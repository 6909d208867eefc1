"""`Component`: an event listener with a lifecycle, built on by everything that the orchestrator runs.

    class Conveyor(Component):
        async def on_start(self) -> None: ...

    await Conveyor("conveyor", orchestrator_url="http://127.0.0.1:8101").serve()

Commands are done once per idempotency key (`orchestrator.commanded`); with `memory`, also across a crash.
"""

import asyncio
import ipaddress
import math
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import uvicorn

from orchestrator.access.credential import PREFIX
from orchestrator.access.credential import command_token as derived
from orchestrator.command_memory import KEYS_MAX
from orchestrator.commanded import ANSWER_WITHIN_S, CommandedListener, current_epoch, current_traceparent
from orchestrator.component_health import Health, SelfCheck
from orchestrator.components import ComponentRegistration
from orchestrator.events import ERROR, ErrorPayload, Event, HeartbeatPayload, StateChangedPayload
from orchestrator.lifecycle import Command, State
from orchestrator.load import Load
from orchestrator.own_commands import NoParams
from orchestrator.reporting import HEARTBEAT_S, Reporter

__all__ = ["KEYS_MAX", "Component", "Health", "NoParams", "current_epoch", "current_traceparent"]

STOP_WITHIN_S = 10.0
"""A component that leaves gives each piece of work this long, then cancels it."""
KEEPALIVE_S = 30
"""Longer than the orchestrator's clients keep a connection: a command is never sent on one that is being closed."""


class Component(CommandedListener):
    """Override the `on_…` hooks. One that raises puts the component into FAULT, with the error as the reason.

    Args:
        component_id: unique in the plant.
        orchestrator_url: base URL of one node, or of several: any of them answers.
        groups: the component belongs to these.
        heartbeat_s: seconds between heartbeats.
        token: bearer token for the orchestrator's API: one made for this component, or the one that all nodes share.
        command_token: demanded of whoever sends commands; it came with the token that was made for this component.
            Without it the shared `token` is, or what the nodes derive from that.
        depends_on: ids of the components that must run before this one.
        labels: what it is selected by.
        memory: file in which it remembers the commands that it has done. Without it, a process that starts again has
            forgotten them.
        ca_file: whose certificates the orchestrator's may be, for `https://` (`framebuffer.trust`).

    Raises ValueError for an id, a name, a group or a URL that the orchestrator would refuse, for a token that no header
    can hold, and for a file of certificates that cannot be used.
    """

    def __init__(
        self,
        component_id: str,
        *,
        orchestrator_url: str | Sequence[str],
        name: str = "",
        groups: Sequence[str] = (),
        heartbeat_s: float = HEARTBEAT_S,
        token: str | None = None,
        command_token: str | None = None,
        depends_on: Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
        memory: Path | None = None,
        ca_file: str | Path | None = None,
    ) -> None:
        super().__init__(component_id, name=name, token=_demanded(component_id, token, command_token), memory=memory)
        self.groups = tuple(groups)
        self.depends_on = tuple(depends_on)
        self.labels = dict(labels or {})
        self._load = Load()
        self._check = SelfCheck(component_id, self.check_health, self.metrics)
        self._heartbeat_s = heartbeat_s
        urls = orchestrator_url.split(",") if isinstance(orchestrator_url, str) else orchestrator_url
        self._reporter = Reporter(
            component_id,
            [url.strip() for url in urls if url.strip()],
            registration=self._registration,
            heartbeat=self._beat,
            heartbeat_s=heartbeat_s,
            token=token,
            ca_file=ca_file,
        )
        # What would be refused with every attempt to register is refused here.
        self._registration(address="http://localhost")
        self._server: uvicorn.Server | None = None

    # ── To override ────────────────────────────────

    async def check_health(self) -> Health:
        """How it is while it works, asked before each heartbeat: `Health.OK`, or `Health.degraded(reason)`."""
        return Health.OK

    def metrics(self) -> Mapping[str, float]:
        """Figures of its own, at most 50, sent with each heartbeat."""
        return {}

    # ── To call ────────────────────────────────

    async def emit(self, event_type: str, payload: Mapping[str, Any] | None = None, *, within_s: float = 10.0) -> None:
        """Tell the orchestrator that something happened, such as `door.opened`. It is taken once, however often sent.

        Returns when it is taken. Raises what the orchestrator refuses it with, pydantic's ValidationError for what is
        no event, and OutcomeUnknown when no node could take it within `within_s` seconds.
        """
        event = Event(type=event_type, source=self.id, payload=dict(payload or {}), traceparent=current_traceparent())
        await self._reporter.deliver(event, within_s)

    async def report_error(
        self,
        error_code: str,
        message: str = "",
        *,
        severity: Literal["info", "warning", "error", "critical"] = "error",
        can_recover: bool = True,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell the orchestrator of an error; it changes no state. As `emit`."""
        error = ErrorPayload(
            severity=severity,
            error_code=error_code,
            message=message,
            can_recover=can_recover,
            metadata=dict(metadata or {}),
        )
        await self.emit(ERROR, error.model_dump(mode="json"))

    # ── Life ────────────────────────────────

    async def serve(self, host: str = "127.0.0.1", port: int = 0, *, advertised: str | None = None) -> None:
        """Listen, register, and run until `stop` is called or this is cancelled. Once in a component's life.

        Port 0 picks a free one. `advertised` is the base URL where the orchestrator reaches the component; it must be
        given when `host` is a wildcard. Raises OSError when the address cannot be listened on, ValueError
        when it is beyond loopback and there is no token, MemoryUnreadable for a memory that cannot be used.
        """
        if self._leaving is not None:
            return  # told to stop before it began
        if self._server is not None:
            raise RuntimeError("a component serves once; make another one")
        if advertised is None and host in ("", "0.0.0.0", "::"):  # noqa: S104 - refused, not bound
            raise ValueError(f"advertised: nobody can reach a component at {host or 'every address'}; say where")
        if not self._tokens and not _is_loopback(host):
            raise ValueError(
                f"command_token: on {host} anyone could send commands; beyond loopback a component needs a token that "
                "they come with: its command token, or the nodes' own as its token"
            )
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._memory.open()
        self._recover()
        try:
            await self._listen(host, port, family, advertised)
        finally:
            self._memory.close()

    async def _listen(self, host: str, port: int, family: socket.AddressFamily, advertised: str | None) -> None:
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
            self._depart(Command.GRACEFUL_STOP, State.STOPPING)
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

    def health(self) -> Mapping[str, Any]:
        return {"id": self.id, **self._heartbeat().model_dump(mode="json")}

    # ── Reports ────────────────────────────────

    def _state_entered(self, change: StateChangedPayload) -> None:
        self._reporter.state_changed(change)

    def _registration(self, address: str = "") -> ComponentRegistration:
        return ComponentRegistration(
            id=self.id,
            name=self.name,
            address=address or self.address,
            groups=self.groups,
            state=self.state,
            incarnation=self.incarnation,
            sequence=self._sequence,
            depends_on=self.depends_on,
            labels=self.labels,
            # The usual interval need not be said, and a node of the release before would not understand it.
            heartbeat_s=None if self._heartbeat_s == HEARTBEAT_S else self._heartbeat_s,
        )

    async def _beat(self) -> HeartbeatPayload:
        await self._check.run()
        return self._heartbeat()

    def _heartbeat(self) -> HeartbeatPayload:
        return HeartbeatPayload(
            state=self.state,
            reason=self.reason,
            incarnation=self.incarnation,
            sequence=self._sequence,
            cpu=self._load.cpu(),
            memory=self._load.memory(),
            health=self._check.health.status,
            health_reason=self._check.health.reason,
            metrics=self._check.figures(),
        )


def _demanded(component_id: str, token: str | None, own: str | None) -> list[str]:
    """What a command may come with. A token of the component's own opens nodes, and is nothing that they would show."""
    if own is not None:
        return [own]
    if token is None or token.startswith(PREFIX):
        return []
    return [token, derived(token, component_id)]


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
