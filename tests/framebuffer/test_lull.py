"""How long nothing is taken after frames were released."""

import pytest

from framebuffer.lull import BESIDE_S, FIRST_S, MOST_S, RECENT_S, Lull
from framebuffer.wire import SettleOutcome


def released(lull: Lull, now: float, *, taken: bool = True) -> float:
    """Seconds that are left after one frame was released."""
    if taken:
        lull.took()
    lull.settled(["released"], now)
    return lull.left_s(now)


def test_it_doubles_from_one_taking_to_the_next_and_is_bounded() -> None:
    lull = Lull()
    assert lull.left_s(5.0) == 0.0
    lengths = [released(lull, 5.0 + at) for at in range(12)]
    assert lengths == pytest.approx([min(FIRST_S * 2**at, MOST_S) for at in range(12)])
    assert lull.left_s(17.5) == 0.0


def test_what_was_taken_together_makes_it_longer_once() -> None:
    lull = Lull()
    assert [released(lull, 1.0, taken=at == 0) for at in range(8)] == pytest.approx([FIRST_S] * 8)
    assert released(lull, 2.0) == pytest.approx(2 * FIRST_S)


def test_any_other_outcome_ends_it() -> None:
    others: list[SettleOutcome] = ["settled", "retry", "dead", "not-owner", "duplicate"]
    for outcome in others:
        lull = Lull()
        for _ in range(5):
            released(lull, 1.0)
        lull.settled(["released", outcome], 1.0)
        assert lull.left_s(1.0) == 0.0
        assert released(lull, 1.0) == pytest.approx(FIRST_S)


def test_frames_that_it_can_do_do_not_wait_long_behind_those_that_it_cannot() -> None:
    lull = Lull()
    lull.settled(["settled"], 1.0)
    assert max(released(lull, 1.0 + at) for at in range(8)) == pytest.approx(BESIDE_S)
    lengths = [released(lull, 1.0 + RECENT_S + at) for at in range(8)]
    assert lengths[-1] == pytest.approx(MOST_S)
