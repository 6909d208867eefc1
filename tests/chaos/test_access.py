"""A revoked token on three real nodes: refused everywhere within a second, also where a node was away meanwhile."""

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.dev.local import LocalPlant
from orchestrator.dev.topology import on_free_ports
from tests.support import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.campaign, pytest.mark.alone, pytest.mark.timeout(120)]

PROMISED_S = 1.0
ROUNDS = 3


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def kept_on_disk(directory: Path, tokens: list[str]) -> list[Path]:
    """Files that hold the secret of a token."""
    secrets = [text.split("_", 2)[2].encode() for text in tokens]
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert len(files) > 9
    return [path for path in files if any(secret in path.read_bytes() for secret in secrets)]


class Asked:
    """The nodes, asked by one who shows a token."""

    def __init__(self, plant: LocalPlant, admin: str) -> None:
        self._plant = plant
        self._admin = bearer(admin)
        self.made = [admin]

    async def make(self, role: str = "operator", subject: str | None = None) -> dict[str, Any]:
        answer = await self._any("POST", "/v1/tokens", json={"name": "ada", "role": role, "subject": subject})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        self.made.append(made["token"])
        return made

    async def revoke(self, token_id: str) -> None:
        assert (await self._any("DELETE", f"/v1/tokens/{token_id}")).status_code == 204

    async def _any(self, method: str, path: str, **what: Any) -> httpx.Response:
        leader = await eventually(self._plant.leader, deadline_s=10)
        assert leader is not None
        url = self._plant.topology.node(leader.node_id).api + path
        return await self._plant.http.request(method, url, headers=self._admin, **what)

    async def code(self, node_id: str, token: str) -> str:
        """What a node says to a token: the kind of who asks, or why not."""
        url = self._plant.topology.node(node_id).api + "/v1/whoami"
        try:
            answer = (await self._plant.http.get(url, headers=bearer(token))).json()
        except httpx.HTTPError as error:
            return type(error).__name__
        return str(answer.get("reason") or answer.get("code") or answer["kind"])

    async def taken_everywhere(self, token: str) -> None:
        for node in self._plant.topology.nodes:

            async def taken(node_id: str = node.id) -> bool:
                return await self.code(node_id, token) == "token"

            await eventually(taken, deadline_s=10)


async def test_a_revoked_token_is_refused_on_every_node_within_a_second(tmp_path: Path) -> None:
    async with LocalPlant(on_free_ports(tmp_path)) as plant:
        leader = await plant.wait_ready()
        answer = await plant.call("POST", "/v1/access/bootstrap", json={"name": "root"})
        admin = answer.json()["token"]
        asked = Asked(plant, admin)
        await asked.taken_everywhere(admin)
        for node in plant.topology.nodes:
            assert await asked.code(node.id, "none") == "unknown"  # none of them is open any more

        # 1. All nodes well.
        slowest = 0.0
        for _ in range(ROUNDS):
            token = await asked.make()
            await asked.taken_everywhere(token["token"])
            await asked.revoke(token["id"])
            began = time.monotonic()
            for node in plant.topology.nodes:

                async def refused(node_id: str = node.id, text: str = token["token"]) -> bool:
                    return await asked.code(node_id, text) == "revoked"

                await eventually(refused, deadline_s=PROMISED_S)
            slowest = max(slowest, time.monotonic() - began)
        print(f"refused on all three nodes after at most {1000 * slowest:.1f} ms, asked one after the other")

        # Machines by a follower: these nodes have no token of their own, so what a machine shows goes on with it.
        follower = next(node for node in plant.topology.nodes if node.id != leader.node_id)
        for role, path, registration in (
            ("component", "/v1/components", {"id": "press-1", "address": "http://127.0.0.1:9"}),
            ("processor", "/processors/register", {"id": "press-1", "capabilities": ["x"], "capacity": 1}),
        ):
            machine = bearer((await asked.make(role, subject="press-1"))["token"])
            answer = await plant.http.post(follower.api + path, json=registration, headers=machine)
            assert answer.status_code == 201, answer.text
            beat = {"type": "component.heartbeat", "source": "press-1", "payload": {"state": "READY"}}
            sent = ("/event", beat) if role == "component" else ("/processors/press-1/heartbeat", {})
            answer = await plant.http.post(follower.api + sent[0], json=sent[1], headers=machine)
            assert answer.status_code == 204, answer.text

        # 2. A node sleeps while the token is revoked, and is asked from the moment at which it wakes up.
        token = await asked.make()
        await asked.taken_everywhere(token["token"])
        plant.node(follower.id).send(signal.SIGSTOP)
        await asked.revoke(token["id"])
        await asyncio.sleep(1.5 * PROMISED_S)  # longer than it may go by what it knows
        asking = asyncio.create_task(asked.code(follower.id, token["token"]))
        plant.node(follower.id).send(signal.SIGCONT)
        said = [await asking]
        ends = time.monotonic() + 1.0
        while time.monotonic() < ends:
            said.append(await asked.code(follower.id, token["token"]))
        assert set(said) <= {"revoked", "no_leader", "ReadTimeout"}, set(said)
        assert said[-1] == "revoked"

        # 3. Only one node is left: it trusts its own list no longer than it may, and the rest of it goes on.
        await asked.taken_everywhere(admin)
        left, *others = [node.id for node in plant.topology.nodes]
        for other in others:
            plant.node(other).send(signal.SIGSTOP)

        async def refuses() -> bool:
            return await asked.code(left, admin) == "no_leader"

        await eventually(refuses, deadline_s=3 * PROMISED_S)
        alone = await plant.ask(left, "/healthz")
        assert alone is not None
        assert alone.status_code == 200
        for other in others:
            plant.node(other).send(signal.SIGCONT)
        await asked.taken_everywhere(admin)

        # What was made is nowhere on the disks: not in the logs of the nodes, nor in what they replicate.
        assert len(asked.made) > ROUNDS
        assert kept_on_disk(tmp_path, asked.made) == []

        # 4. A node that starts again is not open until it has caught up, though it has no token of its own.
        await plant.kill(left)
        await plant.restart(left)
        heard: list[str] = []

        async def back() -> bool:
            heard.append(await asked.code(left, "none"))
            return heard[-1] == "unknown"

        await eventually(back, deadline_s=20)
        assert "open" not in heard
