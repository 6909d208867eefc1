"""A watch over three nodes: gone on with at another one, figures from the leader, the timeline of leadership."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.command_line import triarch
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.orchestrator.test_api_watch import merged, snapshot, watching
from tests.support import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(3, tmp_path_factory.mktemp("watched"), token=TOKEN) as found:
        yield found


async def put(client: httpx.AsyncClient, name: str, value: Any) -> int:
    async def asked() -> httpx.Response:
        answer = await client.put(f"/v1/variables/{name}", json={"value": value})
        assert answer.status_code != 503, answer.text  # an election: nothing was changed
        return answer

    answer = await eventually(asked, deadline_s=20)
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
    async def of_another() -> dict[str, Any] | None:
        """Who follows is looked up each time: on a busy machine leadership may move meanwhile."""
        async with watching(nodes.clients[await nodes.follower()], "subjects=figures") as events:
            data: dict[str, Any] = (await events.next("figures"))[2]
        same = data["figures_of"] == data["leader"] is not None
        return data if data["frames"] is not None and same and data["leader"] != data["node"] else None

    data = await eventually(of_another, deadline_s=20)
    assert data["staleness_s"] >= 0
    assert {row["id"] for row in data["members"]} == {"n1", "n2", "n3"}
    refused = await nodes.clients[int(data["node"][1:]) - 1].get("/v1/figures", params={"own": "true"})
    assert (refused.status_code == 503) is (refused.json().get("code") == "no_leader")


async def test_a_takeover_by_transfer_is_in_the_timeline(nodes: Nodes) -> None:
    client = nodes.clients[0]
    taken = await snapshot(client, "subjects=cluster")
    rows = taken["subjects"]["cluster"]

    async def handed_over() -> str:
        leader = await nodes.leader()
        answer = await nodes.clients[leader].post("/v1/cluster/transfer", json={"to": f"n{(leader + 1) % 3 + 1}"})
        return str(answer.json()["epoch"]) if answer.is_success else ""

    async with watching(client, f"subjects=cluster&after={taken['index']}") as events:
        epoch = await eventually(handed_over, deadline_s=20)
        while f"@{epoch}" not in rows:
            merged(taken["subjects"], (await events.next("change"))[2])
    assert rows[f"@{epoch}"]["reason"] == "transfer"
    assert rows[f"@{epoch}"]["gap_s"] > 0
    assert rows["@claim"]["leader"] is not None
    listed = (await client.get("/v1/cluster/leaderships")).json()
    assert rows[f"@{epoch}"] in listed


async def test_the_command_line_watches(nodes: Nodes) -> None:
    urls = ",".join(nodes.urls)
    before = (await snapshot(nodes.clients[0], "subjects=variables"))["index"]
    written = [await put(nodes.clients[0], "w.cli", n) for n in range(2)]

    async def watch(*arguments: str) -> list[str]:
        code, out, err = await triarch("watch", *arguments, TRIARCH_URL=urls, TRIARCH_TOKEN=TOKEN)
        assert code == 0, err
        return out.splitlines()

    told = await watch("variables", "--from", str(before), "--count", "2", "-o", "json")
    assert [json.loads(line)["index"] for line in told] == written
    (line,) = await watch("variables", "--from", str(written[0]), "--count", "1")
    assert line.split() == [str(written[1]), "variables/w.cli", "variable.set", "value=1"]
    code, out, _ = await triarch(*("cluster", "leaderships", "-o", "json"), TRIARCH_URL=urls, TRIARCH_TOKEN=TOKEN)
    assert code == 0
    assert {row["reason"] for row in json.loads(out)} <= {"start", "election", "transfer"}


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


async def test_figures_go_on_without_a_leader(nodes: Nodes) -> None:
    """The last of this module: two of its nodes end."""
    at = await nodes.follower()
    async with watching(nodes.clients[at], "subjects=figures") as events:

        async def figures(led: bool) -> dict[str, Any] | None:
            data: dict[str, Any] = (await events.next("figures"))[2]
            return data if data["frames"] is not None and (data["leader"] is not None) is led else None

        before = await eventually(lambda: figures(led=True), deadline_s=15)
        for other in {0, 1, 2} - {at}:
            await nodes.stop(other)
        after = await eventually(lambda: figures(led=False), deadline_s=15)
        later = await eventually(lambda: figures(led=False), deadline_s=15)
    assert after["frames"].keys() == before["frames"].keys()
    assert 0 < after["staleness_s"] < later["staleness_s"]
    assert later["state_age_s"] > after["state_age_s"]
    taken = await snapshot(nodes.clients[at], "subjects=variables")
    assert taken["index"] >= before["index"]
