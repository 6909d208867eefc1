"""How a component keeps the orchestrator informed: it registers, beats, and reports each change of its state.

Any node of the orchestrator takes it; `orchestrator.client` goes from one to the next. Only the newest state is kept
for sending: an older one that could not be delivered is superseded by it. So each is one round over the nodes, and what
comes next is decided here:

    taken                                        the next heartbeat, the next change
    404, component_superseded                    register again
    no answer, 502, 503, 504; after all nodes    a heartbeat is left out, a newest state sent again after a pause
    any other answer                             refused; below 500 (but 429) it is not sent again
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from framebuffer.trust import named
from orchestrator.client.asynchronous import AsyncClient
from orchestrator.client.attempts import Tries
from orchestrator.client.errors import ApiError, ClientError, UnexpectedAnswer
from orchestrator.client.errors import OutcomeUnknown as MayBeDone
from orchestrator.client.tokens import checked_token
from orchestrator.components import ComponentRegistration
from orchestrator.errors import OrchestratorError, OutcomeUnknown, from_code
from orchestrator.events import HEARTBEAT, STATE_CHANGED, Event, HeartbeatPayload, StateChangedPayload
from orchestrator.tasks import cancelled
from orchestrator.verdicts import silence_limit

log = logging.getLogger(__name__)

HEARTBEAT_S = 1.0
"""The usual interval of heartbeats."""
NODE_S = 2.0
"""How long one node gets for anything but a heartbeat, before the next one is asked."""
MISSED_HEARTBEATS = 3
"""As the nodes count them by default: a component cannot know their settings."""
BEAT_WITHIN_MAX_S = 2.0
RETRY_FIRST_S = 0.1
RETRY_MAX_S = 2.0
REGISTER_AGAIN_S = 0.5
PASSING = frozenset({502, 503, 504})
"""Statuses of a node that cannot do it now."""


def beat_within(heartbeat_s: float) -> float:
    """Seconds that one node gets to answer a heartbeat before the next one is asked.

    Three quarters of what is left of the silence after which a component is OFFLINE, once an interval is over: else a
    node that hangs would take the components that report to it down, and with them all that needs them. No less, as a
    busy node that is given up too early would not hear them either.
    """
    left_s = silence_limit(heartbeat_s, missed=MISSED_HEARTBEATS, timeout_s=0.0) - heartbeat_s
    return min(BEAT_WITHIN_MAX_S, 0.75 * left_s)


class Reporter:
    """Reports for one component, in tasks of its own between `start` and `stop`.

    Args:
        urls: base URLs of the orchestrator's nodes.
        registration: makes the registration, with the state as of now.
        heartbeat: makes a heartbeat's payload.
        heartbeat_s: seconds between heartbeats.
        token: bearer token for the orchestrator's API, if it wants one.
        ca_file: whose certificates it may have (`framebuffer.trust`).

    Raises SettingsInvalid (a ValueError) for a URL, a token or a file of certificates that cannot be used;
    TrustUnusable where the environment names a certificate without its key.
    """

    def __init__(
        self,
        component_id: str,
        urls: Sequence[str],
        *,
        registration: Callable[[], ComponentRegistration],
        heartbeat: Callable[[], Awaitable[HeartbeatPayload]],
        heartbeat_s: float,
        token: str | None,
        ca_file: str | Path | None = None,
    ) -> None:
        if not urls:
            raise ValueError("a component needs the URL of at least one node of the orchestrator")
        if not heartbeat_s > 0:
            raise ValueError("heartbeat_s: seconds between heartbeats, more than 0")
        self._id = component_id
        self._registration = registration
        self._heartbeat = heartbeat
        self._heartbeat_s = heartbeat_s
        if token:
            checked_token(token, "the token")  # here, not with the first request
        ca, certificate = named(ca_file=ca_file)
        tries = _round(len(urls), NODE_S)
        self._client = AsyncClient(urls, token=token, ca=ca, certificate=certificate, tries=tries)
        self._beating = self._client.trying(_round(len(urls), beat_within(heartbeat_s)))
        self._newest: StateChangedPayload | None = None
        self._changed = asyncio.Event()
        self._delivered = asyncio.Event()
        self._delivered.set()
        self._forgotten = asyncio.Event()
        self._leaving = False
        self._tasks: list[asyncio.Task[None]] = []
        self._trouble = ""
        self.registered = asyncio.Event()
        """Set once the orchestrator has taken the registration."""

    async def start(self) -> None:
        """Begin to register, beat and report."""
        self._tasks = [
            asyncio.create_task(self._beat(), name=f"heartbeat-{self._id}"),
            asyncio.create_task(self._report(), name=f"report-{self._id}"),
        ]

    async def stop(self, *, flush_s: float = 1.0) -> None:
        """Deliver the newest state if that works within `flush_s` seconds, then end for good."""
        self._leaving = True
        async with contextlib.AsyncExitStack() as ending:
            ending.push_async_callback(self._client.aclose)
            for task in self._tasks:
                ending.push_async_callback(cancelled, task)
            if self.registered.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(flush_s):
                        await self._delivered.wait()

    def state_changed(self, payload: StateChangedPayload) -> None:
        """Have this change delivered, unless a newer one comes first."""
        self._newest = payload
        self._delivered.clear()
        self._changed.set()

    async def deliver(self, event: Event, within_s: float) -> None:
        """Send an event until a node has taken it. Raises its refusal; OutcomeUnknown after `within_s` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        wait_s = RETRY_FIRST_S
        try:
            async with asyncio.timeout_at(deadline):
                while True:
                    await self.registered.wait()
                    tries = _anywhere(deadline - loop.time(), NODE_S)
                    try:
                        await _tell(self._client.trying(tries), event)
                        return
                    except ClientError as error:
                        status = _status(error)
                        if status == 404:  # it is not known there: it registers again, and then says this again
                            self.registered.clear()
                            self._forgotten.set()
                        elif status is not None and _final(status):
                            raise _refusal(error) from None
                        asked_s = (error.retry_after_s or 0.0) if isinstance(error, ApiError) else 0.0
                    await asyncio.sleep(max(wait_s, asked_s))
                    wait_s = min(2 * wait_s, RETRY_MAX_S)
        except TimeoutError:
            raise OutcomeUnknown(
                f"no node of the orchestrator took {event.type} within {within_s:g} s; send it again with the same id"
            ) from None

    async def _beat(self) -> None:
        while True:
            if self.registered.is_set():
                # What is as usual is left out: a node of the release before knows fewer members.
                payload = (await self._heartbeat()).model_dump(mode="json", exclude_defaults=True)
                await self._send(self._beating, Event(type=HEARTBEAT, source=self._id, payload=payload))
            elif not self._leaving:
                await self._register()
            registered = self.registered.is_set()
            self._forgotten.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(
                    self._heartbeat_s if registered else min(self._heartbeat_s, REGISTER_AGAIN_S)
                ):
                    await self._forgotten.wait()

    async def _report(self) -> None:
        wait_s = RETRY_FIRST_S
        while True:
            await self._changed.wait()
            await self.registered.wait()
            payload = self._newest
            if payload is None:
                self._changed.clear()
                continue
            event = Event(type=STATE_CHANGED, source=self._id, payload=payload.model_dump(mode="json"))
            if await self._send(self._client, event):
                wait_s = RETRY_FIRST_S
                if self._newest is payload:  # a newer one may have come while this was on its way
                    self._newest = None
                    self._delivered.set()
            else:
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, RETRY_MAX_S)

    async def _register(self) -> None:
        document = self._registration().model_dump(mode="json", exclude_defaults=True)
        try:
            # Not by the method for it, which reads the answer: that of another release may have another shape.
            await self._client.request("POST", "/v1/components", body=document)
        except ClientError as error:
            self._failed("registration", error)
        else:
            self._note("")
            self.registered.set()

    async def _send(self, client: AsyncClient, event: Event) -> bool:
        """Whether the event was taken, or can never be."""
        try:
            await _tell(client, event)
        except ClientError as error:
            if _status(error) == 404 or error.code == "component_superseded":
                # Unknown there, or another process took the id: say who is here. One that leaves does not take it back.
                self.registered.clear()
                return self._leaving
            return self._failed(event.type, error)
        self._note("")
        return True

    def _failed(self, what: str, error: ClientError) -> bool:
        """Whether it would be refused again."""
        status = _status(error)
        if status is None or status in PASSING or error.code == "key_in_flight":
            self._note("unreachable", f"no node of the orchestrator answers ({_said(error)})")
            return False
        self._note("refused", f"{what} refused: {status} {_said(error)[:300]}")
        return _final(status)

    def _note(self, trouble: str, text: str = "") -> None:
        """Say what is wrong once, and once that it is over."""
        if trouble and trouble != self._trouble:
            log.warning("component %s: %s", self._id, text)
        elif self._trouble and not trouble:
            log.info("component %s: the orchestrator answers again", self._id)
        self._trouble = trouble


