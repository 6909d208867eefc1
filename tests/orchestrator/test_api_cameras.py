"""Cameras over HTTP: their counters, their last picture, and what is said where there is none."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from framebuffer.connection import connect, execute
from framebuffer.keys import Keys
from framebuffer.producer import FrameProducer
from orchestrator.cli.frames import frames
from tests.orchestrator.api_nodes import Nodes, serving
from tests.orchestrator.test_api_node import assert_problem
from tests.support import eventually

pytestmark = pytest.mark.anyio

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 20
SIZE = {"width": 640, "height": 480, "format": "jpeg"}
TEXT = """\
name: draft
inputs:
  speed: {type: number, default: 120, description: mm/s}
actions:
  - {type: log_event, message: "{{ inputs.speed }}"}
"""


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(1, tmp_path_factory.mktemp("cameras")) as found:
        yield found


@pytest.fixture
def http(nodes: Nodes) -> httpx.AsyncClient:
    return nodes.clients[0]


async def test_a_picture_is_what_the_camera_published(nodes: Nodes, http: httpx.AsyncClient) -> None:
    assert_problem(await http.get("/v1/frames/cameras/cam-1"), 404, "camera_unknown")
    assert_problem(await http.get("/v1/frames/cameras/cam-1/picture"), 404, "camera_unknown")
    async with FrameProducer("cam-2", nodes.redis.url, pictures_every_s=0) as silent:
        await silent.publish(JPEG, **SIZE)
    async with FrameProducer("cam-1", nodes.redis.url) as producer:
        await producer.publish(JPEG, **SIZE)

        async def there() -> bool:
            return (await http.get("/v1/frames/cameras/cam-1/picture")).status_code == 200

        await eventually(there, deadline_s=10)
    answer = await http.get("/v1/frames/cameras/cam-1/picture")
    assert answer.content == JPEG
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-triarch-picture-sequence"] == "0"
    assert answer.headers["x-triarch-picture-frame"] == "cam-1-0"
    assert 0 <= float(answer.headers["x-triarch-picture-age"]) < 600
    assert answer.headers["cache-control"] == "no-store"
    assert_problem(await http.get("/v1/frames/cameras/cam-2/picture"), 404, "picture_unknown")
    page = (await http.get("/v1/frames/cameras", params={"limit": 1})).json()
    camera = page["cameras"][0]
    assert (camera["id"], camera["last_sequence"], camera["policy"]) == ("cam-1", 0, "lossless")
    assert camera["published"] == 1 == camera["settled"] + camera["dead"] + camera["dropped"] + camera["in_flight"]
    assert camera["picture"]["frame_id"] == "cam-1-0"
    assert len(camera["session"]) == 8
    stats = (await http.get("/v1/frames/stats")).json()  # neither shows what it would take to publish in its place
    assert {name: each["session"] for name, each in stats["cameras"].items()}["cam-1"] == camera["session"]
    page = (await http.get("/v1/frames/cameras", params={"limit": 1, "cursor": page["cursor"]})).json()
    assert ([each["id"] for each in page["cameras"]], page["cursor"]) == (["cam-2"], None)
    assert page["cameras"][0]["picture"] is None
    assert (await http.get("/v1/frames/cameras/cam-1")).json()["id"] == "cam-1"


async def test_the_command_line_shows_cameras_by_node_and_by_server(nodes: Nodes) -> None:
    async with FrameProducer("cam-9", nodes.redis.url) as producer:
        await producer.publish(JPEG, **SIZE)
    runner = CliRunner()

    async def ask(*where: str) -> Any:
        told = await asyncio.to_thread(runner.invoke, frames, ["cameras", *where, "-o", "json"])
        assert told.exit_code == 0, told.output
        rows = json.loads(told.stdout)
        for row in rows:
            if row["picture"]:
                del row["picture"]["age_s"]  # it goes on
        return rows

    async def pictured() -> bool:
        return any(row["id"] == "cam-9" and row["picture"] for row in await ask("--url", nodes.urls[0]))

    await eventually(pictured, deadline_s=10)
    rows = await ask("--url", nodes.urls[0])
    assert rows == await ask("--redis-url", nodes.redis.url)
    assert [row["published"] for row in rows if row["id"] == "cam-9"] == [1]
    table = await asyncio.to_thread(runner.invoke, frames, ["cameras", "--url", nodes.urls[0]])
    assert "PICTURE AGE S" in table.stdout
    assert "cam-9" in table.stdout


async def test_a_picture_of_unknown_age_says_so(nodes: Nodes, http: httpx.AsyncClient) -> None:
    async with FrameProducer("foreign", nodes.redis.url) as producer:
        await producer.publish(b"x", **SIZE)
    redis = connect(nodes.redis.url)
    key = Keys().picture("foreign")
    await execute(redis, "SET", key, b"3 foreign-3 -\n" + JPEG)  # for ever: its age is nobody's knowledge
    answer = await http.get("/v1/frames/cameras/foreign/picture")
    assert (answer.status_code, answer.headers["x-triarch-picture-age"]) == (200, "unknown")
    assert (await http.get("/v1/frames/cameras/foreign")).json()["picture"]["age_s"] is None
    await execute(redis, "SET", key, b"3 foreign-3 -\n<html><script>alert(1)</script>")
    assert_problem(await http.get("/v1/frames/cameras/foreign/picture"), 404, "picture_unknown")
    await execute(redis, "DEL", key)
    await execute(redis, "LPUSH", key, "no text")
    assert_problem(await http.get("/v1/frames/cameras/foreign/picture"), 503, "redis_refused")
    await execute(redis, "DEL", key)
    await redis.aclose()


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/frames/cameras?cursor=x", 422, "invalid_cursor"),
        ("/v1/frames/cameras?limit=501", 422, "invalid_request"),
        ("/v1/frames/cameras/a%20b", 422, "invalid_request"),
        ("/v1/frames/cameras/%3Ascript/picture", 422, "invalid_request"),
    ],
)
async def test_what_makes_no_sense_is_refused(http: httpx.AsyncClient, path: str, status: int, code: str) -> None:
    assert_problem(await http.get(path), status, code)


async def test_a_draft_is_judged_and_not_stored(http: httpx.AsyncClient) -> None:
    yaml = {"Content-Type": "application/yaml"}
    path = "/v1/playbooks/validate"
    found = (await http.post(path, content=TEXT, headers=yaml)).json()
    assert (found["valid"], found["name"], found["problems"]) == (True, "draft", [])
    assert found["inputs"]["speed"] == {"type": "number", "default": 120, "required": False, "description": "mm/s"}
    assert_problem(await http.get("/v1/playbooks/draft"), 404, "playbook_unknown")
    wrong = TEXT.replace("log_event", "log_evnt").replace("type: number", "type: colour")
    found = (await http.post(path, json={"text": wrong})).json()
    assert (found["valid"], found["inputs"]) == (False, {})
    assert {(each["line"], each["field"]) for each in found["problems"]} == {
        (3, "inputs.speed.type"),
        (5, "actions[0].type"),
    }
    assert all(each["column"] > 1 and each["message"] for each in found["problems"])
    found = (await http.post(path, params={"name": "other"}, content=TEXT, headers=yaml)).json()
    assert (found["valid"], found["problems"][0]["line"], found["problems"][0]["field"]) == (False, 1, "name")
    looped = "name: draft\nactions:\n  - {type: execute_scenario, name: draft}\n"
    found = (await http.post(path, content=looped, headers=yaml)).json()
    assert not found["valid"]
    assert "draft" in found["problems"][0]["message"]
    found = (await http.post(path, content=b"", headers=yaml)).json()
    assert (found["valid"], len(found["problems"])) == (False, 1)
    assert_problem(await http.post(path, content=b"#" * 70_000, headers=yaml), 413, "playbook_too_large")
    assert_problem(await http.post(path, content=b"x", headers={"Content-Type": "image/png"}), 422, "invalid_request")
