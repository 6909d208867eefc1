"""The plant clock: pure, and on a monotonic clock of a test."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.playbooks.clock import PlantClock
from orchestrator.playbooks.plant_time import Anchor, anchored, reading

_seconds = st.floats(min_value=0, max_value=1e9)


def test_it_goes_on_from_the_newest_time_that_was_applied() -> None:
    anchor = anchored(Anchor(0.0, 1000.0), 50.0, 1001.0)
    assert anchor == Anchor(50.0, 1001.0)
    assert reading(anchor, 1003.5) == 52.5


def test_a_time_that_was_long_on_its_way_takes_nothing_back() -> None:
    anchor = Anchor(50.0, 1000.0)
    assert anchored(anchor, 50.4, 1000.5) is anchor
    assert reading(anchor, 999.0) == 50.0


@given(st.lists(st.tuples(_seconds, _seconds), max_size=30), _seconds)
def test_it_never_goes_backwards(steps: list[tuple[float, float]], start: float) -> None:
    monotonic, last = start, 0.0
    clock = PlantClock(lambda: monotonic)
    for passed, at in steps:
        monotonic += passed
        assert clock.now() >= last
        clock.note(at)
        last = clock.now()
        assert last >= at


def test_two_hosts_agree_whatever_their_own_clocks_show() -> None:
    here, there = 5.0, 9_000_000.0
    one, other = PlantClock(lambda: here), PlantClock(lambda: there)
    one.note(100.0)
    other.note(100.0)
    here, there = here + 7, there + 7
    assert one.now() == other.now() == 107.0
