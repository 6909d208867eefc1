"""A watch over three nodes: gone on with at another one, figures from the leader, the timeline of leadership."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.orchestrator.test_api_watch import merged, snapshot, watching
from tests.support import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(3, tmp_path_factory.mktemp("watched"), token=TOKEN) as found:
        yield found


async def put(client: httpx.AsyncClient, name: str, value: Any) -> int:
    answer = await client.put(f"/v1/variables/{name}", json={"value": value})
    assert answer.is_success, answer.text
    revision: int = answer.json()["revision"]
    return revision


async def test_it_goes_on_at_another_node_where_it_ended(nodes: Nodes) -> None:
    at = await nodes.follower()
    one, other = nodes.clients[at], nodes.clients[(at + 1) % 3]
    taken = await snapshot(one, "subjects=variables")
    async with watching(one, f"subjects=variables&after={taken['index']}") as events:
        told = []
        written = [await put(other, "w.nodes", n) for n in range(3)]
        for _ in written:
            number, _, data = await events.next("change")
            told.append(number)
            merged(taken["subjects"], data)
    # That node is as good as dead; meanwhile the plant goes on.
    written += [await put(other, f"w.nodes{n}", n) for n in range(3)]
    async with watching(other, "subjects=variables", **{"Last-Event-ID": str(told[-1])}) as events:
        while told[-1] != written[-1]:
            number, _, data = await events.next("change")
            told.append(number)
            merged(taken["subjects"], data)
    assert told == written
    assert (await snapshot(other, "subjects=variables"))["subjects"] == taken["subjects"]


async def test_a_follower_has_the_figures_of_the_leader(nodes: Nodes) -> None:
    leader, follower = await nodes.leader(), await nodes.follower()
    async with watching(nodes.clients[follower], "subjects=figures") as events:

        async def known() -> dict[str, Any] | None:
            data: dict[str, Any] = (await events.next("figures"))[2]
            return data if data["frames"] is not None else None

        data = await eventually(known, deadline_s=15)
    assert (data["node"], data["figures_of"]) == (f"n{follower + 1}", f"n{leader + 1}")
    assert data["leader"] == f"n{leader + 1}"
    assert data["staleness_s"] >= 0
    assert {row["id"] for row in data["members"]} == {"n1", "n2", "n3"}
    refused = await nodes.clients[follower].get("/v1/figures", params={"own": "true"})
    assert (refused.status_code, refused.json()["code"]) == (503, "no_leader")


async def test_a_takeover_by_transfer_is_in_the_timeline(nodes: Nodes) -> None:
    to = await nodes.follower()
    client = nodes.clients[to]
    taken = await snapshot(client, "subjects=cluster")
    async with watching(client, f"subjects=cluster&after={taken['index']}") as events:
        await nodes.transfer(to)
        rows = taken["subjects"]
        node = f"n{to + 1}"

        def led() -> list[dict[str, Any]]:
            return [row for name, row in rows["cluster"].items() if name.startswith("@") and row.get("node") == node]

        while not led() or rows["cluster"]["@claim"]["leader"] != node:
            merged(rows, (await events.next("change"))[2])
    newest = led()[-1]
    assert newest["reason"] == "transfer"
    assert newest["gap_s"] > 0
    assert rows["cluster"]["@claim"]["epoch"] == newest["epoch"]
    listed = (await client.get("/v1/cluster/leaderships")).json()
    assert listed[0] == newest


async def test_what_is_held_no_more_is_refused_with_where_to_begin(nodes: Nodes) -> None:
    client = nodes.clients[0]
    backup = (await client.get("/v1/cluster/snapshot")).content
    before = await put(client, "w.restored", 1)
    answer = await client.post("/v1/cluster/restore", content=backup)
    assert answer.is_success, answer.text

    async def compacted() -> dict[str, Any] | None:
        refused = await client.get(f"/v1/watch?after={before}")
        return refused.json() if refused.status_code == 410 else None

    async with watching(client, "subjects=variables"):
        pass
    document = await eventually(compacted, deadline_s=10)
    assert (document["code"], document["snapshot"]) == ("compacted", "/v1/snapshot")
    assert document["index"] > before
    taken = await snapshot(client, "subjects=variables")
    assert "w.restored" not in taken["subjects"]["variables"]
