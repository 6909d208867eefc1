"""A camera process publishes real frames at its rate, ends in order, and says what it did."""

import json
import signal
import sys
import time
from pathlib import Path

import pytest

from framebuffer.embedded import EmbeddedServer
from framebuffer.ledger import verify
from framebuffer.models import FrameReadyEvent
from framebuffer.producer import FrameProducer
from framebuffer.streams import FrameStreams
from framebuffer.wire import RoutingRow, RoutingTable
from orchestrator.demo.camera import Camera, main, summary
from orchestrator.demo.clip import Clip, builtin_clip
from orchestrator.demo.detectors import detector
from orchestrator.dev.processes import Process, Processes, Program
from tests.support import eventually

pytestmark = pytest.mark.anyio


def program(server: EmbeddedServer, *arguments: str) -> Program:
    command = (sys.executable, "-m", "orchestrator.demo.camera", "--camera", "cam1", "--redis", server.url)
    return Program("cam1", (*command, *arguments))


def said(process: Process) -> dict[str, object]:
    found = json.loads(process.out.read_text())
    assert isinstance(found, dict)
    return found


async def test_a_camera_publishes_its_frames_and_ends(
    tmp_path: Path, server: EmbeddedServer, streams: FrameStreams
) -> None:
    async with Processes(tmp_path / "logs") as processes:
        (camera,) = await processes.start(program(server, "--fps", "60", "--frames", "30"))
        assert await camera.wait(30) == 0, camera.tail()
    assert said(camera)["published"] == 30
    report = await verify(streams)
    assert (report.published, report.in_flight, report.lost) == (30, 30, 0)
    assert report.ledger_ok


async def test_its_frames_can_be_decoded_and_ask_for_every_kind(
    tmp_path: Path, server: EmbeddedServer, streams: FrameStreams
) -> None:
    async with Processes(tmp_path / "logs") as processes:
        (camera,) = await processes.start(program(server, "--fps", "120", "--frames", "12"))
        assert await camera.wait(30) == 0, camera.tail()
    kinds = ("faces", "people", "motion")
    await streams.fence((1, 1), "n1")
    table = RoutingTable(rows=tuple(RoutingRow(kind, (kind,), 64) for kind in kinds))
    await streams.dispatch((1, 1), "n1", table)
    taken = {kind: await streams.take(kind, "one", count=64) for kind in kinds}
    assert {kind: len(frames) for kind, frames in taken.items()} == {"faces": 4, "people": 2, "motion": 6}
    for kind, frames in taken.items():
        looking = detector(kind)
        for frame in frames:
            event = FrameReadyEvent.from_json(frame.event)
            assert (event.width, event.height, event.format) == (176, 144, "jpeg")
            assert event.size_bytes == len(frame.payload)
            assert event.capability == kind
            assert event.trace_context.format() == frame.traceparent
            looking.detect(frame.camera_id, frame.payload)


async def test_a_stopped_camera_drains_and_says_what_it_published(
    tmp_path: Path, server: EmbeddedServer, streams: FrameStreams
) -> None:
    async def published() -> int:
        return sum(camera.published for camera in (await streams.stats()).cameras.values())

    async with Processes(tmp_path / "logs") as processes:
        (camera,) = await processes.start(program(server, "--fps", "50"))
        await eventually(published, deadline_s=20)
        camera.send(signal.SIGTERM)
        assert await camera.wait(10) == 0, camera.tail()
    assert said(camera)["published"] == await published()
    assert (await verify(streams)).ledger_ok


async def test_a_camera_keeps_its_rate(server: EmbeddedServer) -> None:
    clip = Clip(builtin_clip(), fps=40.0)
    async with FrameProducer("cam1", server.url) as producer:
        camera = Camera(producer, clip, fps=40.0, frames=40)
        began = time.monotonic()
        await camera.run()
        took = time.monotonic() - began
        assert summary(camera, producer)["published"] == 40
    clip.close()
    assert 39 / 40 <= took < 20.0  # not faster than the schedule; slower only where the machine is


async def test_a_camera_without_a_video_says_so(
    tmp_path: Path, server: EmbeddedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "none.mp4")
    async with Processes(tmp_path / "logs") as processes:
        (camera,) = await processes.start(program(server, "--video", missing))
        assert await camera.wait(30) == 3
    assert "no such file" in camera.tail()


def test_an_address_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--camera", "cam1", "--redis", "nonsense://host", "--frames", "1"]) == 1
    assert "redis_refused" in capsys.readouterr().err
    assert main(["--camera", "no spaces", "--redis", "redis://127.0.0.1:1/0", "--frames", "1"]) == 1
    assert "invalid_name" in capsys.readouterr().err