def _anywhere(timeout_s: float, node_s: float) -> Tries:
    """Each node takes what components say, and gathers heartbeats for the leader, which would else hear each one."""
    return Tries(timeout_s, node_s=node_s, to_leader=False, finds_members=False)


def _round(nodes: int, node_s: float) -> Tries:
    """Each node is asked once, and nothing is said again: it would be old by then."""
    return replace(_anywhere(nodes * node_s, node_s), rounds=1, insists=False)


async def _tell(client: AsyncClient, event: Event) -> None:
    said = event.model_dump(mode="json", exclude_none=True)
    kind, source, payload = (said.pop(name) for name in ("type", "source", "payload"))
    await client.events.send(kind, source, payload, key=event.id, more=said)


def _status(error: ClientError) -> int | None:
    """Of the answer that the error is; None where none came."""
    return error.status if isinstance(error, ApiError | UnexpectedAnswer) else None


def _final(status: int) -> bool:
    """Whether what was refused would be refused again: 5xx and 429 say that it may be taken later."""
    return status < 500 and status != 429


def _refusal(error: ClientError) -> OrchestratorError:
    """The same as an error of this package, which is what a component's own code knows."""
    if isinstance(error, ApiError):
        return from_code(error.code, error.detail)
    return from_code("refused", error.message)


def _said(error: ClientError) -> str:
    """In one line; of several addresses the last one."""
    return (error.reason if isinstance(error, MayBeDone) else str(error)).rpartition("\n")[2].strip()
