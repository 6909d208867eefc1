"""The state is saved and put back through the API of real nodes."""

import asyncio
from collections.abc import AsyncIterator
from functools import reduce
from pathlib import Path

import httpx
import pytest

from framebuffer.connection import connect
from framebuffer.streams import FrameStreams
from orchestrator.api.envelope import BODY_BYTES_MAX, LARGE_BODIES
from orchestrator.backups.snapshot import facts_of
from tests.orchestrator.api_nodes import Nodes, serving
from tests.support import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(3, tmp_path_factory.mktemp("backup")) as found:
        yield found


async def register(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.post("/v1/components", json={"id": name, "address": "http://127.0.0.1:9"})
    assert answer.status_code == 201, answer.text


async def ids(client: httpx.AsyncClient, consistency: str = "linearizable") -> list[str]:
    return [row["id"] for row in (await client.get(f"/v1/components?consistency={consistency}")).json()]


async def test_a_snapshot_restores_what_was_there_on_every_node(nodes: Nodes) -> None:
    client = nodes.clients[await nodes.follower()]
    await register(client, "kept")
    saved = await client.get("/v1/cluster/snapshot")
    assert saved.status_code == 200
    assert saved.headers["content-type"] == "application/octet-stream"
    assert saved.headers["X-Triarch-Node"] == f"n{await nodes.leader() + 1}"
    assert int(saved.headers["X-Triarch-Index"]) > 0
    await register(client, "later")
    before = (await client.get("/v1/cluster")).json()["members"]

    restored = await client.post("/v1/cluster/restore", content=saved.content)
    assert restored.status_code == 200, restored.text
    assert restored.json()["index"] == int(saved.headers["X-Triarch-Index"])
    assert restored.json()["digest"] == facts_of(saved.content).digest, "what is in force is what was saved"

    async def everywhere() -> bool:
        return [await ids(one, "stale") for one in nodes.clients] == [["kept"]] * 3

    await eventually(everywhere, deadline_s=10)
    assert await ids(client) == ["kept"]
    assert [row["id"] for row in before] == [row["id"] for row in (await client.get("/v1/cluster")).json()["members"]]
    await register(client, "later")  # under a new key: it is done, not taken for the one that was undone
    assert await ids(client) == ["kept", "later"]


async def test_a_follower_gives_its_own_state_when_asked(nodes: Nodes) -> None:
    at = await nodes.follower()
    saved = await nodes.clients[at].get("/v1/cluster/snapshot?consistency=stale")
    assert saved.headers["X-Triarch-Node"] == f"n{at + 1}"


@pytest.mark.parametrize("body", [b"", b"no snapshot", b"\x00" * 2000])
async def test_what_is_no_snapshot_changes_nothing(nodes: Nodes, body: bytes) -> None:
    client = nodes.clients[await nodes.follower()]
    before = await ids(client)
    answer = await client.post("/v1/cluster/restore", content=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "snapshot_unreadable")
    assert await ids(client) == before


async def test_a_damaged_snapshot_changes_nothing(nodes: Nodes) -> None:
    client = nodes.clients[await nodes.follower()]
    data = bytearray((await client.get("/v1/cluster/snapshot")).content)
    data[len(data) // 2] ^= 1
    answer = await client.post("/v1/cluster/restore", content=bytes(data))
    assert (answer.status_code, answer.json()["code"]) == (422, "snapshot_unreadable")


async def test_the_body_has_a_bound_of_its_own(nodes: Nodes) -> None:
    client = nodes.clients[await nodes.leader()]
    more_than_others = b"x" * (BODY_BYTES_MAX + 1)
    answer = await client.post("/v1/cluster/restore", content=more_than_others)
    assert answer.json()["code"] == "snapshot_unreadable"
    assert (await client.post("/v1/components", content=more_than_others)).json()["code"] == "body_too_large"
    most = LARGE_BODIES["/v1/cluster/restore"]
    url = client.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(f"POST /v1/cluster/restore HTTP/1.1\r\nHost: localhost\r\nContent-Length: {most + 1}\r\n\r\n".encode())
    said = await asyncio.wait_for(reader.read(), 10)  # to its end: nothing is read of what announces too much
    writer.close()
    assert said.startswith(b"HTTP/1.1 413 ")
    assert b"body_too_large" in said


async def test_the_fence_of_a_cluster_that_is_gone_is_removed_by_hand(tmp_path: Path) -> None:
    """As docs/runbooks/members.md says of a cluster that is built anew: its terms begin at 1 again."""
    async with serving(1, tmp_path) as alone:
        redis = connect(alone.redis.url)
        streams = FrameStreams(redis)
        try:
            await streams.ready()
            await streams.fence((5000, 1), "old")
            client = alone.clients[0]

            async def ready(status: int, reason: str) -> bool:
                answer = await client.get("/readyz")
                return answer.status_code == status and reason in answer.text

            await eventually(lambda: ready(503, "fenced by epoch 5000.1"), deadline_s=10)
            await redis.delete("frames:fence")
            await eventually(lambda: ready(200, "ready"), deadline_s=10)
        finally:
            await redis.aclose()


async def test_figures_of_agreement_are_there_from_the_start(tmp_path: Path) -> None:
    async with serving(1, tmp_path) as alone:
        text = (await alone.clients[0].get("/metrics")).text
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("triarch_raft_"))
    assert float(lines["triarch_raft_is_leader"]) == 1
    assert float(lines["triarch_raft_term"]) == float(lines["triarch_raft_epoch_term"]) > 0
    assert float(lines["triarch_raft_applied_index"]) <= float(lines["triarch_raft_last_index"])
    assert float(lines["triarch_raft_leaderships_total"]) == 1
    assert float(lines["triarch_raft_syncs_total"]) > 0
    assert float(lines['triarch_raft_refused_total{kind="secret"}']) == 0
    documented = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    parts = ("_bucket", "_sum", "_count")  # of a histogram: the page has its name
    for name in {reduce(str.removesuffix, parts, line.partition("{")[0]) for line in lines}:
        assert f"`{name}" in documented, name


async def test_figures_of_the_others(nodes: Nodes) -> None:
    leader = await nodes.leader()
    others = {f"n{at + 1}" for at in range(3)} - {f"n{leader + 1}"}
    text = (await nodes.clients[leader].get("/metrics")).text
    for other in others:
        assert f'triarch_raft_peer_connected{{peer="{other}"}} 1.0' in text
        assert f'triarch_raft_peer_lag_entries{{peer="{other}"}}' in text
    follower = (await nodes.clients[await nodes.follower()].get("/metrics")).text
    assert "triarch_raft_peer_lag_entries{" not in follower
    assert "triarch_raft_is_leader 0.0" in follower
