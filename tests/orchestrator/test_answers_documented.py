"""What is encoded without a model is what the OpenAPI document says: nothing lacks, nothing is left unsaid."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import jsonschema
import pytest

from framebuffer.connection import connect
from framebuffer.producer import FrameProducer
from framebuffer.streams import FrameStreams
from framebuffer.wire import Settlement
from orchestrator.client import AsyncClient
from tests.orchestrator.api_nodes import TOKEN, Nodes, serving
from tests.support import eventually

pytestmark = pytest.mark.anyio

SIZE = {"width": 640, "height": 480, "format": "jpeg"}
PATHS = {
    "/control/status": "/control/status",
    "/v1/frames/stats": "/v1/frames/stats",
    "/v1/frames/ledger": "/v1/frames/ledger?stuck_s=0.001",
    "/v1/frames/lag": "/v1/frames/lag",
    "/v1/frames/trace/{frame}": "/v1/frames/trace/cam-1:0",
    "/v1/frames/tail": "/v1/frames/tail?cursor=0&wait_s=0",
    "/v1/snapshot": "/v1/snapshot",
    "/v1/figures": "/v1/figures",
    "/v1/executions": "/v1/executions",
}


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(
        1, tmp_path_factory.mktemp("documented"), token=TOKEN, frames={"heartbeat_timeout_s": 600}
    ) as found:
        await work(found)
        yield found


def unsaid(value: Any, schema: dict[str, Any], schemas: dict[str, Any], at: str = "$") -> Iterator[str]:
    """Members of an answer that its schema does not name."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    kinds = [kind for kind in schema.get("anyOf", ()) if kind.get("type") != "null"]
    if value is not None and len(kinds) == 1:
        yield from unsaid(value, kinds[0], schemas, at)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from unsaid(one, schema.get("items", {}), schemas, f"{at}[{number}]")
    elif isinstance(value, dict) and "properties" in schema:
        for name, one in value.items():
            if name in schema["properties"]:
                yield from unsaid(one, schema["properties"][name], schemas, f"{at}.{name}")
            else:
                yield f"{at}.{name}"
    elif isinstance(value, dict) and isinstance(schema.get("additionalProperties"), dict):
        for name, one in value.items():
            yield from unsaid(one, schema["additionalProperties"], schemas, f"{at}.{name}")


async def work(nodes: Nodes) -> None:
    """Of three frames one is settled, one has failed once, and one is in hand."""
    http = nodes.clients[0]
    body = {"id": "looks-1", "capabilities": ["face_detection"], "capacity": 8}
    assert (await http.post("/v1/processors/register", json=body)).is_success
    redis = connect(nodes.redis.url)
    try:
        streams = FrameStreams(redis)
        await streams.ready()
        async with FrameProducer("cam-1", nodes.redis.url) as producer:
            for _ in range(3):
                await producer.publish(b"x", **SIZE, metadata={"detection_type": "face_detection"})
        taken: list[str] = []

        async def all_taken() -> bool:
            taken.extend(frame.entry_id for frame in await streams.take("looks-1", "c", count=3))
            return len(taken) == 3

        await eventually(all_taken, deadline_s=10)
        ok, error = Settlement(taken[0], "ok", result=b'{"faces": 2}'), Settlement(taken[1], "error", reason="blurred")
        assert await streams.settle("looks-1", "c", [ok, error]) == ["settled", "retry"]
    finally:
        await redis.aclose()


async def test_answers_that_no_model_makes_are_as_documented(nodes: Nodes) -> None:
    http = nodes.clients[0]
    text = "name: noted\nactions: [{type: log_event, message: hello}]\n"
    yaml = {"Content-Type": "application/yaml"}
    assert (await http.put("/v1/playbooks/noted", content=text, headers=yaml)).is_success
    assert (await http.post("/v1/playbooks/noted/runs", json={})).is_success
    document = (await http.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    for template, path in [*PATHS.items(), ("/v1/figures", "/v1/figures?own=true")]:
        answer = await http.get(path)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found, path
        schema = document["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator({**schema, "components": {"schemas": schemas}}).validate(found)
        if template != "/v1/executions":  # its rows may have more
            assert list(unsaid(found, schema, schemas)) == [], path


async def test_the_client_has_them_with_their_types(nodes: Nodes) -> None:
    async with AsyncClient(nodes.urls, token=TOKEN) as client:
        assert (await client.frames.stats()).cameras["cam-1"].settled > 0
        assert (await client.frames.ledger()).cameras["cam-1"].lost == 0
        assert next(row.place for row in await client.frames.lag()) == "capture"
        story = await client.frames.trace("cam-1:0")
        assert [step.what for step in story.steps] == ["received", "dispatched", "settled"]
        assert story.steps[1].candidates is not None
        assert story.steps[1].candidates[0].processor_id == "looks-1"
        assert (await client.frames.tail(cursor="0", wait_s=0)).frames[0].result == {"faces": 2}
        assert (await client.health.control()).leading is True
        assert (await client.figures()).figures_of == "n1"
        assert (await client.figures(own=True)).node is None
        assert (await client.snapshot(["processors"])).index > 0
