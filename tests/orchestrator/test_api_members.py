"""Members come and go through the API of real nodes; what takes their addresses follows."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cluster import Command, KindUnsupported, NoLeader, NotLeader
from orchestrator.node import Node, running
from orchestrator.state import LEVELS, PlantState
from tests.orchestrator.api_nodes import TOKEN, Nodes, joining, serving
from tests.support import eventually, free_port

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(3, tmp_path_factory.mktemp("members"), token=TOKEN) as found:
        yield found


def wanted(node: Node) -> dict[str, str]:
    own = node.config.member()
    return {"id": own.id, "raft": own.raft, "api": own.api}


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def follower(nodes: Nodes) -> httpx.AsyncClient:
    return nodes.clients[await nodes.follower()]


async def rows(client: httpx.AsyncClient, **params: str) -> dict[str, dict[str, Any]]:
    answer = await client.get("/v1/cluster/members", params=params)
    assert answer.status_code == 200, answer.text
    return {row["id"]: row for row in answer.json()}


async def test_a_node_is_added_by_way_of_a_follower_serves_leads_and_is_removed(nodes: Nodes, tmp_path: Path) -> None:
    client = await follower(nodes)
    registered = {"id": "press-m", "address": "http://127.0.0.1:9"}
    assert (await client.post("/v1/components", json=registered)).status_code == 201
    async with joining(nodes, "n4", tmp_path) as (node, fourth):
        waiting = await fourth.get("/readyz")
        assert code_of(waiting) == (503, "not_ready")
        assert any("waits to be added" in reason for reason in waiting.json()["reasons"])
        assert (await fourth.get("/v1/cluster")).json()["is_member"] is False

        async def added() -> bool:
            answer = await client.post("/v1/cluster/members", json=wanted(node))
            assert answer.status_code in (201, 202), answer.text
            assert answer.headers["Location"] == "/v1/cluster/members/n4"
            return answer.status_code == 201

        await eventually(added, deadline_s=30)
        assert (await client.get("/v1/cluster/members/n4")).json()["voter"] is True

        async def known() -> bool:
            """The leader hears of the release of each member; it knows how far each one is."""
            seen = await rows(client)
            assert set(seen) == {"n1", "n2", "n3", "n4"}
            assert seen["n4"]["api"] == node.config.member().api
            assert all(row["release"] and row["lag"] is not None for row in seen.values()), seen
            return True

        await eventually(known, deadline_s=15)

        async def ready() -> bool:
            return (await fourth.get("/readyz")).status_code == 200

        await eventually(ready, deadline_s=15)
        assert (await fourth.get("/v1/components/press-m?consistency=stale")).status_code == 200
        # A write through the new member is passed on to the leader.
        assert (await fourth.post("/v1/components", json={**registered, "id": "press-4"})).status_code == 201

        # Nobody's file lists the fourth node: whoever passes a request on to it has its address from the membership.
        async def leads() -> bool:
            await client.post("/v1/cluster/transfer", json={"to": "n4"})
            return (await fourth.get("/leader")).status_code == 200

        await eventually(leads, deadline_s=30)

        async def answered_by_the_fourth() -> bool:
            answer = await nodes.clients[0].get("/v1/components/press-4")
            return answer.status_code == 200 and answer.headers["X-Triarch-Node"] == "n4"

        await eventually(answered_by_the_fourth, deadline_s=15)
        assert (await nodes.clients[0].get("/v1/cluster")).json()["leader_api"] == node.config.member().api

        refusal = await fourth.delete("/v1/cluster/members/n4")
        assert code_of(refusal) == (409, "member_change_refused")
        assert "leads" in refusal.json()["detail"]
        await nodes_transfer(nodes, fourth)

        async def removed() -> bool:
            answer = await nodes.clients[0].delete("/v1/cluster/members/n4")
            return answer.status_code == 204 or code_of(answer) == (404, "member_unknown")

        await eventually(removed, deadline_s=15)
        assert set(await rows(client)) == {"n1", "n2", "n3"}
        assert code_of(await client.get("/v1/cluster/members/n4")) == (404, "member_unknown")

        again = await client.post("/v1/cluster/members", json=wanted(node))
        assert code_of(again) == (409, "member_change_refused")
        assert "not given twice" in again.json()["detail"]

        async def told() -> bool:
            answer = await fourth.get("/readyz")
            return answer.status_code == 503 and bool(answer.json()["refusals"])

        await eventually(told, deadline_s=20, message="the removed node says who refuses it")
    assert (await client.post("/v1/components", json={**registered, "id": "press-5"})).status_code == 201


async def nodes_transfer(nodes: Nodes, fourth: httpx.AsyncClient) -> None:
    async def moved() -> bool:
        await fourth.post("/v1/cluster/transfer", json={"to": "n1"})
        return (await nodes.clients[0].get("/leader")).status_code == 200

    await eventually(moved, deadline_s=30)
    await nodes.leader()


async def test_a_node_that_does_not_run_is_added_as_a_learner_and_holds_up_nothing(nodes: Nodes) -> None:
    client = await follower(nodes)
    absent = {
        "id": "n5",
        "raft": f"127.0.0.1:{free_port()}",
        "api": f"http://127.0.0.1:{free_port()}",
    }
    answer = await client.post("/v1/cluster/members?timeout=0.3", json=absent)
    assert answer.status_code == 202, answer.text
    assert (answer.json()["voter"], answer.json()["role"], answer.json()["reachable"]) == (False, "learner", False)
    component = {"id": "press-6", "address": "http://127.0.0.1:9"}
    assert (await client.post("/v1/components", json=component)).status_code == 201
    other = await client.post("/v1/cluster/members", json={**absent, "raft": f"127.0.0.1:{free_port()}"})
    assert code_of(other) == (409, "member_change_refused")
    assert (await client.delete("/v1/cluster/members/n5")).status_code == 204
    assert set(await rows(client)) == {"n1", "n2", "n3"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": "-"}, "body.id"),
        ({"raft": "nowhere"}, "body.raft"),
        ({"raft": "0.0.0.0:7104"}, "body.raft"),
        ({"api": "ftp://127.0.0.1:1"}, "body.api"),
        ({"api": "http://0.0.0.0:8104"}, "body.api"),
        ({"role": "leader"}, "body.role"),
    ],
)
async def test_what_is_no_member_is_named(nodes: Nodes, change: dict[str, str], field: str) -> None:
    body = {"id": "n9", "raft": "127.0.0.1:7109", "api": "http://127.0.0.1:8109", **change}
    answer = await nodes.clients[0].post("/v1/cluster/members", json=body)
    assert code_of(answer) == (422, "invalid_request")
    assert field in {error["location"] for error in answer.json()["errors"]}


async def test_another_host_is_refused_without_a_secret(nodes: Nodes) -> None:
    body = {"id": "n9", "raft": "10.1.2.3:7109", "api": "http://10.1.2.3:8109"}
    answer = await nodes.clients[0].post("/v1/cluster/members", json=body)
    assert code_of(answer) == (409, "member_change_refused")
    assert "cluster.secret" in answer.json()["detail"]


async def test_all_of_it_needs_the_token(nodes: Nodes) -> None:
    async with httpx.AsyncClient(base_url=nodes.urls[0], trust_env=False) as stranger:
        for method, path in (
            ("GET", "/v1/cluster/members"),
            ("POST", "/v1/cluster/members"),
            ("DELETE", "/v1/cluster/members/n1"),
            ("GET", "/v1/cluster/snapshot"),
            ("POST", "/v1/cluster/restore"),
        ):
            answer = await stranger.request(method, path)
            assert code_of(answer) == (401, "unauthorised"), path
    assert set(await rows(nodes.clients[0])) == {"n1", "n2", "n3"}


async def test_members_as_the_node_that_is_asked_sees_them(nodes: Nodes) -> None:
    client = await follower(nodes)
    seen = await rows(client, consistency="stale")
    assert {row["lag"] for row in seen.values()} == {None}
    assert {row["lag"] is None for row in (await rows(client)).values()} == {False}


async def test_an_embedded_server_stays_a_cluster_of_one(tmp_path: Path) -> None:
    def embedded(_: int, tree: dict[str, Any]) -> None:
        tree["redis"] = {"port": free_port()}

    async with serving(1, tmp_path, rewrite=embedded) as alone:
        body = {"id": "n2", "raft": f"127.0.0.1:{free_port()}", "api": f"http://127.0.0.1:{free_port()}"}
        answer = await alone.clients[0].post("/v1/cluster/members", json=body)
        assert code_of(answer) == (409, "member_change_refused")
        assert "redis.mode" in answer.json()["detail"]


async def test_a_new_kind_waits_until_every_member_is_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table has no entry yet: one is made, for a kind that this release will then not apply."""
    assert PlantState.level == max(LEVELS.values())
    older, newer = PlantState.level, PlantState.level + 1
    monkeypatch.setitem(LEVELS, ("press.paint", 1), newer)

    def upgraded_but_the_last(at: int, _: dict[str, Any]) -> None:
        monkeypatch.setattr(PlantState, "level", older if at == 2 else newer)

    async with serving(3, tmp_path, rewrite=upgraded_but_the_last) as mixed:
        await mixed.transfer(0)
        leader = mixed.nodes[0].cluster
        command = Command("press.paint", b"\x80", "paint-1", 0.0)
        before = leader.status().last_index
        with pytest.raises(KindUnsupported, match=r"press\.paint version 1 .*: upgrade n3 first"):
            await leader.propose(command)
        assert leader.status().last_index == before
        await mixed.stop(2)
        with pytest.raises(KindUnsupported):  # nobody knows in which release it will come back
            await leader.propose(command)
        monkeypatch.setattr(PlantState, "level", newer)
        async with running(mixed.nodes[2].config):

            async def proposed() -> bool:
                try:
                    applied = await leader.propose(command)
                except (KindUnsupported, NotLeader, NoLeader):
                    return False
                return applied.outcome.code == "unknown_command"  # replicated, and judged by the state

            await eventually(proposed, deadline_s=20)
