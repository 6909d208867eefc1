"""A demo processor looks at what it is given, and gives up at once on what is no image."""

import pytest

from framebuffer.processor import FrameRejected
from framebuffer.wire import TakenFrame
from orchestrator.demo.clip import Clip, builtin_clip
from orchestrator.demo.processor import Detecting, main

pytestmark = pytest.mark.anyio


def frame(payload: bytes) -> TakenFrame:
    return TakenFrame("1-1", "cam1-0", "cam1", 0, "faces", 0, 0, "", b"{}", payload)


async def test_a_frame_is_looked_at() -> None:
    processor = Detecting("faces-1", "faces", ["http://127.0.0.1:1"])
    clip = Clip(builtin_clip(), 15.0)
    found = [processor.process_frame(frame(clip.next().jpeg)) for _ in range(30)]
    clip.close()
    assert {one["kind"] for one in found} == {"faces"}
    assert any(one["detections"] for one in found)


async def test_a_payload_that_is_no_image_is_rejected_for_good() -> None:
    processor = Detecting("faces-1", "faces", ["http://127.0.0.1:1"])
    with pytest.raises(FrameRejected, match="not a decodable image"):
        processor.process_frame(frame(b"no image"))


def test_an_id_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--id", "no spaces", "--kind", "motion", "--orchestrator", "http://127.0.0.1:1"]) == 1
    assert "invalid_registration" in capsys.readouterr().err
