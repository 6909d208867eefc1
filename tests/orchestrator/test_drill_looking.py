"""What a drill asks of a deployed plant, asked of real nodes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.drills.targets.deployed import Deployed, MemberPlace
from orchestrator.drills.targets.looking import NEVER, PROBE, PlantLook
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.support import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Nodes]:
    async with serving(3, tmp_path, token=TOKEN) as found:
        yield found


def look(nodes: Nodes, token: str | None = TOKEN) -> PlantLook:
    plant = Deployed(
        node_id="n1",
        members=tuple(MemberPlace(f"n{at}", "127.0.0.1", url) for at, url in enumerate(nodes.urls, 1)),
        redis_mode="url",
        redis_url="redis://127.0.0.1:9/0",
        sentinels=(),
        service="frames",
        durability="0",
        token_file=None,
        password_file=None,
        sentinel_password_file=None,
        ca_file=None,
    )
    return PlantLook(plant, redis_password=None, sentinel_password=None, ca=None, token=token)


async def test_a_write_is_refused_by_a_node_that_is_left_alone_and_changes_nothing_before(nodes: Nodes) -> None:
    leader = await nodes.leader()
    left = await nodes.follower()
    async with look(nodes) as asked:
        for _ in range(2):
            for node in ("n1", "n2", "n3"):
                assert await asked.write_refused(node, "drill-1") is None, "it was decided, not refused"
        assert (await nodes.clients[left].get(f"/v1/variables/{PROBE}?consistency=leader")).status_code == 404
        conditional = {"If-Match": NEVER}
        answer = await nodes.clients[left].put(f"/v1/variables/{PROBE}", json={"value": 1}, headers=conditional)
        assert answer.status_code == 412
        rows = (await nodes.clients[leader].get("/v1/variables?consistency=leader")).json()
        assert rows == []
        for at in {0, 1, 2} - {left}:
            await nodes.stop(at)

        async def refused() -> str | None:
            return await asked.write_refused(f"n{left + 1}", "drill-1")

        assert await eventually(refused, deadline_s=20) == "503 no_leader"
        assert await asked.led_by(f"n{left + 1}") is None
        assert await asked.write_refused(f"n{leader + 1}", "drill-1") is None, "one that is down has refused nothing"


async def test_a_write_that_was_refused_for_another_reason_proves_nothing(nodes: Nodes) -> None:
    await nodes.leader()
    async with look(nodes, token=None) as asked:
        assert await asked.write_refused("n1", "drill-1") is None
