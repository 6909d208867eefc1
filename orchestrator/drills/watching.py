"""Asks every node who leads, some tens of times a second, and notes when an answer becomes another one."""

import asyncio
import json
import ssl
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from orchestrator.drills.histories.http_link import Answer, HttpLink, LinkError
from orchestrator.drills.recorded import Epoch, Sighting, parse_epoch
from orchestrator.drills.target import HostPlace
from orchestrator.tasks import cancelled

__all__ = ["LeaderWatch", "address_of"]

EVERY_S = 0.025
"""40 questions a second a node: what a takeover is exact to."""
ANSWER_S = 0.5
SIGHTINGS_MAX = 20_000


class LeaderWatch:
    """Runs while its block lasts. `sightings`: by time; the first of each node says how it was at the beginning."""

    def __init__(self, hosts: Sequence[HostPlace], *, token: str | None, tls: ssl.SSLContext | None) -> None:
        self.sightings: list[Sighting] = []
        self._hosts = hosts
        self._headers = "" if token is None else f"Authorization: Bearer {token}\r\n"
        self._tls = tls
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._follow(host), name=f"watch-{host.id}") for host in self._hosts]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            await cancelled(task)

    def leader(self) -> Sighting | None:
        """The node that answers as leader under the newest epoch, as it was seen last."""
        newest = {sighting.node: sighting for sighting in self.sightings}
        leading = [one for one in newest.values() if one.state == "leads" and one.epoch is not None]
        return max(leading, key=lambda one: one.epoch or (0, 0), default=None)

    async def _follow(self, host: HostPlace) -> None:
        last: tuple[str, Epoch | None] | None = None
        async with HttpLink(*address_of(host.api), self._tls if host.api.startswith("https") else None) as link:
            while True:
                began = time.monotonic()
                try:
                    answer = await link.exchange("GET", "/leader", headers=self._headers, timeout=ANSWER_S)
                except LinkError:
                    said: tuple[str, Epoch | None] = ("silent", None)
                else:
                    said = _said(answer)
                if said != last and len(self.sightings) < SIGHTINGS_MAX:
                    last = said
                    self.sightings.append(Sighting(time.monotonic(), host.id, *said))
                await asyncio.sleep(max(0.005, EVERY_S - (time.monotonic() - began)))


def _said(answer: Answer) -> tuple[str, Epoch | None]:
    if answer.status != 200:
        return "follows", None
    try:
        epoch = json.loads(answer.body).get("epoch")
        return "leads", None if epoch is None else parse_epoch(epoch)
    except (ValueError, AttributeError):
        return "follows", None


def address_of(api: str) -> tuple[str, int]:
    """Host and port of an API's URL."""
    parts = urlsplit(api)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
