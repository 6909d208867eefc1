"""The leader is killed while changes are made: the chain goes on, and each node's file has it whole."""

import asyncio
import json
import signal

import httpx
import pytest

from orchestrator.audit.verifying import Verified, verify
from orchestrator.dev.errors import PlantError
from orchestrator.dev.local import LocalPlant
from tests.support import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(90)]

BEFORE, MEANWHILE = range(30), range(30, 90)


async def change(plant: LocalPlant, number: int) -> None:
    """Set one variable, however often it has to be asked for under its key."""

    async def made() -> bool:
        try:
            answer = await plant.call("PUT", f"/v1/variables/v{number}", json={"value": number}, key=f"change-{number}")
        except (httpx.HTTPError, PlantError):
            return False
        assert answer.status_code in (201, 409, 503, 504), answer.text
        return answer.status_code == 201

    await eventually(made, deadline_s=30)


async def changes(plant: LocalPlant, numbers: range) -> None:
    for number in numbers:
        await change(plant, number)


async def file_of(plant: LocalPlant, node_id: str, known: dict[int, str]) -> tuple[Verified, list[bytes]]:
    """What one node has, gone through, once it is as far as what is known."""

    async def whole() -> tuple[Verified, list[bytes]] | None:
        lines = (await plant.call("GET", "/v1/audit/export", node_id=node_id)).content.splitlines()
        found = verify(((node_id, line) for line in lines), known)
        return (found, lines) if found.last >= max(known) else None

    found = await eventually(whole, deadline_s=20)
    assert found is not None
    return found


async def test_the_chain_survives_a_leader_that_is_killed(plant: LocalPlant) -> None:
    first = await plant.current_leader(5)
    await changes(plant, BEFORE)
    noted = (await plant.call("GET", "/v1/audit/head")).json()
    working = asyncio.create_task(changes(plant, MEANWHILE))
    await change(plant, MEANWHILE.stop)
    assert await plant.kill(first.node_id) == -signal.SIGKILL
    await plant.other_leader(first)
    await working
    await plant.restart(first.node_id)
    await plant.wait_ready()
    head = (await plant.call("GET", "/v1/audit/head")).json()
    known = {noted["number"]: noted["hash"], head["number"]: head["hash"]}
    files = [await file_of(plant, node.id, known) for node in plant.topology.nodes]
    for found, lines in files:
        assert (found.begins, found.gaps) == (True, [])
        told = [json.loads(line) for line in lines]
        # Each change once, however often it was asked for.
        assert sorted(entry["id"] for entry in told if entry["kind"] == "variable.set") == sorted(
            f"v{number}" for number in range(MEANWHILE.stop + 1)
        )
        assert len({entry["epoch"] for entry in told}) >= 2, "under the leader before and after"
        assert lines[: head["number"]] == files[0][1][: head["number"]]
