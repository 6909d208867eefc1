"""A processor's side of the orchestrator's HTTP interface: register, heartbeat, unregister.

Any node answers for the cluster, so a request goes to the node that answered last, then to the others in turn. What
is refused is raised at once; what merely failed (no connection, 5xx, no leader now) is tried on the next node.

::

    FrameBufferError
    ├── InvalidRegistration      the orchestrator found the registration invalid
    ├── RegistrationRefused      the id belongs to another client that is healthy
    ├── OrchestratorUnavailable  no node answered
    └── AccessDenied             access_denied  the bearer token is missing or wrong
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec

from framebuffer.durability import Durability
from framebuffer.errors import (
    FrameBufferError,
    InvalidRegistration,
    OrchestratorUnavailable,
    ProcessorUnknown,
    RegistrationRefused,
)
from framebuffer.models import ProcessorRegistration, http_url
from framebuffer.outage import Outage
from framebuffer.trust import trust_of

log = logging.getLogger(__name__)

INSTANCE_HEADER = "X-Processor-Token"
"""Carries the client instance's token: it tells a client that registers again from another one that wants the same
id."""

_EXISTS_PAUSE_S = 0.5
_TAKEN = frozenset({"processor_exists", "processor_changed"})
"""Of the conflicts only these are about this processor; any other one (a leader that is deposed just now) passes."""


class AccessDenied(FrameBufferError):
    """The orchestrator wants a bearer token, and this one is missing or wrong."""

    code = "access_denied"


class Enrolment(msgspec.Struct, frozen=True):
    """What the orchestrator answers to a registration: where the frames are."""

    queue: str
    group: str
    redis_url: str | None = None
    max_attempts: int | None = None
    results_kept: int | None = None
    lease_s: float | None = None
    durability: Durability | None = None


class Registrar:
    """Speaks for one processor.

    `timeout_s` bounds a request to one node, `heartbeat_timeout_s` a heartbeat: it must leave time to ask another node
    before the orchestrator misses it, as a node that is stopped still accepts connections. `ca_file`: see
    `framebuffer.trust`.
    """

    def __init__(
        self,
        registration: ProcessorRegistration,
        urls: str | Sequence[str],
        *,
        token: str | None = None,
        instance: str | None = None,
        timeout_s: float = 3.0,
        heartbeat_timeout_s: float = 1.0,
        ca_file: str | Path | None = None,
    ) -> None:
        self.registration = registration
        self._urls = _addresses(urls)
        self._timeout_s = timeout_s
        self._heartbeat_timeout_s = heartbeat_timeout_s
        headers = {INSTANCE_HEADER: instance or secrets.token_hex(16)}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        # Proxies of the environment are for the outside world, not for the cluster.
        self._http = httpx.AsyncClient(headers=headers, verify=trust_of(ca_file=ca_file), trust_env=False)
        self._outage = Outage(f"processor {registration.id}: orchestrator", log, first_s=0.1, most_s=2.0)

    async def register(self, *, timeout_s: float | None = None, exists_wait_s: float = 0.0) -> Enrolment:
        """Tries until a node answers, or for `timeout_s`.

        An id that is taken is asked for again during `exists_wait_s`: after a crash it is the own old registration,
        which is free as soon as the orchestrator misses its heartbeats.

        Errors: RegistrationRefused, InvalidRegistration, AccessDenied; OrchestratorUnavailable after `timeout_s`.
        """
        began = time.monotonic()
        key, told = secrets.token_hex(16), False
        while True:
            try:
                answer = await self._request("POST", "/processors/register", self.registration.to_json(), key=key)
            except OrchestratorUnavailable as error:
                pause_s = self._outage.failed(error)
                if timeout_s is not None and time.monotonic() - began + pause_s > timeout_s:
                    raise
                await asyncio.sleep(pause_s)
            except RegistrationRefused as error:
                if time.monotonic() - began >= exists_wait_s:
                    raise
                if not told:
                    log.warning("%s; asking again for %.0f s", error, exists_wait_s)
                    told = True
                await asyncio.sleep(_EXISTS_PAUSE_S)
                key = secrets.token_hex(16)  # under the old one the cluster would repeat its old answer
            else:
                return _enrolment(answer, self.registration)

    async def heartbeat(self, *, in_flight: int, settled: int, errors: int) -> bool:
        """False when the orchestrator does not know this processor: register again.

        Errors: OrchestratorUnavailable when no node answered, RegistrationRefused when another client has the id now.
        """
        body = msgspec.json.encode({"in_flight": in_flight, "settled": settled, "errors": errors})
        try:
            path = f"/processors/{self.registration.id}/heartbeat"
            await self._request("POST", path, body, timeout_s=self._heartbeat_timeout_s)
        except ProcessorUnknown:
            return False
        except OrchestratorUnavailable as error:
            self._outage.failed(error)
            raise
        return True

    async def unregister(self) -> None:
        """Unknown there, or taken over by another, is fine. Errors: OrchestratorUnavailable, AccessDenied."""
        try:
            await self._request("DELETE", f"/processors/{self.registration.id}", key=secrets.token_hex(16))
        except (ProcessorUnknown, RegistrationRefused) as error:
            log.debug("unregister: %s", error)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _request(
        self,
        method: str,
        path: str,
        body: str | bytes | None = None,
        *,
        key: str | None = None,
        timeout_s: float | None = None,
    ) -> httpx.Response:
        """One round over the nodes. Errors: see the module; ProcessorUnknown for 404."""
        headers = {} if body is None else {"Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        reasons = []
        for _ in range(len(self._urls)):
            url = self._urls[0]
            try:
                response = await self._http.request(
                    method, url + path, content=body, headers=headers, timeout=timeout_s or self._timeout_s
                )
            except httpx.TransportError as error:
                reasons.append(f"{url}: {type(error).__name__} {error}".rstrip())
            else:
                if not _passing(response, path):
                    self._outage.over()
                    _raise_refusal(response, self.registration.id)
                    return response
                reasons.append(f"{url}: {response.status_code} {_detail(response)}")
            self._urls.append(self._urls.pop(0))
        raise OrchestratorUnavailable("; ".join(reasons))


def _addresses(urls: str | Sequence[str]) -> list[str]:
    """Base URLs from a list, or from a text with commas. Errors: InvalidRegistration."""
    given = urls.split(",") if isinstance(urls, str) else list(urls)
    found = [url.strip().rstrip("/") for url in given if url.strip()]
    if not found:
        raise InvalidRegistration("orchestrator_url", "at least one URL is needed")
    for url in found:
        try:
            http_url(url)
        except ValueError as error:
            raise InvalidRegistration("orchestrator_url", f"{url!r} {error}") from None
    return list(dict.fromkeys(found))


def _passing(response: httpx.Response, path: str) -> bool:
    """Another node, or the same one later, may answer better."""
    status = response.status_code
    if status == 404:
        return path.endswith("/register")  # not an orchestrator at all, or one that is not up yet
    if status == 409:
        return _problem(response).get("code") not in _TAKEN
    return not (response.is_success or status in (400, 401, 403, 413, 422))


def _raise_refusal(response: httpx.Response, processor_id: str) -> None:
    match response.status_code:
        case 401 | 403:
            raise AccessDenied(f"the orchestrator refused the token: {_detail(response)}")
        case 404:
            raise ProcessorUnknown(f"processor {processor_id} is not registered")
        case 409:
            raise RegistrationRefused(f"processor {processor_id}: {_detail(response)}")
        case 400 | 413 | 422:
            raise InvalidRegistration("registration", _detail(response))


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _detail(response: httpx.Response) -> str:
    problem = _problem(response)
    text = problem.get("detail") or problem.get("title") or response.reason_phrase
    code = problem.get("code")
    return f"{code}: {text}"[:500] if code else str(text)[:500]


def _enrolment(response: httpx.Response, registration: ProcessorRegistration) -> Enrolment:
    body = _problem(response)
    redis_url, attempts, kept = body.get("redis_url"), body.get("max_attempts"), body.get("results_kept")
    lease_s, durability = body.get("lease_s"), body.get("durability")
    return Enrolment(
        queue=str(body.get("queue") or registration.queue),
        group=str(body.get("group") or registration.group),
        redis_url=redis_url if isinstance(redis_url, str) and redis_url else None,
        max_attempts=attempts if isinstance(attempts, int) and attempts > 0 else None,
        results_kept=kept if isinstance(kept, int) and kept > 0 else None,
        lease_s=lease_s if isinstance(lease_s, int | float) and lease_s > 0 else None,
        durability=durability if durability == "majority" or isinstance(durability, int) else None,
    )
