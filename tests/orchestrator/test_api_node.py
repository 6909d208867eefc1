"""What one real node answers: health, processors, components, frames, and every way to be refused."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.types import Message

from cluster import Epoch
from framebuffer.producer import FrameProducer
from orchestrator.api import build_app
from orchestrator.api.envelope import BODY_BYTES_MAX
from orchestrator.node import Node
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.support import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(1, tmp_path_factory.mktemp("one")) as found:
        yield found


@pytest.fixture
def http(nodes: Nodes) -> httpx.AsyncClient:
    return nodes.clients[0]


def registration(processor_id: str = "faces-1", **extra: Any) -> dict[str, Any]:
    return {"id": processor_id, "capabilities": ["face_detection"], "capacity": 32, **extra}


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert (document["code"], document["status"]) == (code, status)
    assert document["title"]
    assert document["detail"]
    assert document["instance"] == answer.request.url.path
    return document


async def test_health(http: httpx.AsyncClient) -> None:
    alive = (await http.get("/healthz")).json()
    assert (alive["status"], alive["node"]) == ("ok", "n1")
    assert abs(alive["time"] - time.time()) < 60
    ready = (await http.get("/readyz")).json()
    assert (ready["status"], ready["node"], ready["leader"], ready["role"]) == ("ready", "n1", "n1", "leader")
    leads = await http.get("/leader")
    assert leads.status_code == 200
    assert leads.json()["leader"] == "n1"
    health = (await http.get("/health")).json()
    assert health["status"] == "healthy", health
    assert health["members"] == {"total": 1, "reachable": 1, "has_quorum": True}


async def test_whoever_says_that_it_leads_names_its_own_epoch(
    http: httpx.AsyncClient, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in the moment between the claim of the next leader, applied here, and the end of this one's duties."""
    own = nodes.nodes[0].leading()
    assert own is not None
    with monkeypatch.context() as moment:
        moment.setattr(nodes.nodes[0].cluster, "epoch", lambda: Epoch(own.term + 1, own.index + 1))
        said = await http.get("/leader")
    assert (said.status_code, said.json()["epoch"]) == (200, str(own))


