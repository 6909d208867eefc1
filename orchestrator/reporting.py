"""How a component keeps the orchestrator informed: it registers, beats, and reports each change of its state.

Any node of the orchestrator takes it; they are tried in turn. Only the newest state is kept for sending: an older one
that could not be delivered is superseded by it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

from framebuffer.trust import trust_of
from orchestrator.components import ComponentRegistration
from orchestrator.errors import OrchestratorError, OutcomeUnknown, from_code
from orchestrator.events import HEARTBEAT, STATE_CHANGED, Event, HeartbeatPayload, StateChangedPayload
from orchestrator.tasks import cancelled
from orchestrator.verdicts import silence_limit

log = logging.getLogger(__name__)

HEARTBEAT_S = 1.0
"""The usual interval of heartbeats."""
TIMEOUT = httpx.Timeout(2.0, connect=1.0)
MISSED_HEARTBEATS = 3
"""As the nodes count them by default: a component cannot know their settings."""
BEAT_WITHIN_MAX_S = 2.0
LIMITS = httpx.Limits(max_connections=10, keepalive_expiry=2.0)
"""Connections end here before a node ends them (5 s): a request would be lost on one that is being closed."""
RETRY_FIRST_S = 0.1
RETRY_MAX_S = 2.0
REGISTER_AGAIN_S = 0.5


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
        self._urls = [_base_url(url) for url in urls]
        self._preferred = 0
        self._registration = registration
        self._heartbeat = heartbeat
        self._heartbeat_s = heartbeat_s
        within_s = beat_within(heartbeat_s)
        self._beat_timeout = httpx.Timeout(within_s, connect=min(1.0, within_s))
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        trust = trust_of(ca_file=ca_file)
        self._http = httpx.AsyncClient(timeout=TIMEOUT, limits=LIMITS, headers=headers, verify=trust, trust_env=False)
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
            ending.push_async_callback(self._http.aclose)
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
        document = event.model_dump(mode="json", exclude_none=True)
        wait_s = RETRY_FIRST_S
        try:
            async with asyncio.timeout(within_s):
                while True:
                    await self.registered.wait()
                    answer = await self._post("/event", document)
                    if answer is not None and answer.is_success:
                        return
                    if answer is not None and 400 <= answer.status_code < 500 and answer.status_code != 404:
                        raise _refusal(answer)
                    if answer is not None and answer.status_code == 404:
                        self.registered.clear()  # it is not known there: it registers again, and then says this again
                        self._forgotten.set()
                    await asyncio.sleep(wait_s)
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
                await self._send(Event(type=HEARTBEAT, source=self._id, payload=payload), self._beat_timeout)
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
            if await self._send(event):
                wait_s = RETRY_FIRST_S
                if self._newest is payload:  # a newer one may have come while this was on its way
                    self._newest = None
                    self._delivered.set()
            else:
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, RETRY_MAX_S)

    async def _register(self) -> None:
        document = self._registration().model_dump(mode="json", exclude_defaults=True)
        answer = await self._post("/v1/components", document)
        if answer is None:
            return
        if answer.status_code in (200, 201):
            self._note("")
            self.registered.set()
        else:
            self._note("refused", f"registration refused: {answer.status_code} {answer.text[:300]}")

    async def _send(self, event: Event, timeout: httpx.Timeout | None = None) -> bool:
        """Whether the event was taken, or can never be."""
        answer = await self._post("/event", event.model_dump(mode="json", exclude_none=True), timeout)
        if answer is None:
            return False
        if answer.is_success:
            self._note("")
            return True
        if answer.status_code == 404 or _code(answer) == "component_superseded":
            # Unknown there, or another process took the id: say who is here. One that leaves does not take it back.
            self.registered.clear()
            return self._leaving
        self._note("refused", f"{event.type} refused: {answer.status_code} {answer.text[:300]}")
        # A refused event would be refused again; 5xx says that it may be taken later.
        return answer.status_code < 500

    async def _post(
        self, path: str, document: dict[str, Any], timeout: httpx.Timeout | None = None
    ) -> httpx.Response | None:
        """The first answer of any node that can answer; None when none can now. `timeout`: of each, else `TIMEOUT`."""
        within = self._http.timeout if timeout is None else timeout
        first = self._preferred
        reason = ""
        for offset in range(len(self._urls)):
            at = (first + offset) % len(self._urls)
            try:
                answer = await self._http.post(self._urls[at] + path, json=document, timeout=within)
            except httpx.HTTPError as error:
                reason = f"{self._urls[at]}: {type(error).__name__} {error}"
            else:
                if answer.status_code not in (502, 503, 504):
                    self._preferred = at
                    return answer
                reason = f"{self._urls[at]}: {answer.status_code} {_code(answer)}"
        self._preferred = (first + 1) % len(self._urls)
        self._note("unreachable", f"no node of the orchestrator answers ({reason})")
        return None

    def _note(self, trouble: str, text: str = "") -> None:
        """Say what is wrong once, and once that it is over."""
        if trouble and trouble != self._trouble:
            log.warning("component %s: %s", self._id, text)
        elif self._trouble and not trouble:
            log.info("component %s: the orchestrator answers again", self._id)
        self._trouble = trouble


def _base_url(text: str) -> str:
    try:
        url = httpx.URL(text.rstrip("/"))
    except httpx.InvalidURL as error:
        raise ValueError(f"{text!r} is no base URL of a node: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"{text!r} is no base URL of a node: it is http://host:port or https://host:port")
    return str(url).rstrip("/")


def _refusal(answer: httpx.Response) -> OrchestratorError:
    try:
        document = answer.json()
    except ValueError:
        document = {}
    detail = document.get("detail") if isinstance(document, dict) else None
    return from_code(_code(answer) or "refused", str(detail or f"refused: {answer.status_code}"))


def _code(answer: httpx.Response) -> str:
    try:
        document = answer.json()
    except ValueError:
        return ""
    return str(document.get("code", "")) if isinstance(document, dict) else ""
