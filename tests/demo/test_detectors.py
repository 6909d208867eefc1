"""The detectors find on the real clip what is in it, and nothing in an empty picture."""

from collections.abc import Callable

import pytest

from orchestrator.demo.clip import Clip, builtin_clip
from orchestrator.demo.detectors import (
    BOXES_MAX,
    CAMERAS_REMEMBERED,
    KINDS,
    Detection,
    MotionDetector,
    detections,
    detector,
)
from orchestrator.dev.errors import FrameUndecodable


@pytest.fixture(scope="module")
def stills() -> list[bytes]:
    clip = Clip(builtin_clip(), fps=15.0)
    try:
        return [clip.next().jpeg for _ in range(60)]
    finally:
        clip.close()


@pytest.fixture(scope="module")
def jpeg() -> Callable[..., bytes]:
    import cv2
    import numpy as np

    def encode(width: int = 176, height: int = 144, *, bright: tuple[int, int, int, int] | None = None) -> bytes:
        image = np.full((height, width, 3), 90, np.uint8)
        if bright is not None:
            x, y, w, h = bright
            image[y : y + h, x : x + w] = 220
        return bytes(cv2.imencode(".jpg", image)[1].tobytes())

    return encode


def inside(found: list[Detection], width: int, height: int) -> bool:
    return all(
        x >= -1 and y >= -1 and w > 0 and h > 0 and x + w <= width + 2 and y + h <= height + 2
        for x, y, w, h in (one["box"] for one in found)
    )


def test_faces_are_found_on_the_clip(stills: list[bytes]) -> None:
    faces = detector("faces")
    found = [faces.detect("cam1", still) for still in stills]
    assert sum(bool(one) for one in found) >= len(stills) // 4
    assert all(inside(one, 176, 144) for one in found)
    assert {one["kind"] for group in found for one in group} == {"faces"}


def test_motion_is_found_on_the_clip(stills: list[bytes]) -> None:
    motion = detector("motion")
    found = [motion.detect("cam1", still) for still in stills]
    assert found[0] == []  # nothing to compare with
    assert sum(bool(one) for one in found) >= len(stills) * 3 // 4
    assert all(inside(one, 176, 144) for one in found)


def test_the_people_detector_looks_at_small_frames(stills: list[bytes]) -> None:
    people = detector("people")
    found = [people.detect("cam1", still) for still in stills[:20]]
    # The clip shows a head in a car: the window for a whole figure seldom fits, and what it finds is in the frame.
    assert all(inside(one, 176, 144) for one in found)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_picture_shows_nothing(kind: str, jpeg: Callable[..., bytes]) -> None:
    blind = detector(kind)
    assert blind.detect("cam1", jpeg()) == []
    assert blind.detect("cam1", jpeg()) == []
    assert blind.detect("cam1", jpeg(64, 48)) == []
    assert blind.detect("cam1", jpeg(1000, 700)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_payload_is_an_error_of_its_own(kind: str) -> None:
    with pytest.raises(FrameUndecodable):
        detector(kind).detect("cam1", b"\xff\xd8 broken")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="none of faces, people, motion"):
        detector("cats")


def test_motion_compares_with_the_last_frame_of_the_same_camera(jpeg: Callable[..., bytes]) -> None:
    motion = MotionDetector()
    left, right = jpeg(bright=(10, 10, 40, 40)), jpeg(bright=(120, 90, 40, 40))
    assert motion.detect("cam1", left) == []
    assert motion.detect("cam2", right) == []
    assert motion.detect("cam1", left) == []
    assert len(motion.detect("cam1", right)) == 2  # one went, one came
    assert motion.detect("cam2", right) == []


def test_motion_in_a_large_frame_is_told_in_its_own_pixels(jpeg: Callable[..., bytes]) -> None:
    motion = MotionDetector()
    motion.detect("cam1", jpeg(1280, 960))
    (found,) = motion.detect("cam1", jpeg(1280, 960, bright=(600, 400, 200, 200)))
    x, y, w, h = found["box"]
    assert abs(x - 600) < 20
    assert abs(y - 400) < 20
    assert abs(w - 200) < 40
    assert abs(h - 200) < 40


def test_a_camera_whose_frame_changes_its_size_starts_anew(jpeg: Callable[..., bytes]) -> None:
    motion = MotionDetector()
    motion.detect("cam1", jpeg(100, 100))
    assert motion.detect("cam1", jpeg(120, 100, bright=(0, 0, 60, 60))) == []


def test_motion_remembers_a_bounded_number_of_cameras(jpeg: Callable[..., bytes]) -> None:
    motion = MotionDetector()
    empty, bright = jpeg(32, 32), jpeg(32, 32, bright=(8, 8, 16, 16))
    for number in range(CAMERAS_REMEMBERED + 1):
        motion.detect(f"cam{number}", empty)
    assert motion.detect("cam0", bright) == []  # forgotten
    assert len(motion.detect("cam200", bright)) == 1


def test_a_result_names_the_largest_boxes_only() -> None:
    boxes = [(0, 0, side, side) for side in range(1, 101)]
    found = detections("motion", boxes, [0.5] * 100, scale=0.5)
    assert len(found) == BOXES_MAX
    assert found[0]["box"] == [0, 0, 200, 200]