async def test_balancers_may_ask_with_head(http: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/readyz", "/leader", "/processors"):
        answer = await http.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["X-Triarch-Node"] == "n1"
    assert (await http.head("/nowhere")).status_code == 404


async def test_web_sockets_are_refused(nodes: Nodes) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await build_app(Node(nodes.nodes[0].config))({"type": "websocket", "path": "/v1/watch"}, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_every_answer_says_who_gave_it(http: httpx.AsyncClient) -> None:
    epoch = (await http.get("/readyz")).json()["epoch"]
    for path in ("/v1/components", "/nowhere", "/metrics"):
        headers = (await http.get(path)).headers
        assert headers["X-Triarch-Node"] == headers["X-Triarch-Leader"] == "n1"
        assert headers["X-Triarch-Epoch"] == epoch
        assert int(headers["X-Triarch-Index"]) > 0


async def test_metrics(http: httpx.AsyncClient) -> None:
    await http.get("/healthz")
    answer = await http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "frame_buffer_orchestrator_info" in answer.text
    assert 'triarch_http_requests_total{method="GET",route="/healthz",status="200"}' in answer.text
    await http.get("/some/path/that/nobody/knows")
    assert "nobody/knows" not in (await http.get("/metrics")).text


async def test_control_status(http: httpx.AsyncClient) -> None:
    status = (await http.get("/control/status")).json()
    assert status["consumption_rate"] >= 0
    assert status["paused"] is False


# ── Processors ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_a_processor_from_registration_to_removal(http: httpx.AsyncClient, nodes: Nodes, prefix: str) -> None:
    answer = await http.post(f"{prefix}/processors/register", json=registration(labels={"site": "a"}))
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == "/v1/processors/faces-1"
    made = answer.json()
    assert made["queue"] == "frames:ready:faces-1"
    assert made["group"] == "faces-1-group"
    assert made["redis_url"] == nodes.redis.url

    listed = (await http.get(f"{prefix}/processors")).json()
    assert [row["id"] for row in listed] == ["faces-1"]
    assert (await http.get(f"{prefix}/processors?capability=motion")).json() == []
    assert len((await http.get(f"{prefix}/processors?capability=face_detection&healthy=true")).json()) == 1

    one = (await http.get(f"{prefix}/processors/faces-1")).json()
    assert one["capabilities"] == ["face_detection"]
    assert one["healthy"] is True
    assert "token" not in one

    changed = await http.patch(f"{prefix}/processors/faces-1", json={"capacity": 64})
    assert changed.status_code == 200
    assert (changed.json()["capacity"], changed.json()["labels"]) == (64, {"site": "a"})

    beat = {"in_flight": 1, "settled": 2, "errors": 0}
    assert (await http.post(f"{prefix}/processors/faces-1/heartbeat", json=beat)).status_code == 204
    assert (await http.post(f"{prefix}/processors/faces-1/heartbeat")).status_code == 204

    gone = await http.delete(f"{prefix}/processors/faces-1")
    assert gone.status_code == 204
    assert gone.content == b""
    assert_problem(await http.get(f"{prefix}/processors/faces-1"), 404, "processor_unknown")
    assert_problem(await http.delete(f"{prefix}/processors/faces-1"), 404, "processor_unknown")
    assert_problem(await http.post(f"{prefix}/processors/faces-1/heartbeat"), 404, "processor_unknown")
    assert_problem(await http.patch(f"{prefix}/processors/faces-1", json={"capacity": 1}), 404, "processor_unknown")


async def test_the_id_of_a_healthy_processor_is_taken(http: httpx.AsyncClient) -> None:
    mine, other = {"X-Processor-Token": "mine"}, {"X-Processor-Token": "other"}
    path = "/processors/register"
    assert (await http.post(path, json=registration("p"), headers=mine)).status_code == 201
    assert_problem(await http.post(path, json=registration("p"), headers=other), 409, "processor_exists")
    assert_problem(await http.post(path, json=registration("p")), 409, "processor_exists")
    assert (await http.post(path, json=registration("p"), headers=mine)).status_code == 201
    assert_problem(await http.post("/processors/p/heartbeat", headers=other), 409, "processor_changed")
    assert (await http.post("/processors/p/heartbeat", headers=mine)).status_code == 204
    assert_problem(await http.delete("/processors/p", headers=other), 409, "processor_changed")
    assert (await http.delete("/processors/p", headers=mine)).status_code == 204


@pytest.mark.parametrize(
    ("body", "location"),
    [
        (registration(""), "body.id"),
        (registration("a/b"), "body.id"),
        (registration(capabilities=[]), "body.capabilities"),
        (registration(capabilities=[""]), "body.capabilities.0"),
        (registration(capacity=0), "body.capacity"),
        (registration(capacity="many"), "body.capacity"),
        (registration(queue="frames:ready:other"), "body.queue"),
        (registration(misspelt=1), "body.misspelt"),
        ([], "body"),
    ],
)
async def test_an_invalid_registration_names_the_field(http: httpx.AsyncClient, body: Any, location: str) -> None:
    document = assert_problem(await http.post("/processors/register", json=body), 422, "invalid_request")
    assert document["errors"][0]["location"] == location


async def test_a_body_that_is_not_json(http: httpx.AsyncClient) -> None:
    answer = await http.post("/processors/register", content=b"{", headers={"Content-Type": "application/json"})
    assert_problem(answer, 422, "invalid_request")
    assert_problem(await http.post("/processors/register"), 422, "invalid_request")


async def test_a_body_that_is_too_large(http: httpx.AsyncClient) -> None:
    size = BODY_BYTES_MAX + 1
    assert_problem(await http.post("/processors/register", content=b" " * size), 413, "body_too_large")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(0, size, 1 << 16):
            yield b" " * (1 << 16)
        yield b" "

    assert_problem(await http.post("/processors/register", content=chunks()), 413, "body_too_large")


async def test_headers_without_end_are_cut_off(http: httpx.AsyncClient) -> None:
    url = http.base_url
    _, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")

    async def send_on() -> None:
        for number in range(1_000):  # 1 MB
            writer.write(b"X-%d: %s\r\n" % (number, b"a" * 1_000))
            await writer.drain()
            await asyncio.sleep(0)

    with pytest.raises(ConnectionError):
        await send_on()
    writer.close()


async def test_a_body_without_end_is_cut_off(http: httpx.AsyncClient) -> None:
    url = http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"POST /event HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999999\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert b" 413 " in head
    assert b"connection: close" in head.lower()


async def test_paths_and_methods_that_are_not_there(http: httpx.AsyncClient) -> None:
    assert_problem(await http.get("/v1/nothing"), 404, "not_found")
    assert_problem(await http.get("/processors/"), 404, "not_found")
    answer = await http.put("/v1/cluster", json={})
    assert_problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]
    assert_problem(await http.get("/processors/a%0ab"), 400, "path_invalid")


@pytest.mark.parametrize("query", ["consistency=sometimes", "consistency=stale&max_stale=-1", "max_stale=soon"])
async def test_reads_of_an_unknown_consistency(http: httpx.AsyncClient, query: str) -> None:
    assert_problem(await http.get(f"/processors?{query}"), 422, "invalid_request")


@pytest.mark.parametrize("consistency", ["leader", "linearizable", "stale", "stale&max_stale=5"])
async def test_reads_of_each_consistency(http: httpx.AsyncClient, consistency: str) -> None:
    assert (await http.get(f"/processors?consistency={consistency}")).status_code == 200


# ── Components ───────────────────────────────────────────────────────────────────────────────────────────────────────


def component(component_id: str = "press-1", port: int = 9001, **extra: Any) -> dict[str, Any]:
    return {"id": component_id, "address": f"http://127.0.0.1:{port}", **extra}


async def test_a_component_from_registration_to_removal(http: httpx.AsyncClient) -> None:
    made = await http.post("/v1/components", json=component(name="Press", groups=["line-a"]))
    assert made.status_code == 201, made.text
    assert made.headers["Location"] == "/v1/components/press-1"
    assert (made.json()["state"], made.json()["presence"]) == ("READY", "ONLINE")
    again = await http.post("/v1/components", json=component(name="Press", groups=["line-a"]))
    assert again.status_code == 200
    assert_problem(await http.post("/v1/components", json=component(port=9002)), 409, "component_exists")

    assert [row["id"] for row in (await http.get("/v1/components")).json()] == ["press-1"]
    assert len((await http.get("/v1/components?group=line-a&state=READY")).json()) == 1
    assert (await http.get("/v1/components?group=line-b")).json() == []
    assert (await http.get("/v1/components/press-1")).json()["groups"] == ["line-a"]

    assert (await http.delete("/v1/components/press-1")).status_code == 204
    assert_problem(await http.get("/v1/components/press-1"), 404, "component_unknown")
    assert_problem(await http.delete("/v1/components/press-1"), 404, "component_unknown")


@pytest.mark.parametrize(
    ("body", "location"),
    [
        (component(""), "body.id"),
        ({"id": "x"}, "body.address"),
        ({"id": "x", "address": "ftp://x"}, "body.address"),
        (component(groups=["a b"]), "body.groups.0"),
        (component(misspelt=1), "body.misspelt"),
    ],
)
async def test_an_invalid_component_names_the_field(http: httpx.AsyncClient, body: Any, location: str) -> None:
    document = assert_problem(await http.post("/v1/components", json=body), 422, "invalid_request")
    assert document["errors"][0]["location"] == location


async def test_commands_that_reach_no_component(http: httpx.AsyncClient) -> None:
    path = "/v1/components/nobody/commands"
    assert_problem(await http.post(path, json={"command": "CMD_START"}), 404, "component_unknown")
    document = assert_problem(await http.post(path, json={"command": "CMD_DANCE"}), 422, "invalid_request")
    assert document["errors"][0]["location"] == "body.command"
    assert "CMD_START" in document["detail"]
    assert_problem(await http.post(path, json={}), 422, "invalid_request")


async def test_events_that_nobody_takes(http: httpx.AsyncClient) -> None:
    document = assert_problem(await http.post("/event", content=b"{}"), 422, "event_invalid")
    assert "type" in document["detail"]
    large = {"type": "a", "source": "b", "payload": {"x": "y" * 300_000}}
    assert_problem(await http.post("/event", json=large), 413, "event_too_large")
    unknown = {"type": "component.heartbeat", "source": "nobody", "payload": {"state": "READY"}}
    assert_problem(await http.post("/event", json=unknown), 404, "component_unknown")
    strange = {"type": "component.no_such_type", "source": "nobody"}
    assert_problem(await http.post("/event", json=strange), 422, "unknown_event")
    assert_problem(
        await http.post("/event", json={"type": "door.opened", "source": "nobody"}), 404, "component_unknown"
    )
    for body in (b"{}", b"[", b"[1, {]", b"\xff"):
        assert_problem(await http.post("/v1/components/heartbeats", content=body), 422, "event_invalid")
    many = [unknown] * 2_001
    assert_problem(await http.post("/v1/components/heartbeats", json=many), 413, "event_too_large")


# ── Idempotency ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_repeat_under_the_same_key_changes_nothing_more(http: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "again-1"}
    first = await http.post("/processors/register", json=registration("twice"), headers=key)
    again = await http.post("/processors/register", json=registration("twice"), headers=key)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert first.headers["Idempotency-Key"] == "again-1"
    # Under another key it is another request, and the id is taken.
    assert_problem(await http.post("/processors/register", json=registration("twice")), 409, "processor_exists")
    # The same key on another request is refused, and nothing is done.
    assert_problem(await http.delete("/processors/twice", headers=key), 422, "key_reused")
    assert (await http.get("/processors/twice")).status_code == 200


@pytest.mark.parametrize("key", ["", "x" * 201, "a b", "\u00e4"])
async def test_a_key_that_cannot_be_one(http: httpx.AsyncClient, key: str) -> None:
    headers = httpx.Headers([(b"Idempotency-Key", key.encode("latin-1"))])
    answer = await http.post("/processors/register", json=registration(), headers=headers)
    document = assert_problem(answer, 422, "invalid_request")
    assert document["errors"][0]["location"] == "header.Idempotency-Key"


# ── The cluster ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_cluster_status(http: httpx.AsyncClient) -> None:
    status = (await http.get("/v1/cluster")).json()
    assert (status["node"], status["leader"], status["role"], status["mode"]) == ("n1", "n1", "leader", "active-active")
    assert status["has_quorum"] is True
    assert [(member["id"], member["reachable"], member["role"]) for member in status["members"]] == [
        ("n1", True, "leader")
    ]


async def test_transfer(http: httpx.AsyncClient) -> None:
    assert_problem(await http.post("/v1/cluster/transfer", json={"to": "n9"}), 404, "member_unknown")
    assert_problem(await http.post("/v1/cluster/transfer", json={"too": "n1"}), 422, "invalid_request")
    epoch = (await http.get("/readyz")).json()["epoch"]
    same = await http.post("/v1/cluster/transfer", json={"to": "n1"})
    assert same.json() == {"leader": "n1", "epoch": epoch}


# ── Frames ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_frames_and_their_ledger(http: httpx.AsyncClient, nodes: Nodes) -> None:
    async with FrameProducer("cam-api", nodes.redis.url) as producer:
        for number in range(5):
            fields = {"width": 4, "height": 4, "format": "jpeg", "metadata": {"detection_type": "none"}}
            await producer.publish(b"x", frame_id=f"f{number}", **fields)

    async def parked() -> bool:
        stats = (await http.get("/v1/frames/stats")).json()
        return bool(stats["lanes"].get("none") == 5)

    await eventually(parked)
    ledger = (await http.get("/v1/frames/ledger")).json()
    assert (ledger["published"], ledger["in_flight"], ledger["lost"], ledger["duplicates"]) == (5, 5, 0, 0)
    assert ledger["ledger_ok"] is True


# ── OpenAPI ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_openapi_documents_every_route_and_its_refusals(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    wanted = {
        *(
            "/processors/register",
            "/processors",
            "/processors/{processor_id}",
            "/v1/processors/{processor_id}/heartbeat",
        ),
        *("/health", "/metrics", "/control/status", "/healthz", "/readyz", "/leader", "/event"),
        *("/v1/cluster", "/v1/cluster/transfer", "/v1/frames/stats", "/v1/frames/ledger"),
        *("/v1/components", "/v1/components/{component_id}", "/v1/components/{component_id}/commands"),
    }
    assert wanted <= set(document["paths"])
    assert "ProblemDocument" in document["components"]["schemas"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    names = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            names.append(operation["operationId"])
            refusals = {status: said for status, said in operation["responses"].items() if status[0] in "45"}
            anyone = {"/healthz", "/readyz", "/leader"}
            assert {"422", "500"} <= set(refusals), (method, path)
            assert ("401" in refusals) is (path not in anyone), (method, path)
            for status, said in refusals.items():
                for media_type, content in said["content"].items():
                    if media_type == "application/problem+json":
                        for example in content["examples"].values():
                            assert example["value"]["status"] == int(status)
    assert len(names) == len(set(names))
    assert (await http.get("/docs")).status_code == 404  # nothing that would come from elsewhere
    assert document["security"] == [{}, {"bearer": []}]  # from the first admin's token on one is asked for


async def test_openapi_says_where_the_token_is_needed(nodes: Nodes) -> None:
    api = nodes.nodes[0].config.api.model_copy(update={"token": SecretStr(TOKEN)})
    document = build_app(Node(nodes.nodes[0].config.model_copy(update={"api": api}))).openapi()
    assert document["security"] == [{"bearer": []}]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert document["paths"]["/readyz"]["get"]["security"] == []
    assert "security" not in document["paths"]["/metrics"]["get"]


async def test_without_redis(tmp_path: Path) -> None:
    async with serving(1, tmp_path) as nodes:
        http = nodes.clients[0]
        body = registration("kept")
        assert (await http.post("/processors/register", json=body)).status_code == 201
        await nodes.redis.kill()

        async def noticed() -> bool:
            return (await http.get("/readyz")).status_code == 503

        await eventually(noticed, deadline_s=10)
        document = assert_problem(await http.get("/readyz"), 503, "not_ready")
        assert "Redis does not answer" in document["reasons"][0]
        for path in ("/v1/frames/stats", "/v1/frames/ledger"):
            assert_problem(await http.get(path), 503, "redis_unavailable")
        health = await http.get("/health")
        assert (health.status_code, health.json()["status"]) == (503, "unhealthy")
        # What needs no Redis goes on: the removal is replicated, its queue is returned later.
        assert (await http.delete("/processors/kept")).status_code == 204
        await nodes.redis.restart()

        async def ready() -> bool:
            return (await http.get("/readyz")).status_code == 200

        await eventually(ready, deadline_s=15)
        assert (await http.get("/v1/frames/stats")).status_code == 200


async def test_many_at_once(http: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(
        *(http.post("/processors/register", json=registration(f"many-{n}")) for n in range(50))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len((await http.get("/processors")).json()) >= 50
