"""What became of frames, as a node's API and the command line tell it: over real nodes and a real server."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from framebuffer.connection import connect
from framebuffer.embedded import EmbeddedServer
from framebuffer.latency import summed_up
from framebuffer.otlp import OtlpSpans
from framebuffer.producer import FrameProducer
from framebuffer.streams import FrameStreams
from framebuffer.tracing import ProducerTracing
from framebuffer.wire import Given, Settlement
from orchestrator.cli import frames_story
from orchestrator.cli.exits import Exit
from orchestrator.cli.main import main
from tests.framebuffer.frames import add_copy, entries_by_id
from tests.framebuffer.otlp_receiver import OtlpReceiver
from tests.orchestrator.api_nodes import Nodes, serving
from tests.orchestrator.test_api_node import assert_problem, registration
from tests.support import eventually, free_port

REPO = Path(__file__).parents[2]
IMAGE: dict[str, Any] = {
    "width": 4,
    "height": 4,
    "format": "jpeg",
    "metadata": {"detection_type": "face_detection"},
}
REASONS = ("ValueError: first", "ValueError: second", "payload_missing")


class Plant:
    """One node that leads, a processor that never dies, and a way to Redis."""

    def __init__(self, nodes: Nodes, streams: FrameStreams, receiver: OtlpReceiver) -> None:
        self.nodes = nodes
        self.streams = streams
        self.receiver = receiver
        self.http = nodes.clients[0]

    async def frames(self, camera: str, count: int, **options: Any) -> list[str]:
        """Publish, and have them dispatched; the handles of what the processor then holds."""
        async with FrameProducer(camera, self.nodes.redis.url, **options) as producer:
            for _ in range(count):
                await producer.publish(b"x", **IMAGE)
        taken: list[str] = []

        async def all_taken() -> bool:
            found = await self.streams.take("faces-1", "c", count=count)
            taken.extend(frame.entry_id for frame in found if frame.camera_id == camera)
            return len(taken) == count

        await eventually(all_taken, deadline_s=10)
        return taken

    async def dead(self, camera: str) -> list[str]:
        """Let a frame die for each of `REASONS`; the ids of their entries."""
        handles = await self.frames(camera, len(REASONS))
        settlements = [
            Settlement(handle, "dead", reason=reason) for handle, reason in zip(handles, REASONS, strict=True)
        ]
        assert await self.streams.settle("faces-1", "c", settlements) == ["dead"] * len(REASONS)
        page = (await self.http.get("/v1/frames/dead", params={"camera": camera})).json()
        return [frame["entry_id"] for frame in page["frames"]]


@pytest.fixture(scope="module")
async def plant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plant]:
    with OtlpReceiver().running() as receiver:
        telemetry, frames = {"otlp_endpoint": receiver.url}, {"heartbeat_timeout_s": 600}
        async with serving(1, tmp_path_factory.mktemp("told"), telemetry=telemetry, frames=frames) as nodes:
            answer = await nodes.clients[0].post("/processors/register", json=registration(capacity=1000))
            assert answer.status_code == 201
            redis = connect(nodes.redis.url)
            streams = FrameStreams(redis)
            yield Plant(nodes, streams, receiver)
            await streams.aclose()
            await redis.aclose()


async def triarch(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr; in a thread, since the nodes run on this event loop."""
    result = await asyncio.to_thread(CliRunner().invoke, main, ["frames", *arguments], env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def _cells(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines()]


async def _length(redis: Redis, stream: str, number: int) -> bool:
    return int(await redis.xlen(stream)) == number


async def started(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orchestrator.cli.main", "frames", *arguments),
        cwd=REPO,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def running(*arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await started(*arguments, **environment)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.anyio
async def test_the_story_of_a_frame(plant: Plant) -> None:
    handles = await plant.frames("story", 2)
    outcomes = await plant.streams.settle("faces-1", "c", [Settlement(handles[0], "ok", b'{"faces": 2}')])
    assert outcomes == ["settled"]
    told = (await plant.http.get("/v1/frames/trace/story-0")).json()
    assert (told["status"], [step["what"] for step in told["steps"]]) == (
        "settled",
        ["received", "dispatched", "settled"],
    )
    assert (told["steps"][1]["node"], told["steps"][1]["processor_id"]) == ("n1", "faces-1")
    assert told["steps"][2]["result"] == {"faces": 2}
    waiting = (await plant.http.get("/v1/frames/trace/story:1")).json()
    assert [wait["consumer"] for wait in waiting["waits"]] == ["c"]
    assert_problem(await plant.http.get("/v1/frames/trace/nobody%2F1"), 404, "frame_unknown")

    api = {"TRIARCH_URL": plant.nodes.urls[0]}
    code, out, _ = await triarch("trace", "story:0", **api)
    assert code == 0
    lines = out.splitlines()
    assert lines[:2] == ["frame   story-0, camera story, sequence 0", "status  settled"]
    assert [line.split()[2] for line in lines if "Z " in line] == ["received", "dispatched", "settled"]
    code, out, _ = await triarch("trace", "story:0", "-o", "json", "--redis-url", plant.nodes.redis.url)
    assert (code, json.loads(out)) == (0, told)
    code, _, err = await triarch("trace", "nobody", **api)
    assert code == Exit.NOT_FOUND
    assert "frame_unknown" in err


@pytest.mark.anyio
async def test_dead_frames_over_the_api(plant: Plant) -> None:
    entries = await plant.dead("dead-api")
    page = (await plant.http.get("/v1/frames/dead", params={"camera": "dead-api", "limit": 2})).json()
    assert [frame["entry_id"] for frame in page["frames"]] == entries[:2]
    rest = (await plant.http.get("/v1/frames/dead", params={"camera": "dead-api", "cursor": page["cursor"]})).json()
    assert [(frame["reason"], frame["camera_id"]) for frame in rest["frames"]] == [("payload_missing", "dead-api")]
    assert rest["cursor"] is None
    query = page["cursor"].rsplit("_", 1)[1]
    for cursor in ("x", f"7/1764-0_1-0_{query}", f"1764-0_7/1-0_{query}"):
        wrong = {"camera": "dead-api", "cursor": cursor}
        assert_problem(await plant.http.get("/v1/frames/dead", params=wrong), 422, "invalid_cursor")
    other = {"camera": "another", "cursor": page["cursor"]}
    refused = assert_problem(await plant.http.get("/v1/frames/dead", params=other), 422, "invalid_cursor")
    assert "other filters" in refused["detail"]

    bodies: list[dict[str, Any]] = [{}, {"ids": []}, {"al": True}]
    for body in (*bodies, {"ids": entries[:1], "all": True}, {"ids": entries, "camera": "c"}):
        assert_problem(await plant.http.post("/v1/frames/dead/replay", json=body), 422, "invalid_request")
    assert_problem(await plant.http.post("/v1/frames/dead/drop", json={"ids": ["*"]}), 422, "invalid_cursor")

    once = (await plant.http.post("/v1/frames/dead/replay", json={"ids": entries[:1]})).json()
    assert once == {"done": 1, "not_found": 0, "refused": 0, "outcomes": {entries[0]: "replayed"}, "cursor": None}
    again = (await plant.http.post("/v1/frames/dead/replay", json={"ids": entries[:1]})).json()
    assert (again["done"], again["not_found"]) == (0, 1)
    matching = {"all": True, "camera": "dead-api", "reason": "payload"}
    assert (await plant.http.post("/v1/frames/dead/drop", json=matching)).json()["done"] == 1
    left = (await plant.http.get("/v1/frames/dead", params={"camera": "dead-api"})).json()["frames"]
    assert [frame["reason"] for frame in left] == ["ValueError: second"]
    assert (await plant.http.get("/v1/frames/ledger")).json()["ledger_ok"] is True


@pytest.mark.anyio
async def test_dead_frames_on_the_command_line(plant: Plant) -> None:
    entries = await plant.dead("dead-cli")
    for source in ({"TRIARCH_URL": plant.nodes.urls[0]}, {"TRIARCH_REDIS_URL": plant.nodes.redis.url}):
        code, out, err = await triarch("dead", "list", "--camera", "dead-cli", "--limit", "2", **source)
        assert code == 0
        assert [line.split()[0] for line in out.splitlines()] == ["ENTRY", *entries[:2]]
        assert "--cursor" in err
    api, redis = {"TRIARCH_URL": plant.nodes.urls[0]}, {"TRIARCH_REDIS_URL": plant.nodes.redis.url}
    code, out, _ = await triarch("dead", "replay", "--all", "--camera", "dead-cli", "--reason", "Value", **api)
    assert (code, out.splitlines()[1].split()) == (0, ["replayed", "2"])
    code, _, _ = await triarch("dead", "replay", entries[0], **redis)
    assert code == Exit.NOT_FOUND
    code, out, _ = await triarch("dead", "drop", entries[2], "-o", "json", **redis)
    assert (code, json.loads(out)) == (0, {"dropped": 1, "not_found": 0, "refused": 0})
    for source in (api, redis):
        code, _, err = await triarch("dead", "replay", "x", **source)
        assert (code, "'x' is no entry of a dead frame; `triarch frames dead list` shows them" in err) == (4, True), err
    for arguments in ((), ("--all", entries[0]), (entries[0], "--camera", "c")):
        assert (await triarch("dead", "drop", *arguments, **api))[0] == Exit.USAGE


@pytest.mark.anyio
async def test_lag_and_what_is_stuck(plant: Plant) -> None:
    await plant.frames("behind", 3)
    rows = {row["place"]: row for row in (await plant.http.get("/v1/frames/lag")).json()}
    assert rows["capture"]["length"] == 0
    queue = rows["ready:faces-1"]
    assert queue["pending"] >= 3
    assert queue["oldest_s"] >= 0
    api = {"TRIARCH_URL": plant.nodes.urls[0]}
    code, out, _ = await triarch("lag", **api)
    assert (code, out.splitlines()[0].split()) == (0, ["PLACE", "LENGTH", "AGE", "S", "IN", "HAND", "LEVELS"])
    code, out, err = await triarch("verify", "--stuck-s", "0.001", **api)
    assert code == 0, err
    assert ["ledger_ok", "yes"] in [line.split() for line in out.splitlines()]
    assert '"camera_id": "behind", "sequence": 2, "place": "ready:faces-1"' in err
    ledger = (await plant.http.get("/v1/frames/ledger?stuck_s=3600")).json()
    assert (ledger["stuck"], ledger["stuck_frames"]) == (0, [])


@pytest.mark.anyio
async def test_a_broken_ledger_names_what_is_gone_and_what_is_there_twice(tmp_path: Path) -> None:
    """Read from the server, and asked of a node. Nobody takes the frames: they wait in their lane."""
    async with serving(1, tmp_path) as nodes:
        redis = connect(nodes.redis.url)
        streams = FrameStreams(redis)
        lane = streams.keys.lane("face_detection")
        async with FrameProducer("broken", nodes.redis.url) as producer:
            for _ in range(4):
                await producer.publish(b"x", **IMAGE)
        await eventually(lambda: _length(redis, lane, 4), deadline_s=10)
        sources = ({"TRIARCH_REDIS_URL": nodes.redis.url}, {"TRIARCH_URL": nodes.urls[0]})
        for source in sources:
            code, out, err = await triarch("verify", **source)
            assert (code, ["ledger_ok", "yes"] in _cells(out), err) == (Exit.OK, True, "")

        found = await entries_by_id(redis, lane)
        await redis.xdel(lane, found[1][0])
        await add_copy(redis, lane, found[2][1])
        for source in sources:
            code, out, err = await triarch("verify", **source)
            assert code == Exit.FAILED
            assert [
                row for row in _cells(out) if row[0] in ("published", "in_flight", "lost", "duplicates", "ledger_ok")
            ] == [
                ["published", "4"],
                ["in_flight", "3"],
                ["lost", "1"],
                ["duplicates", "1"],
                ["ledger_ok", "no"],
            ]
            assert sorted(err.splitlines()) == [
                'duplicate: {"camera_id": "broken", "sequence": 2, "reason": "in_flight_twice"}',
                'lost: {"camera_id": "broken", "sequence": 1, "reason": "vanished"}',
            ]
            report = tmp_path / "ledger.json"
            code, out, _ = await triarch("verify", "-o", "json", "--report", str(report), **source)
            told = json.loads(out)
            assert (code, told["ledger_ok"], told) == (Exit.FAILED, False, json.loads(report.read_text("utf-8")))
            assert told["problems"][:2] == ["1 frames are there twice", "1 frames are lost"]
        await streams.aclose()
        await redis.aclose()


@pytest.mark.anyio
async def test_latency_is_measured_by_the_server(plant: Plant) -> None:
    handles = await plant.frames("timed", 5)
    await asyncio.sleep(0.02)  # so that they take milliseconds
    await plant.streams.settle("faces-1", "c", [Settlement(handle, "ok", result=b"{}") for handle in handles])
    told = (await plant.http.get("/v1/frames/latency", params={"window_s": 300})).json()
    assert told["results"] >= 5
    assert told["complete"]
    assert 0 <= told["p50_ms"] <= told["p95_ms"] <= told["p99_ms"] <= told["max_ms"] < 60_000
    assert_problem(await plant.http.get("/v1/frames/latency", params={"window_s": 0}), 422, "invalid_request")

    async def shown() -> bool:  # the leader looks every five seconds
        page = (await plant.http.get("/metrics")).text.splitlines()
        row = 'frame_buffer_frame_latency_seconds{share="0.95"} '
        return any(line.startswith(row) and float(line.removeprefix(row)) >= 0.02 for line in page)

    await eventually(shown, deadline_s=10)


@given(st.lists(st.integers(0, 10**6), max_size=200))
def test_percentiles_are_samples_in_order(samples: list[int]) -> None:
    found = summed_up(samples, server_ms=1, window_s=1.0, complete=True)
    told = [found.p50_ms, found.p95_ms, found.p99_ms, found.max_ms]
    if not samples:
        assert told == [None] * 4
        return
    numbers = [one for one in told if one is not None]
    assert numbers == sorted(numbers)
    assert set(numbers) <= set(samples)
    assert found.max_ms == max(samples)
    assert sum(one <= numbers[0] for one in samples) * 2 >= len(samples)


@pytest.mark.anyio
async def test_what_ends_is_told_as_it_ends(plant: Plant) -> None:
    cursor = (await plant.http.get("/v1/frames/tail?wait_s=0")).json()["cursor"]
    handles = await plant.frames("tailed", 2)
    waiting = asyncio.create_task(plant.http.get("/v1/frames/tail", params={"cursor": cursor, "wait_s": 5}))
    settlements = [Settlement(handles[0], "ok", b'{"faces": 0}'), Settlement(handles[1], "dead", reason="poison")]
    await plant.streams.settle("faces-1", "c", settlements)
    answer = (await waiting).json()
    frames = [(frame["what"], frame["frame_id"]) for frame in answer["frames"]]
    assert sorted(frames) == [("dead", "tailed-1"), ("settled", "tailed-0")]
    assert (await plant.http.get("/v1/frames/tail", params={"cursor": answer["cursor"], "wait_s": 0})).json() == {
        "frames": [],
        "cursor": answer["cursor"],
    }
    assert_problem(await plant.http.get("/v1/frames/tail?cursor=1-0_x"), 422, "invalid_cursor")
    options = ("--from-start", "--camera", "tailed", "--only", "dead", "--count", "1")
    code, out, _ = await triarch("tail", *options, "-o", "json", TRIARCH_URL=plant.nodes.urls[0])
    assert (code, json.loads(out)["reason"]) == (0, "poison")


@pytest.mark.anyio
async def test_who_comes_too_late_is_told(plant: Plant) -> None:
    async def told(cursor: str) -> dict[str, Any]:
        answer = await plant.http.get("/v1/frames/tail", params={"cursor": cursor, "wait_s": 0})
        return dict(answer.json())

    cursor = (await told(""))["cursor"]
    handles = await plant.frames("late", 2)
    await plant.streams.settle("faces-1", "c", [Settlement(handle, "ok", b"{}") for handle in handles])
    await plant.streams.redis.xtrim(plant.streams.keys.results, 0, approximate=False)
    answer = await told(cursor)
    assert (answer["frames"], answer["not_kept"]["results"] in (2, "some")) == ([], True)
    assert await told(answer["cursor"]) == {"frames": [], "cursor": answer["cursor"]}


@pytest.mark.anyio
async def test_following_goes_on_where_it_was(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path, free_port()) as server:
        redis = connect(server.url)
        streams = FrameStreams(redis)
        session = await streams.open_camera("cam")

        async def given_up(sequence: int) -> None:
            assert await streams.drop(session, [Given(f"cam-{sequence}", sequence, "freshest")]) == ["ok"]

        await given_up(0)
        async with running("tail", "--from-start", "-o", "json", TRIARCH_REDIS_URL=server.url) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert json.loads(await process.stdout.readline())["frame_id"] == "cam-0"
            await server.kill()
            assert b"waiting" in await process.stderr.readline()
            await server.restart()
            await streams.aclose()
            await given_up(1)
            frame = json.loads(await process.stdout.readline())
            assert (frame["what"], frame["frame_id"], frame["reason"]) == ("dropped", "cam-1", "freshest")
        await redis.xtrim(streams.keys.dropped, 1, approximate=False)
        code, out, err = await triarch("tail", "--from-start", "--count", "1", TRIARCH_REDIS_URL=server.url)
        assert (code, "cam-1" in out) == (0, True)
        assert "1 dropped frames not kept: they were trimmed before this came to them" in err
        await redis.set(streams.keys.format, 3)
        for command in (("tail", "--from-start"), ("verify",), ("stats",), ("dead", "list")):
            code, _, err = await triarch(*command, TRIARCH_REDIS_URL=server.url)
            assert (code, "the frames are in format 3" in err) == (Exit.DEGRADED, True), command
        await streams.aclose()
        await redis.aclose()


@pytest.mark.anyio
async def test_a_node_makes_the_leaders_spans(plant: Plant) -> None:
    sink = OtlpSpans(plant.receiver.url, service_name="camera", interval_s=0.02)
    await plant.frames("spans", 3, tracing=ProducerTracing(sink))
    await asyncio.to_thread(sink.close)

    def arrived() -> bool:
        return len([span for span in plant.receiver.spans if span.attributes["frame.camera_id"] == "spans"]) == 12

    await eventually(arrived, deadline_s=5)
    assert not plant.receiver.orphans()
    for span in plant.receiver.named("dispatch_to_processor"):
        assert (span.service, span.attributes["node.id"]) == ("triarch-node", "n1")

    async def counted() -> bool:
        return 'frame_buffer_spans_total{result="exported"} 9.0' in (await plant.http.get("/metrics")).text

    await eventually(counted)


def test_a_story_as_people_read_it() -> None:
    story = {
        "frame_id": None,
        "camera_id": "cam",
        "sequence": 7,
        "status": "in_flight",
        "capability": "face,plate",
        "priority": 3,
        "parts": 2,
        "trace_id": "ab" * 16,
        "received_ms": 1_764_000_000_000,
        "steps": [
            {"at_ms": 1_764_000_000_000, "what": "received", "capability": "face,plate", "priority": 3},
            {
                "at_ms": 1_764_000_000_005,
                "what": "dispatched",
                "capability": "face",
                "attempts": 1,
                "processor_id": "w1",
                "outstanding": 2,
                "candidates": [{"processor_id": "w1", "outstanding": 2, "capacity": 8}],
                "strategy": "affinity",
                "node": "n1",
                "epoch": "3.17",
            },
            {"at_ms": 1_764_000_000_009, "what": "retry", "attempts": 2, "processor_id": "w1", "reason": "x"},
            {"at_ms": 1_764_000_000_010, "what": "settled", "attempts": 1, "result": {"text": "y" * 300}},
        ],
        "waits": [
            {
                "place": "ready:w1:ps",
                "entry_id": "1-0",
                "capability": "face",
                "since_ms": 1_764_000_000_009,
                "consumer": "w1-1",
                "idle_ms": 1500,
            }
        ],
        "unkept": ["dispatches before noon"],
    }
    assert list(frames_story.heading(story)) == [
        "frame   camera cam, sequence 7",
        "status  in_flight",
        "asks    face,plate, priority 3, in 2 parts",
        f"trace   {'ab' * 16}",
    ]
    received, dispatched, retry, settled = frames_story.rows(story)
    assert (received["after_ms"], received["attempt"], received["detail"]) == (0, None, "face,plate, priority 3")
    assert (dispatched["after_ms"], dispatched["attempt"]) == (5, 2)
    assert dispatched["detail"] == "face; by n1 (epoch 3.17), affinity; among w1 2/8; had 2 then"
    assert (retry["attempt"], retry["detail"]) == (2, "x")
    assert settled["detail"].endswith("…")
    assert list(frames_story.footing(story)) == [
        "waits in ready:w1:ps (face) since 2025-11-24T16:00:00.009Z, in the hands of w1-1 for 1.5 s",
        "not kept: dispatches before noon",
    ]
