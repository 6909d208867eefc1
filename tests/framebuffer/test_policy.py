"""Policies are checked, and a pace is half of what it was. On a made-up clock."""

from typing import Any

import pytest

from framebuffer.policy import Pace, Policy


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "newest"}, "'newest' is not one of: lossless, freshest, deadline"),
        ({"name": "deadline"}, "needs deadline_s"),
        ({"name": "deadline", "deadline_s": 0.0}, "needs deadline_s"),
        ({"name": "deadline", "deadline_s": float("nan")}, "needs deadline_s"),
        ({"name": "freshest", "deadline_s": 1.0}, "means nothing under policy 'freshest'"),
        ({"urgent": 0}, "urgent"),
    ],
)
def test_a_policy_says_what_is_wrong_with_it(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Policy(**fields)


def _send(pace: Pace, wanted_fps: float, seconds: float, since: float) -> tuple[int, float]:
    """Tries to send at a rate; (frames sent, when it ended)."""
    sent, now = 0, since
    for step in range(1, int(wanted_fps * seconds) + 1):
        now = since + step / wanted_fps
        if pace.allowed(now) != 0:
            pace.sent(1, now)
            sent += 1
    return sent, now


@pytest.mark.parametrize("fps", [20.0, 1000.0])
def test_high_halves_the_rate_of_lately(fps: float) -> None:
    pace = Pace()
    _, now = _send(pace, fps, 3.0, 0.0)
    assert pace.rate(now) == pytest.approx(fps, rel=0.1)
    pace.halve(now)
    sent, now = _send(pace, fps, 4.0, now)
    assert sent == pytest.approx(fps / 2 * 4.0, rel=0.1)
    pace.free(now)
    sent, now = _send(pace, fps, 0.3, now)
    assert sent < fps * 0.3
    now += 1.2
    assert pace.allowed(now) is None
    assert pace.next_at(now) == now


def test_a_pause_does_not_count() -> None:
    pace = Pace()
    _, now = _send(pace, 100.0, 2.0, 0.0)
    pace.pause(now)
    pace.halve(now + 3600.0)
    assert pace.limit(now + 3600.0) == pytest.approx(50.0, rel=0.1)


def test_an_idle_camera_is_not_slowed_to_nothing() -> None:
    pace = Pace()
    pace.halve(0.0)
    assert pace.limit(0.0) == 5.0
    pace.sent(1, 0.0)
    assert pace.allowed(0.01) == 0
    assert pace.next_at(0.01) == pytest.approx(0.2)


def test_a_batch_may_go_at_once() -> None:
    pace = Pace()
    _, now = _send(pace, 1000.0, 3.0, 0.0)
    pace.halve(now)
    assert (pace.allowed(now + 0.2) or 0) == pytest.approx(50, abs=5)
