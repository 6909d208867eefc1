"""A camera's frames are due on an absolute schedule; every kind of processor gets its share."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.demo.detectors import KINDS
from orchestrator.demo.schedule import CYCLE, Schedule, detection_type, frames_in


def test_frames_are_due_at_a_rate_that_does_not_drift() -> None:
    schedule = Schedule(start=100.0, fps=15.0, frames=450)
    assert schedule.due(0) == 100.0
    assert schedule.due(450) == 130.0
    assert schedule.wait(15, now=100.25) == 0.75


def test_an_overdue_frame_is_published_at_once_and_none_is_skipped() -> None:
    schedule = Schedule(start=100.0, fps=10.0, frames=100)
    assert schedule.wait(5, now=103.0) == 0.0
    assert schedule.lateness(5, now=103.0) == 2.5
    assert schedule.wait(31, now=103.0) > 0.0
    assert schedule.lateness(31, now=103.0) == 0.0


@given(st.floats(0, 1e6), st.floats(0.1, 240), st.integers(0, 100_000))
def test_the_time_of_a_frame_depends_on_its_number_alone(start: float, fps: float, tick: int) -> None:
    schedule = Schedule(start, fps, frames=tick + 1)
    assert schedule.due(tick) <= schedule.due(tick + 1)
    assert abs((schedule.due(tick) - start) * fps - tick) < 1e-3 * max(1.0, start)


def test_every_kind_gets_its_share() -> None:
    share = Counter(detection_type(tick) for tick in range(600))
    assert share == {"motion": 300, "faces": 200, "people": 100}
    assert set(CYCLE) == set(KINDS)


def test_cameras_do_not_all_ask_for_the_same_at_once() -> None:
    assert len({detection_type(0, offset) for offset in range(4)}) > 1


def test_a_camera_publishes_for_the_seconds_asked() -> None:
    assert frames_in(30.0, 15.0) == 450
    assert frames_in(0.01, 15.0) == 1
