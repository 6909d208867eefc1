"""A processor's side of the orchestrator's HTTP interface: register, heartbeat, unregister.

Any node answers for the cluster; `orchestrator.client` goes from the one that answered last to the others. Each request
is one round over the nodes: what is refused is raised at once; what merely failed (no connection, 5xx, no leader now)
is tried on the next node.

::

    FrameBufferError
    ├── InvalidRegistration      the orchestrator found the registration invalid, or an argument is
    ├── RegistrationRefused      the id belongs to another client that is healthy
    ├── OrchestratorUnavailable  no node answered
    ├── TrustUnusable            a file of certificates cannot be used
    └── AccessDenied             access_denied  the bearer token is missing or wrong
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from framebuffer.durability import Durability
from framebuffer.errors import (
    FrameBufferError,
    InvalidRegistration,
    OrchestratorUnavailable,
    ProcessorUnknown,
    RegistrationRefused,
    TrustUnusable,
)
from framebuffer.models import ProcessorRegistration
from framebuffer.outage import Outage
from framebuffer.trust import named
from orchestrator.client.addresses import checked_addresses
from orchestrator.client.asynchronous import AsyncClient
from orchestrator.client.attempts import Tries
from orchestrator.client.connections import usable
from orchestrator.client.errors import ApiError, ClientError, OutcomeUnknown, SettingsInvalid
from orchestrator.client.tokens import checked_token

log = logging.getLogger(__name__)

INSTANCE_HEADER = "X-Processor-Token"
"""Carries the client instance's token: it tells a client that registers again from another one that wants the same
id."""

_INSTANCE_CHARS_MAX = 200
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

    Errors: InvalidRegistration for a URL, token or instance that cannot be used, TrustUnusable for a file of
    certificates.
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
        self._headers = {INSTANCE_HEADER: _instance(instance) or secrets.token_hex(16)}
        addresses = _addresses(urls)
        self._client = _client(addresses, token, ca_file, _round(len(addresses), timeout_s))
        self._beating = self._client.trying(_round(len(addresses), heartbeat_timeout_s))
        self._outage = Outage(f"processor {registration.id}: orchestrator", log, first_s=0.1, most_s=2.0)

    async def register(self, *, timeout_s: float | None = None, exists_wait_s: float = 0.0) -> Enrolment:
        """Tries until a node answers, or for `timeout_s`.

        An id that is taken is asked for again during `exists_wait_s`: after a crash it is the own old registration,
        which is free as soon as the orchestrator misses its heartbeats.

        Errors: RegistrationRefused, InvalidRegistration, AccessDenied; OrchestratorUnavailable after `timeout_s`.
        """
        began = time.monotonic()
        body = self.registration.model_dump(mode="json")
        key, told = secrets.token_hex(16), False
        while True:
            try:
                answer = await self._ask(self._client, "POST", "/processors/register", body, key)
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
        body = {"in_flight": in_flight, "settled": settled, "errors": errors}
        try:
            await self._ask(self._beating, "POST", f"/processors/{self.registration.id}/heartbeat", body)
        except ProcessorUnknown:
            return False
        except OrchestratorUnavailable as error:
            self._outage.failed(error)
            raise
        return True

    async def unregister(self) -> None:
        """Unknown there, or taken over by another, is fine. Errors: OrchestratorUnavailable, AccessDenied."""
        try:
            await self._ask(self._client, "DELETE", f"/processors/{self.registration.id}")
        except (ProcessorUnknown, RegistrationRefused) as error:
            log.debug("unregister: %s", error)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _ask(
        self, client: AsyncClient, method: str, path: str, body: Any = None, key: str | None = None
    ) -> dict[str, Any]:
        """What a node answers, empty for no object. Errors: see the module; ProcessorUnknown for 404."""
        try:
            reply = await client.request(method, path, body=body, headers=self._headers, key=key)
            document = reply.data
        except ClientError as error:
            failed = self._failed(error, known=not path.endswith("/register"))
            if not isinstance(failed, OrchestratorUnavailable):
                self._outage.over()
            raise failed from None
        self._outage.over()
        return document if isinstance(document, dict) else {}

    def _failed(self, error: ClientError, *, known: bool) -> FrameBufferError:
        """The same as an error of this package, which is what a processor's own code knows."""
        match error.status if isinstance(error, ApiError) else None:
            case 401 | 403:
                return AccessDenied(f"the orchestrator refused the token: {_said(error)}")
            case 404 if known:
                return ProcessorUnknown(f"processor {self.registration.id} is not registered: {_said(error)}")
            case 409 if error.code in _TAKEN:
                return RegistrationRefused(f"processor {self.registration.id}: {_said(error)}")
            case 400 | 413 | 422:
                return InvalidRegistration("registration", _said(error))
        return OrchestratorUnavailable(_said(error))


def _instance(name: str | None) -> str | None:
    """Raises InvalidRegistration for one that no header holds."""
    fits = name is None or len(name) <= _INSTANCE_CHARS_MAX
    if name and not (fits and name == name.strip() and all(" " <= character <= "~" for character in name)):
        raise InvalidRegistration(
            "instance", f"at most {_INSTANCE_CHARS_MAX} ASCII characters, none of control, no blank at an end"
        )
    return name


def _addresses(urls: str | Sequence[str]) -> Sequence[str]:
    try:
        return usable(checked_addresses(urls))
    except SettingsInvalid as error:
        raise InvalidRegistration("orchestrator_url", str(error)) from None


def _client(addresses: Sequence[str], token: str | None, ca_file: str | Path | None, tries: Tries) -> AsyncClient:
    try:
        if token:
            checked_token(token, "the token")  # here, not with the first request
    except SettingsInvalid as error:
        raise InvalidRegistration("token", str(error)) from None
    ca, certificate = named(ca_file=ca_file)
    try:
        return AsyncClient(addresses, token=token, ca=ca, certificate=certificate, tries=tries)
    except SettingsInvalid as error:
        raise TrustUnusable(str(error)) from None


def _round(nodes: int, node_s: float) -> Tries:
    """Each node is asked once, the one that answered last first; nothing is said again after that."""
    return Tries(nodes * node_s, rounds=1, insists=False, node_s=node_s, to_leader=False, finds_members=False)


def _said(error: ClientError) -> str:
    """In one line."""
    text = error.reason if isinstance(error, OutcomeUnknown) else str(error)
    head, *reasons = (line.strip() for line in text.splitlines())
    return f"{head} {'; '.join(reasons)}".rstrip()[:500]


def _enrolment(body: dict[str, Any], registration: ProcessorRegistration) -> Enrolment:
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
