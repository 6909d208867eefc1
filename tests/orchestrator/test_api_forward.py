"""Three real nodes: any of them answers, whoever leads, and says what became of a write when the leader is gone."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.access.targets import JSON_DEPTH_MAX
from orchestrator.api.event_desk import is_heartbeat
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(3, tmp_path_factory.mktemp("three"), token=TOKEN) as found:
        yield found


def registration(processor_id: str) -> dict[str, Any]:
    return {"id": processor_id, "capabilities": ["motion"], "capacity": 4}


async def test_a_write_reaches_the_leader_from_any_node(nodes: Nodes) -> None:
    leader = await nodes.leader()
    for at, client in enumerate(nodes.clients):
        answer = await client.post("/processors/register", json=registration(f"from-{at}"))
        assert answer.status_code == 201, answer.text
        assert answer.headers["X-Triarch-Node"] == nodes.nodes[leader].config.node.id
        assert answer.headers.get("X-Triarch-Forwarded-By") == (None if at == leader else f"n{at + 1}")
        assert len(answer.headers["Idempotency-Key"]) == 32
    for client in nodes.clients:
        answer = await client.get("/processors")
        assert [row["id"] for row in answer.json()] == ["from-0", "from-1", "from-2"]
        assert answer.headers["X-Triarch-Node"] == nodes.nodes[leader].config.node.id


async def test_method_query_body_and_key_arrive(nodes: Nodes) -> None:
    client = nodes.clients[await nodes.follower()]
    key = {"Idempotency-Key": "forwarded-1"}
    first = await client.post("/processors/register", json=registration("passed"), headers=key)
    again = await client.post("/processors/register", json=registration("passed"), headers=key)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert again.headers["Idempotency-Key"] == "forwarded-1"
    assert (await client.patch("/processors/passed", json={"capacity": 7})).json()["capacity"] == 7
    assert (await client.get("/processors?capability=none")).json() == []
    assert (await client.post("/processors/passed/heartbeat", json={"settled": 1})).status_code == 204
    assert (await client.delete("/processors/passed")).status_code == 204


async def test_refusals_of_the_leader_come_back_as_they_are(nodes: Nodes) -> None:
    client = nodes.clients[await nodes.follower()]
    refused = await client.post("/processors/register", json=registration(""))
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert refused.headers["content-type"] == "application/problem+json"
    assert (await client.get("/processors/nobody")).json()["code"] == "processor_unknown"
    assert (await client.get("/v1/nothing")).json()["code"] == "not_found"


async def test_a_stale_read_is_answered_by_the_node_that_is_asked(nodes: Nodes) -> None:
    at = await nodes.follower()
    answer = await nodes.clients[at].get("/processors?consistency=stale")
    assert answer.headers["X-Triarch-Node"] == f"n{at + 1}"
    assert float(answer.headers["X-Triarch-Staleness"]) < 5
    bounded = await nodes.clients[at].get("/processors?consistency=stale&max_stale=0")
    assert (bounded.status_code, bounded.json()["code"]) == (503, "too_stale")
    assert (await nodes.clients[at].get("/processors?consistency=linearizable")).status_code == 200


async def test_every_node_answers_for_itself_where_it_should(nodes: Nodes) -> None:
    leader = await nodes.leader()
    for at, client in enumerate(nodes.clients):
        me = f"n{at + 1}"
        for path in ("/healthz", "/readyz", "/metrics", "/health", "/v1/cluster", "/v1/frames/stats"):
            assert (await client.get(path)).headers["X-Triarch-Node"] == me, path
        for path in ("/v1/frames/lag", "/v1/frames/dead", "/v1/frames/trace/nobody", "/v1/frames/tail?wait_s=0"):
            assert (await client.get(path)).headers["X-Triarch-Node"] == me, path
        for path in ("/v1/frames/dead/replay", "/v1/frames/dead/drop"):  # they are entered in the audit first
            assert (await client.post(path, json={"all": True})).headers["X-Triarch-Node"] == f"n{leader + 1}", path
        leads = await client.get("/leader")
        assert leads.status_code == (200 if at == leader else 503)
        assert leads.json()["leader"] == f"n{leader + 1}"
    asked = await nodes.clients[await nodes.follower()].get("/v1/cluster?consistency=leader")
    assert asked.json()["node"] == f"n{leader + 1}"


async def test_redirect_on_request(nodes: Nodes) -> None:
    leader, follower = await nodes.leader(), await nodes.follower()
    answer = await nodes.clients[follower].post("/processors/register?a=1&redirect&b=2", json=registration("r"))
    assert answer.status_code == 307
    assert answer.headers["Location"] == f"{nodes.urls[leader]}/processors/register?a=1&b=2"
    here = await nodes.clients[leader].get("/processors?redirect")
    assert here.status_code == 200


async def test_one_hop_only(nodes: Nodes) -> None:
    follower = await nodes.follower()
    answer = await nodes.clients[follower].get("/processors", headers={"X-Triarch-Forwarded-By": "n9"})
    assert (answer.status_code, answer.json()["code"]) == (503, "no_leader")
    assert answer.headers["Retry-After"] == "1"


async def test_the_token_is_checked_before_anything_is_passed_on(nodes: Nodes) -> None:
    for client in nodes.clients:
        for path in ("/processors", "/metrics", "/v1/cluster"):
            answer = await client.get(path, headers={"Authorization": "Bearer wrong"})
            assert answer.status_code == 401
        assert (await client.get("/readyz", headers={"Authorization": "Bearer wrong"})).status_code == 200


@pytest.mark.parametrize("target", [b"@127.0.0.1:1/", b"http://127.0.0.1:1/x"])
async def test_a_target_that_is_no_path_asks_no_other_host(nodes: Nodes, target: bytes) -> None:
    url = httpx.URL(nodes.urls[await nodes.follower()])
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + TOKEN.encode())
    writer.write(b"\r\nConnection: close\r\n\r\n")
    status = (await reader.readline()).split()[1]
    writer.close()
    assert status in (b"404", b"400", b"401")


async def test_transfer_from_a_follower(nodes: Nodes) -> None:
    leader, follower = await nodes.leader(), await nodes.follower()
    before = (await nodes.clients[leader].get("/readyz")).json()["epoch"]
    answer = await nodes.clients[follower].post("/v1/cluster/transfer", json={"to": f"n{follower + 1}"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["leader"] == f"n{follower + 1}"
    assert tuple(map(int, answer.json()["epoch"].split("."))) > tuple(map(int, before.split(".")))
    assert await nodes.leader() == follower


async def test_a_transfer_to_anybody_that_is_repeated_moves_leadership_once(nodes: Nodes) -> None:
    """Clients repeat what they saw no end of, by themselves."""
    leader = await nodes.leader()
    headers = {"Idempotency-Key": "away-from-here"}
    first = await nodes.clients[leader].post("/v1/cluster/transfer", headers=headers)
    assert first.status_code == 200, first.text
    assert first.json()["leader"] != f"n{leader + 1}"
    for client in nodes.clients:
        again = await client.post("/v1/cluster/transfer", headers=headers)
        assert (again.status_code, again.json()) == (200, first.json())
    onward = await nodes.clients[leader].post("/v1/cluster/transfer")
    assert onward.status_code == 200
    assert onward.json()["leader"] != first.json()["leader"], "another request is another one"


async def test_a_passive_node_passes_everything_on(tmp_path: Path) -> None:
    async with serving(3, tmp_path, cluster={"mode": "active-passive"}) as nodes:
        leader, follower = await nodes.leader(), await nodes.follower()
        client = nodes.clients[follower]
        for path in ("/processors?consistency=stale", "/v1/cluster", "/health", "/v1/frames/stats"):
            assert (await client.get(path)).headers["X-Triarch-Node"] == f"n{leader + 1}"
        for path in ("/healthz", "/readyz", "/metrics"):
            assert (await client.get(path)).headers["X-Triarch-Node"] == f"n{follower + 1}"


@asynccontextmanager
async def strange_leader(answer: bytes | None) -> AsyncIterator[str]:
    """A server that reads a request, then answers `answer` and closes the connection; with None it never answers."""
    hangs = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):  # a node that ends while it looks at clocks asks half a question
            await reader.readuntil(b"\r\n\r\n")
        if answer is None:
            await hangs.wait()
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        hangs.set()


@asynccontextmanager
async def misled(directory: Path, first: str, second: str) -> AsyncIterator[Nodes]:
    """Three nodes of which the third looks for the first two at these addresses; the first leads."""

    def rewrite(at: int, tree: dict[str, Any]) -> None:
        if at == 2:
            tree["cluster"]["members"][0]["api"] = first
            tree["cluster"]["members"][1]["api"] = second

    async with serving(3, directory, rewrite=rewrite) as nodes:
        await nodes.transfer(0)
        yield nodes


def nowhere() -> str:
    return f"http://127.0.0.1:{free_port()}"


async def test_a_write_that_was_sent_and_not_answered_has_an_unknown_outcome(tmp_path: Path) -> None:
    async with strange_leader(b"") as address, misled(tmp_path, address, nowhere()) as nodes:
        path, body = "/processors/register", registration("x")
        given = await nodes.clients[2].post(path, json=body, headers={"Idempotency-Key": "k-1"})
        assert (given.status_code, given.json()["code"]) == (504, "outcome_unknown")
        assert given.json()["idempotency_key"] == given.headers["Idempotency-Key"] == "k-1"
        made = await nodes.clients[2].post(path, json=body)
        assert (made.status_code, len(made.json()["idempotency_key"])) == (504, 32)
        # A read changes nothing: it is only refused. Nor does a heartbeat that is repeated.
        beat = {"type": "component.heartbeat", "source": "press", "payload": {"state": "READY"}}
        beaten = await nodes.clients[2].post("/event", json=beat)
        assert (beaten.status_code, beaten.json()["code"]) == (503, "no_leader")
        read = await nodes.clients[2].get("/processors")
        assert (read.status_code, read.json()["code"]) == (503, "no_leader")


async def test_a_write_that_was_never_sent_is_refused(tmp_path: Path) -> None:
    async with misled(tmp_path, nowhere(), nowhere()) as nodes:
        answer = await nodes.clients[2].post("/processors/register", json=registration("x"))
        assert (answer.status_code, answer.json()["code"]) == (503, "no_leader")
        assert answer.headers["Retry-After"] == "1"


async def test_a_leader_that_takes_no_heartbeats_together_is_sent_each_by_itself(tmp_path: Path) -> None:
    """One of the release before: what it says to the heartbeat itself comes back."""
    said = b"HTTP/1.1 405 No\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nold"
    async with strange_leader(said) as address, misled(tmp_path, address, nowhere()) as nodes:
        beat = {"type": "component.heartbeat", "source": "press", "payload": {"state": "READY"}}
        answer = await nodes.clients[2].post("/event", json=beat)
        assert (answer.status_code, answer.text) == (405, "old")


async def test_an_answer_that_is_not_the_leaders_is_passed_on_or_asked_again(tmp_path: Path) -> None:
    head = b"HTTP/1.1 503 No\r\nContent-Type: application/problem+json\r\nContent-Length: 3\r\nConnection: close\r\n"
    odd = head + b"\r\n[1]"
    async with strange_leader(odd) as address, misled(tmp_path, address, nowhere()) as nodes:
        answer = await nodes.clients[2].get("/processors")
        assert (answer.status_code, answer.text) == (503, "[1]")


async def test_nobody_waits_for_a_leader_that_was_replaced(tmp_path: Path) -> None:
    async with strange_leader(None) as address, misled(tmp_path, address, nowhere()) as nodes:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(nodes.clients[2].post("/processors/register", json=registration("x")))
            await nodes.transfer(1)
            started = time.monotonic()
        answer = waiting.result()
        assert time.monotonic() - started < 3
        assert answer.status_code in (503, 504)  # 503 when it had not been sent before the leader changed


async def test_when_the_leader_is_gone(tmp_path: Path) -> None:
    async with serving(3, tmp_path) as nodes:
        leader = await nodes.leader()
        others = [at for at in range(3) if at != leader]
        await nodes.stop(leader)

        async def taken_over() -> bool:
            answer = await nodes.clients[others[0]].post(
                "/processors/register", json=registration("after"), headers={"Idempotency-Key": "takeover"}
            )
            assert answer.status_code in (201, 503, 504), answer.text
            if answer.status_code == 503:
                assert answer.json()["code"] == "no_leader"
                assert answer.headers["Retry-After"] == "1"
            return answer.status_code == 201

        await eventually(taken_over, deadline_s=15)
        health = (await nodes.clients[others[1]].get("/health")).json()
        assert health["status"] == "degraded"
        # With one node left there is no quorum, and nobody pretends that there is.
        led = next(at for at in others if nodes.nodes[at].is_leader())
        last = next(at for at in others if at != led)
        await nodes.stop(led)
        client = nodes.clients[last]

        async def alone() -> bool:
            return (await client.get("/readyz")).status_code == 503

        await eventually(alone, deadline_s=10)
        assert "no leader is known" in (await client.get("/readyz")).json()["reasons"]
        refused = await client.post("/processors/register", json=registration("never"))
        assert (refused.status_code, refused.json()["code"]) == (503, "no_leader")
        beat = {"type": "component.heartbeat", "source": "press", "payload": {"state": "READY"}}
        beaten = await client.post("/event", json=beat)
        assert (beaten.status_code, beaten.json()["code"]) == (503, "no_leader")
        assert (await client.get("/health")).status_code == 503
        assert (await client.get("/health")).json()["status"] == "unhealthy"
        assert (await client.get("/v1/cluster")).json()["leader"] is None
        stale = await client.get("/processors?consistency=stale")
        assert [row["id"] for row in stale.json()] == ["after"]
        assert (await client.get("/processors")).json()["code"] == "no_leader"


def test_a_heartbeat_that_is_as_deep_as_may_be_does_not_go_with_others() -> None:
    """In a list it would be too deep, and all that are gathered with it would be refused."""

    def heartbeat(depth: int) -> bytes:
        nested = b"[" * (depth - 1) + b"]" * (depth - 1)
        return b'{"type": "component.heartbeat", "source": "a", "x": ' + nested + b"}"

    assert is_heartbeat(heartbeat(JSON_DEPTH_MAX - 1))
    assert not is_heartbeat(heartbeat(JSON_DEPTH_MAX))
