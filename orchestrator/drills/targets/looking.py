"""How a deployed plant is, asked from the controller: who leads, who is ready, where the primary is and who follows it.

Whatever does not answer within `ANSWER_S` counts as not there: a drill looks at plants that are broken.
The one write, of `write_refused`, changes nothing also where it is taken.
"""

import asyncio
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from redis.exceptions import RedisError

from framebuffer.connection import connect, execute, node_url
from framebuffer.sentinel import SentinelLocator
from orchestrator.client.tls import context_of
from orchestrator.drills.targets.deployed import Deployed, host_of

ANSWER_S = 1.5
WRITE_S = 5.0
"""A node waits for a leader before it refuses a write."""
PROBE = "drill-write-probe"
NEVER = '"999999999999999999"'
"""A revision that no variable has: a write at it is refused by whoever may decide, and changes nothing."""


class PlantLook:
    """Of one plant. `redis_password`, `sentinel_password`, `token` (of the API): None where there is none."""

    def __init__(
        self,
        plant: Deployed,
        *,
        redis_password: str | None,
        sentinel_password: str | None,
        ca: Path | None,
        token: str | None = None,
    ) -> None:
        self._plant = plant
        self._password = redis_password
        self._token = token
        urls = [member.api for member in plant.members]
        self._http = httpx.AsyncClient(verify=context_of(urls, ca, None), timeout=ANSWER_S, trust_env=False)
        sentinels = [_host_and_port(place) for place in plant.sentinels]
        self._locator = SentinelLocator(sentinels, plant.service, password=sentinel_password) if sentinels else None
        self._sentinels = [
            connect(node_url(host, port), password=sentinel_password, timeout_s=ANSWER_S) for host, port in sentinels
        ]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()
        if self._locator is not None:
            await self._locator.aclose()
        for sentinel in self._sentinels:
            await sentinel.aclose()

    async def not_ready(self) -> dict[str, str]:
        """Why, by node; empty when all of them are ready and name the same leader."""
        answers = await asyncio.gather(*(self._get(f"{member.api}/readyz") for member in self._plant.members))
        found: dict[str, str] = {}
        leaders: set[str] = set()
        for member, (status, body) in zip(self._plant.members, answers, strict=True):
            if status != 200:
                found[member.id] = str(body.get("detail") or f"status {status}")
            leaders.add(str(body.get("leader")))
        if not found and len(leaders) != 1:
            found["all"] = f"they name different leaders: {', '.join(sorted(leaders))}"
        return found

    async def leader(self) -> str | None:
        """Who says of itself that it leads; None where nobody does, or more than one."""
        answers = await asyncio.gather(*(self._get(f"{member.api}/leader") for member in self._plant.members))
        led = [member.id for member, (status, _) in zip(self._plant.members, answers, strict=True) if status == 200]
        return led[0] if len(led) == 1 else None

    async def led_by(self, member_id: str) -> str | None:
        """Whom this node takes for the leader; None where it knows none, or does not answer."""
        (member,) = (one for one in self._plant.members if one.id == member_id)
        _, body = await self._get(f"{member.api}/leader")
        leader = body.get("leader")
        return leader if isinstance(leader, str) else None

    async def write_refused(self, member_id: str, key: str) -> str | None:
        """Status and code with which this node refuses a write for want of a leader; None where it does not.

        `key`: of the request, the same each time that it is asked again.
        """
        (member,) = (one for one in self._plant.members if one.id == member_id)
        headers = {"If-Match": NEVER, "Idempotency-Key": key}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            url = f"{member.api}/v1/variables/{PROBE}"
            answer = await self._http.put(url, json={"value": 1}, headers=headers, timeout=WRITE_S)
            code = answer.json()["code"]
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return None
        return f"{answer.status_code} {code}" if (answer.status_code, code) == (503, "no_leader") else None

    async def clock(self, member_id: str) -> float | None:
        """The Unix seconds that this node gives as the date of its answers; None where it does not answer."""
        (member,) = (one for one in self._plant.members if one.id == member_id)
        try:
            answer = await self._http.get(f"{member.api}/healthz")
            return parsedate_to_datetime(answer.headers["date"]).timestamp()
        except (httpx.HTTPError, KeyError, ValueError):
            return None

    async def primary(self) -> tuple[str, int] | None:
        """Address of the server that the sentinels name; None where they name none, or there are no sentinels."""
        if self._locator is None:
            return None
        try:
            return (await self._locator.locate()).address
        except (RedisError, OSError):
            return None

    async def primary_host(self) -> str | None:
        """The host that it runs on."""
        address = await self.primary()
        return None if address is None else host_of(address[0], self._plant.members)

    async def not_replicating(self) -> list[str]:
        """Why the servers are not as they should be; empty where every other one follows the primary."""
        if self._locator is None:
            return []
        address = await self.primary()
        if address is None:
            return ["no sentinel names a primary"]
        wanted = len(self._plant.members) - 1
        found = [*await self._followers(address, wanted)]
        for place, sentinel in zip(self._plant.sentinels, self._sentinels, strict=True):
            try:
                replicas = await execute(sentinel, "SENTINEL", "REPLICAS", self._plant.service)
                others = await execute(sentinel, "SENTINEL", "SENTINELS", self._plant.service)
                master = await execute(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._plant.service)
            except (RedisError, OSError) as error:
                found.append(f"sentinel {place}: {str(error) or type(error).__name__}")
                continue
            if master is None or (master[0].decode(), int(master[1])) != address:
                found.append(f"sentinel {place} names another primary")
            found += _odd(place, "replicas", "slave", replicas, wanted)
            found += _odd(place, "sentinels", "sentinel", others, len(self._sentinels) - 1)
        return found

    async def _followers(self, address: tuple[str, int], wanted: int) -> list[str]:
        server = connect(node_url(*address), password=self._password, timeout_s=ANSWER_S)
        try:
            info: Mapping[str, object] = await server.info("replication")
        except (RedisError, OSError) as error:
            return [f"the primary at {address[0]}:{address[1]}: {str(error) or type(error).__name__}"]
        finally:
            await server.aclose()
        rows = [row for name, row in info.items() if name.startswith("slave") and isinstance(row, Mapping)]
        online = [row for row in rows if row.get("state") == "online"]
        if info.get("role") != "master":
            return [f"the server at {address[0]}:{address[1]} is a {info.get('role')}"]
        return [] if len(online) >= wanted else [f"{len(online)} of {wanted} replicas follow the primary"]

    async def _get(self, url: str) -> tuple[int, Mapping[str, object]]:
        """Status and body; 0 where no answer came, with the reason as `detail`."""
        try:
            answer = await self._http.get(url)
            body = answer.json()
        except httpx.HTTPError as error:
            return 0, {"detail": f"no answer: {str(error) or type(error).__name__}"}
        except ValueError:
            return 0, {"detail": "an answer that is no JSON"}
        return answer.status_code, body if isinstance(body, dict) else {}


def _odd(place: str, what: str, flags: str, rows: Sequence[Sequence[bytes]], wanted: int) -> list[str]:
    """What a sentinel says of replicas or of other sentinels that is not well."""
    said = [dict(zip(row[::2], row[1::2], strict=True)) for row in rows]
    well = [row for row in said if row.get(b"flags", b"").decode() == flags]
    return [] if len(well) >= wanted else [f"sentinel {place} sees {len(well)} of {wanted} {what} well"]


def _host_and_port(place: str) -> tuple[str, int]:
    host, _, port = place.rpartition(":")
    return host.strip("[]"), int(port)
