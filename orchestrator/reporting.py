"""How a component keeps the orchestrator informed: it registers, beats, and reports each change of its state.

Any node of the orchestrator takes it; they are tried in turn. Only the newest state is kept for sending: an older one
that could not be delivered is superseded by it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from orchestrator.components import ComponentRegistration
from orchestrator.events import HEARTBEAT, STATE_CHANGED, Event, HeartbeatPayload, StateChangedPayload
from orchestrator.tasks import cancelled

log = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(5.0, connect=1.0)
RETRY_FIRST_S = 0.1
RETRY_MAX_S = 2.0


class Reporter:
    """Reports for one component, in tasks of its own between `start` and `stop`.

    Args:
        urls: base URLs of the orchestrator's nodes.
        registration: makes the registration, with the state as of now.
        heartbeat: makes a heartbeat's payload.
        heartbeat_s: seconds between heartbeats.
        token: bearer token for the orchestrator's API, if it wants one.
    """

    def __init__(
        self,
        component_id: str,
        urls: Sequence[str],
        *,
        registration: Callable[[], ComponentRegistration],
        heartbeat: Callable[[], HeartbeatPayload],
        heartbeat_s: float,
        token: str | None,
    ) -> None:
        if not urls:
            raise ValueError("a component needs the URL of at least one node of the orchestrator")
        self._id = component_id
        self._urls = [url.rstrip("/") for url in urls]
        self._registration = registration
        self._heartbeat = heartbeat
        self._heartbeat_s = heartbeat_s
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._http = httpx.AsyncClient(timeout=TIMEOUT, headers=headers, trust_env=False)
        self._newest: StateChangedPayload | None = None
        self._changed = asyncio.Event()
        self._registering = asyncio.Lock()
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
        """Deliver the newest state if that works within `flush_s` seconds, then end."""
        if self.registered.is_set():
            loop = asyncio.get_running_loop()
            deadline = loop.time() + flush_s
            while self._newest is not None and loop.time() < deadline:
                await asyncio.sleep(0.02)
        for task in self._tasks:
            await cancelled(task)
        await self._http.aclose()

    def state_changed(self, payload: StateChangedPayload) -> None:
        """Have this change delivered, unless a newer one comes first."""
        self._newest = payload
        self._changed.set()

    async def _beat(self) -> None:
        while True:
            if self.registered.is_set():
                event = Event(type=HEARTBEAT, source=self._id, payload=self._heartbeat().model_dump(mode="json"))
                await self._send(event)
            else:
                await self._register()
            await asyncio.sleep(self._heartbeat_s if self.registered.is_set() else min(self._heartbeat_s, 0.5))

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
            else:
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, RETRY_MAX_S)

    async def _register(self) -> None:
        async with self._registering:
            answer = await self._post("/v1/components", self._registration().model_dump(mode="json"))
            if answer is None:
                return
            if answer.status_code in (200, 201):
                self._note("")
                self.registered.set()
            else:
                self._note(f"registration refused: {answer.status_code} {answer.text[:300]}")

    async def _send(self, event: Event) -> bool:
        """Whether the event was taken, or can never be."""
        answer = await self._post("/event", event.model_dump(mode="json", exclude_none=True))
        if answer is None:
            return False
        if answer.is_success:
            self._note("")
            return True
        if answer.status_code == 404 or _code(answer) == "component_superseded":
            self.registered.clear()  # unknown there, or another process took the id: say who is here
            return False
        self._note(f"{event.type} refused: {answer.status_code} {answer.text[:300]}")
        # A refused event would be refused again; 5xx says that it may be taken later.
        return answer.status_code < 500

    async def _post(self, path: str, document: dict[str, Any]) -> httpx.Response | None:
        """The first answer of any node that can answer; None when none can now."""
        last: httpx.Response | None = None
        reason = ""
        for _ in range(len(self._urls)):
            try:
                last = await self._http.post(self._urls[0] + path, json=document)
            except httpx.HTTPError as error:
                reason = f"{self._urls[0]}: {type(error).__name__} {error}"
            else:
                if last.status_code not in (502, 503, 504):
                    return last
                reason = f"{self._urls[0]}: {last.status_code} {_code(last)}"
            self._urls.append(self._urls.pop(0))
        self._note(f"no node of the orchestrator answers ({reason})")
        return None

    def _note(self, trouble: str) -> None:
        """Say what is wrong once, and once that it is over."""
        if trouble and not self._trouble:
            log.warning("component %s: %s", self._id, trouble)
        elif self._trouble and not trouble:
            log.info("component %s: the orchestrator answers again", self._id)
        self._trouble = trouble


def _code(answer: httpx.Response) -> str:
    try:
        document = answer.json()
    except ValueError:
        return ""
    return str(document.get("code", "")) if isinstance(document, dict) else ""
